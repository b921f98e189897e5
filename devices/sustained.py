"""Sustained speed: the frames a second that remain after minutes of load, when the processor is warm.

A run is cut into bins of ten seconds. Reported are the first minute, the last minute, and the share of the first that
the last one keeps. Between two bins the clock, the temperature and the battery are read, where the host tells them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

BIN_SECONDS = 10.0
MINUTE = 60.0
LEAST_MINUTES = 2.0
"""Of a shorter run the first and the last minute overlap."""

Clock = Callable[[], int]
Facts = Callable[[], Mapping[str, Any]]


class Loop(Protocol):
    """What is measured: `prepare` is not timed, `run` is one frame."""

    def prepare(self) -> None: ...

    def run(self) -> None: ...


@dataclass(frozen=True)
class Bin:
    """Ten seconds of load: when they began, the frames run, the seconds inside them, and what the host told after."""

    start: float
    frames: int
    busy: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fps(self) -> float:
        """Frames a second of the network alone."""
        return self.frames / self.busy


@dataclass(frozen=True)
class Kept:
    """FPS of the first and of the last minute, and the last as a share of the first."""

    first: float
    last: float

    @property
    def share(self) -> float:
        return self.last / self.first


def run(loop: Loop, minutes: float, facts: Facts = dict, clock: Clock = time.perf_counter_ns) -> tuple[Bin, ...]:
    """Run `loop` without a pause for `minutes`; the bin that is begun is finished."""
    bins: list[Bin] = []
    begun = clock()
    while (start := clock() - begun) < minutes * MINUTE * 1e9:
        frames = busy = 0
        while clock() - begun - start < BIN_SECONDS * 1e9:
            loop.prepare()
            before = clock()
            loop.run()
            busy += clock() - before
            frames += 1
        bins.append(Bin(start / 1e9, frames, busy / 1e9, facts()))
    return tuple(bins)


def kept(bins: Sequence[Bin]) -> Kept | None:
    """The first and the last minute of a run; None of one that was shorter than `LEAST_MINUTES`."""
    a_minute = round(MINUTE / BIN_SECONDS)
    if len(bins) < LEAST_MINUTES * a_minute:
        return None
    return Kept(_fps(bins[:a_minute]), _fps(bins[-a_minute:]))


def _fps(bins: Sequence[Bin]) -> float:
    return sum(one.frames for one in bins) / sum(one.busy for one in bins)


def to_json(bins: Sequence[Bin]) -> list[dict[str, Any]]:
    """[{"start": s, "frames": n, "busy": s, FACT: value}, ...], as a row keeps them."""
    return [{"start": round(b.start, 3), "frames": b.frames, "busy": round(b.busy, 6), **b.facts} for b in bins]


def from_json(values: Sequence[Mapping[str, Any]]) -> tuple[Bin, ...]:
    """The inverse of `to_json`."""
    named = ("start", "frames", "busy")
    return tuple(
        Bin(v["start"], v["frames"], v["busy"], {key: v[key] for key in v if key not in named}) for v in values
    )
