"""What a host must have in common with the driver: this project's code, and the versions of what it runs on."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from converters.sources import ROOT

ROOMS = ("models", "evaluation", "converters", "devices", "reports", "cli")
"""What runs on a host."""
CODE = (".py", ".c", ".h", ".toml", ".json", ".txt", ".mk")
FORMATS = ("openvino", "coreml")
"""Extras that bring a format."""
SHOWN = 3


@dataclass(frozen=True)
class Versions:
    """`code`: folder of the project -> hash. `packages`: what pyproject.toml pins for it -> version, None: absent."""

    code: Mapping[str, str]
    packages: Mapping[str, str | None]


def here() -> Versions:
    """Those of this checkout and of its environment."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = [*project["dependencies"], *(pin for extra in FORMATS for pin in project["optional-dependencies"][extra])]
    names = [found[0] for pin in pins if (found := re.match(r"[\w.-]+", pin))]
    return Versions({room: _hash(room) for room in ROOMS}, {name: _version(name) for name in names})


def differ(theirs: Versions, ours: Versions) -> str | None:
    """How a host differs from the driver, to follow its name in a sentence; None when it does not."""
    if rooms := sorted(f"{room}/" for room in ours.code if theirs.code.get(room) != ours.code[room]):
        return f"has another version of this project: {_listed(rooms)} {'differs' if len(rooms) == 1 else 'differ'}"
    others = []
    for name, wanted in sorted(ours.packages.items()):
        found = theirs.packages.get(name)
        if found != wanted:
            there = f"{name} {found}" if found else f"no {name}"
            others.append(f"{there} in place of {wanted}" if wanted else f"{there}, which the driver has not")
    return f"has {_listed(others)}" if others else None


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - SHOWN} more" if len(words) > SHOWN else ""
    return ", ".join(words[:SHOWN]) + more


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _hash(room: str) -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / room).rglob("*")):
        if path.suffix in CODE and path.is_file():
            digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
