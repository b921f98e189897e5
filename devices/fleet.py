"""Several devices behind one name, that come and go: each measures every cell, by itself and at its own pace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from devices.contract import CellFailed, Job, Result


@dataclass(frozen=True)
class Joined:
    """A device takes part from now on; `name` is its own, such as "Pixel 8 Chrome 130"."""

    name: str


@dataclass(frozen=True)
class Began:
    """A device has begun the cell with this index."""

    name: str
    index: int


@dataclass(frozen=True)
class Ended:
    """A cell's end on one device: a result, or why there is none."""

    name: str
    index: int
    outcome: Result | CellFailed


@runtime_checkable
class Fleet(Protocol):
    def run_all(self, asked: Sequence[Job]) -> Iterator[Joined | Began | Ended]:
        """What happens, until every device that joined is done. CellFailed when none can take part at all."""
        ...
