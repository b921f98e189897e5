"""From a device's name, as typed after `--device`, to what can run on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from converters.artifact import FORMATS
from devices.contract import Runner
from devices.plan import BASELINE


@dataclass(frozen=True)
class Attached:
    """A device that can be measured now. `runner` reaches it; `formats` are those that it can be given."""

    name: str
    description: str
    formats: tuple[str, ...]
    runner: Callable[[], Runner]


@dataclass(frozen=True)
class NotAttached:
    """A device that is known and not there: what was looked for, and what to do about it, in sentences."""

    name: str
    looked_for: str
    advice: str


def names() -> list[str]:
    """Every name that `select` knows."""
    return ["desktop"]


def select(name: str) -> Attached | NotAttached:
    """The device called `name`, looked for now. ValueError lists the names when there is none."""
    if name == "desktop":
        return _desktop()
    raise ValueError(f"no device {name!r}; there are: {', '.join(names())}")


def _desktop() -> Attached:
    from devices.desktop import Desktop

    return Attached("desktop", "this machine", (BASELINE, *FORMATS), Desktop)
