"""published.toml, read: what others published of phones."""

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
class Runtime:
    name: str
    current: bool
    """Whether it is as fast as today's LiteRT, as far as is known."""


@dataclass(frozen=True)
class Times:
    """What one source says of one phone: networks' milliseconds, one inference on one thread of the CPU."""

    phone: str
    """Its name in devices/catalog.toml."""
    runtime: Runtime
    precision: str
    source: Source
    milliseconds: Mapping[str, float]
    """Network (a name in devices.estimate.networks) to its published time."""


@cache
def published() -> tuple[Times, ...]:
    """All of published.toml, the runtime nearest to today's LiteRT first, otherwise in the file's order."""
    return parse(tomllib.loads(PUBLISHED.read_text()))


def parse(tables: Mapping[str, Any]) -> tuple[Times, ...]:
    """`published` of parsed TOML. KeyError for a source or a runtime that the file does not describe."""
    sources = {name: Source(**values) for name, values in tables["sources"].items()}
    runtimes = {name: Runtime(**values) for name, values in tables["runtimes"].items()}
    order = list(runtimes)
    found = [
        Times(
            values["phone"],
            runtimes[values["runtime"]],
            values["precision"],
            sources[values["source"]],
            values["milliseconds"],
        )
        for values in sorted(tables["times"], key=lambda values: order.index(values["runtime"]))
    ]
    return tuple(found)


def phones() -> tuple[str, ...]:
    """The phones of which times were published, in the file's order of runtimes."""
    return tuple(dict.fromkeys(times.phone for times in published()))


def nearest(phone: str, precision: str) -> Times | None:
    """The phone's times in the runtime nearest to today's; None when none were published in that precision."""
    return next((times for times in published() if (times.phone, times.precision) == (phone, precision)), None)
