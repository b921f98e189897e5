"""published.toml, read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PUBLISHED = Path(__file__).with_name("published.toml")


@dataclass(frozen=True)
class Source:
    says: str
    link: str


@dataclass(frozen=True)
class Published:
    """What is known of one phone. `faster_since` divides times that are as old as their runtime; 1 where none is."""

    phone: str
    milliseconds: Mapping[str, float]
    """Known network (a name in devices.estimate.networks) to its published time."""
    sources: tuple[Source, ...]
    faster_since: float = 1.0


@cache
def published() -> dict[str, Published]:
    """Every phone of which known networks' times were published, by its name in the catalog."""
    return parse(tomllib.loads(PUBLISHED.read_text()))


def parse(tables: Mapping[str, Any]) -> dict[str, Published]:
    sources = {name: Source(**values) for name, values in tables["sources"].items()}
    found = {}
    for phone, values in tables["phones"].items():
        names, faster = [values["source"]], 1.0
        if since := values.get("faster_since"):
            before, after = since["before"], since["after"]
            names += [before["source"], after["source"]]
            faster = before["milliseconds"] / after["milliseconds"]
        found[phone] = Published(phone, values["milliseconds"], tuple(sources[name] for name in names), faster)
    return found
