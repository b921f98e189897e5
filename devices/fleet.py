"""Several devices behind one name, which join and leave: each measures every configuration at its own pace."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from devices.contract import Job, MeasurementFailed, Result


@dataclass(frozen=True)
class DeviceJoined:
    """A device has joined; `name` is its own, such as "Pixel 8 Chrome 130"."""

    name: str


@dataclass(frozen=True)
class JobStarted:
    """A device has started to measure the job with this index."""

    name: str
    index: int


@dataclass(frozen=True)
class JobEnded:
    """A device has finished a job: its result, or the reason why there is none."""

    name: str
    index: int
    outcome: Result | MeasurementFailed


@runtime_checkable
class Fleet(Protocol):
    def run_all(self, asked: Sequence[Job]) -> Iterator[DeviceJoined | JobStarted | JobEnded]:
        """Events until every device that joined is done. MeasurementFailed when no device can join."""
        ...
