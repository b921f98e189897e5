"""The repository's own promises about itself."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib.metadata import version

import pytest

from tests.conftest import ROOT

FLOORS = (
    "models",
    "metrics",
    "video",
    "frames",
    "converters",
    "costs",
    "devices",
    "reports",
    "cli",
    "training",
    "effects",
)
"""From the ground up: a room takes from those below it."""

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]


@pytest.mark.parametrize("pin", PINS)
def test_what_runs_is_what_is_pinned(pin: str) -> None:
    name, pinned = re.fullmatch(r"([\w-]+)==([\w.]+)", pin).groups()  # type: ignore[union-attr]
    assert version(name).split("+")[0] == pinned


@pytest.mark.parametrize("room", FLOORS)
def test_a_room_takes_nothing_from_those_above_it(room: str) -> None:
    above = FLOORS[FLOORS.index(room) + 1 :]
    for path in (ROOT / room).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            taken = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            taken += [name.name for name in node.names] if isinstance(node, ast.Import) else []
            for module in taken:
                assert module.split(".")[0] not in above, f"{path.relative_to(ROOT)} imports {module}"
