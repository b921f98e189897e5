"""The time of one network as a share of another's, in pairs, in one process: LiteRT, one thread.

A pair runs candidate, reference, reference, candidate, and the next one the other way round: a drift of the machine
that is linear in time cancels in the ratio, and what slows both down does too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from converters.session import Session

LEAD_IN, BURST = 1, 4
"""Runs of a visit: those not kept, which fetch back what the other pushed out of the caches, and those of which the
fastest counts, because an interrupted run takes longer."""
WARM_UP = 10
LOCK = "measuring.lock"

Infer = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """A time as a multiple of the reference's: the median over pairs, and the middle 80 % of them."""

    median: float
    low: float
    high: float
    pairs: int
    reference_ms: float
    """The reference's median then: to see how quiet the machine was, not to compare."""


def measure(candidate: Infer, reference: Infer, pairs: int, clock: Callable[[], int] = time.perf_counter_ns) -> Ratio:
    """The candidate's time over the reference's, pair by pair."""
    for infer in (candidate, reference):
        for _ in range(WARM_UP):
            infer()
    ratios, times = np.empty(pairs), np.empty(pairs)
    for i in range(pairs):
        first, second = (candidate, reference) if i % 2 == 0 else (reference, candidate)
        visits = [_visit(infer, clock) for infer in (first, second, second, first)]
        outer, inner = visits[0] + visits[3], visits[1] + visits[2]
        mine, other = (outer, inner) if i % 2 == 0 else (inner, outer)
        ratios[i], times[i] = mine / other, other / 2e6
    low, median, high = np.quantile(ratios, (0.1, 0.5, 0.9))
    return Ratio(float(median), float(low), float(high), pairs, float(np.median(times)))


def _visit(infer: Infer, clock: Callable[[], int]) -> float:
    for _ in range(LEAD_IN):
        infer()
    kept = []
    for _ in range(BURST):
        before = clock()
        infer()
        kept.append(clock() - before)
    return float(min(kept))


def running(session: Session) -> Infer:
    """Inferences one after the other: a random picture, the session's own mask fed back."""
    rng = np.random.default_rng(0)
    height, width = session.resolution
    frame = session.encode_frame(rng.random((1, height, width, 3), np.float32))
    mask = session.encode_mask(np.zeros((1, height, width, 1), np.float32))

    def infer() -> NDArray[Any]:
        nonlocal mask
        mask = session.native(frame, mask)
        return mask

    return infer
