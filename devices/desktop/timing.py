"""When to stop warming up, and how to sample: pure logic, the clock is an argument.

Convention: one iteration is `prepare()` then `run()`. `prepare` is never timed (it lays out the next frame, as a
camera would have), `run` is what the number claims to be. Clocks return monotonic nanoseconds.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from devices.contract import Counts

Clock = Callable[[], int]

FAST, SLOW = 0.1, 0.005
TOLERANCE = 0.04
SIMILAR = 40


class Loop(Protocol):
    """What is measured, one iteration at a time."""

    def prepare(self) -> None: ...

    def run(self) -> None: ...


@dataclass(frozen=True)
class WarmUp:
    """How a warm-up ended. `converged` is False when the bound in seconds stopped it."""

    iterations: int
    seconds: float
    converged: bool


class Convergence:
    """A fast moving average that has stayed near a slow one: the rule of androidx.benchmark's WarmupManager."""

    def __init__(self) -> None:
        self.fast = self.slow = 0.0
        self.iterations = self.similar = 0

    def add(self, ns: int) -> None:
        if self.iterations == 0:
            self.fast = self.slow = float(ns)
        self.iterations += 1
        self.fast += FAST * (ns - self.fast)
        self.slow += SLOW * (ns - self.slow)
        near = abs(self.fast - self.slow) < TOLERANCE * self.slow
        self.similar = self.similar + 1 if near else 0

    @property
    def reached(self) -> bool:
        return self.similar > SIMILAR


def warm_up(loop: Loop, counts: Counts, clock: Clock = time.perf_counter_ns) -> WarmUp:
    """Run until converged and at least `counts.warm_up_least` times, but never beyond `counts.warm_up_seconds`.

    The bound in seconds also overrides the least number of iterations: a network that takes a second a frame would
    otherwise warm up for half a minute. It then says that it has not converged.
    """
    state = Convergence()
    start = clock()
    while True:
        loop.prepare()
        before = clock()
        loop.run()
        now = clock()
        state.add(now - before)
        seconds = (now - start) / 1e9
        if state.reached and state.iterations >= counts.warm_up_least:
            return WarmUp(state.iterations, seconds, converged=True)
        if seconds >= counts.warm_up_seconds:
            return WarmUp(state.iterations, seconds, converged=False)


@dataclass(frozen=True)
class Samples:
    """Raw nanoseconds of each `run`, and which of them were switched out; None where the system does not tell."""

    ns: tuple[int, ...] = ()
    switched: tuple[bool, ...] | None = ()

    def __add__(self, other: Samples) -> Samples:
        if self.switched is None or other.switched is None:
            return Samples(self.ns + other.ns, None)
        return Samples(self.ns + other.ns, self.switched + other.switched)

    @property
    def clean(self) -> tuple[int, ...]:
        """Those that count: not switched out, as far as the system tells."""
        if self.switched is None:
            return self.ns
        return tuple(ns for ns, out in zip(self.ns, self.switched, strict=True) if not out)

    @property
    def switched_at(self) -> tuple[int, ...] | None:
        """The indices of those that were switched out."""
        return None if self.switched is None else tuple(i for i, out in enumerate(self.switched) if out)


def involuntary_switches() -> int | None:
    """How often a thread of this process was switched out while it could have run; None except on Linux.

    getrusage(2), ru_nivcsw. Of the whole process: with one thread that is the caller's, which runs the network in every
    runtime here; with more it holds the runtime's helpers too, for which the caller waits.
    """
    if sys.platform != "linux":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw


def sample(loop: Loop, counts: Counts, clock: Clock = time.perf_counter_ns) -> tuple[int, ...]:
    """Raw nanoseconds of each `run`, until there are `counts.samples` of them AND `counts.seconds` have passed."""
    return watched(loop, counts, clock, lambda: None).ns


def watched(
    loop: Loop,
    counts: Counts,
    clock: Clock = time.perf_counter_ns,
    switches: Callable[[], int | None] = involuntary_switches,
) -> Samples:
    """As `sample`, each sample with whether `switches` counted on during it."""
    buffer: NDArray[np.int64] = np.zeros((max(counts.samples, 1024), 2), np.int64)
    told = switches() is not None
    taken = 0
    end = clock() + round(counts.seconds * 1e9)
    with no_garbage_collection():
        while True:
            loop.prepare()
            switched = switches()
            before = clock()
            loop.run()
            after = clock()
            buffer[taken] = after - before, switches() != switched
            taken += 1
            if taken >= counts.samples and after >= end:
                ns, out = buffer[:taken].T.tolist()
                return Samples(tuple(ns), tuple(map(bool, out)) if told else None)
            if taken == len(buffer):  # Between two samples, so that its copy is in neither.
                buffer = np.concatenate([buffer, np.zeros_like(buffer)])


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """A collection in the middle of a sample would be Python's time, not the network's."""
    if not gc.isenabled():  # Somebody around has seen to it.
        yield
        return
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
