"""How many times as fast, from rounds in turn: the one estimator of a paired ratio. Pure functions.

A round runs both sides in the order A B B A, so that a drift which is linear in time cancels. Its effect is a
difference of two levels in log terms, a level being the mean of the logs of its series' medians. The estimate is the
median of the rounds' effects.

The interval needs no draws. A bootstrap's median lies at or below x when at least half of the n drawn effects do, and
each drawn effect does with the share k/n of those that lie there: a binomial tail, exact (Efron 1979, section 10.A).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

ALPHA = 0.025
"""Chance of a wrong side, so that an interval is one of 95 %."""


@dataclass(frozen=True)
class Ratio:
    """How many times as fast, with its 95 % interval."""

    times: float
    low: float
    high: float

    def over(self, other: Ratio) -> Ratio:
        """This ratio divided by another one of the same reference, the two being independent.

        Each end of the interval takes both distances in quadrature (Zou and Donner 2008, of differences, here of logs).
        """
        centre = math.log(self.times / other.times)
        down = math.hypot(math.log(self.times / self.low), math.log(other.high / other.times))
        up = math.hypot(math.log(self.high / self.times), math.log(other.times / other.low))
        return Ratio(math.exp(centre), math.exp(centre - down), math.exp(centre + up))

    @property
    def spread(self) -> float:
        """How far the farther end is, as a share: 0.05 for 5 %."""
        return max(self.high / self.times, self.times / self.low) - 1


def ratio(effects: Sequence[float] | Floats) -> Ratio | None:
    """The ratio of rounds whose effects are logs of it; None with too few rounds for an interval."""
    if not len(effects):
        return None
    low, median, high = median_interval(np.asarray(effects, float), ALPHA)
    return Ratio(math.exp(median), math.exp(low), math.exp(high)) if math.isfinite(high - low) else None


def median_interval(effects: Floats, alpha: float) -> tuple[float, float, float]:
    """(low, median, high) with a chance of `alpha` at each side; the ends are infinite with too few effects."""
    kept = np.sort(effects)
    chances = bootstrap_tail(np.arange(len(kept) + 1), len(kept))
    outside = int((chances <= alpha).sum())  # so many on one side are still too few to hold the median
    low, high = (kept[outside - 1], kept[-outside]) if outside else (-math.inf, math.inf)
    return float(low), float(np.median(kept)), float(high)


def bootstrap_tail(beyond: Any, used: Any) -> Any:
    """Chance that a bootstrap's median lies among `beyond` of `used` effects (arrays or numbers).

    Never below 2^-used, the chance that a fair coin puts all of them on one side: a few are never sure.
    """
    used, beyond = np.asarray(used), np.asarray(beyond)
    return _bootstrap_tails(int(used.max(initial=0)))[used, beyond]


@lru_cache
def _bootstrap_tails(most: int) -> Floats:
    """`bootstrap_tail` for every (used, beyond) up to `most`: simulated gates ask for it millions of times.

    Binomial tails by their sums: scipy.stats has them too, and takes a second to import in every timed process.
    """
    tails = np.ones((most + 1, most + 1))
    for used in range(1, most + 1):
        drawn = np.arange((used + 1) // 2, used + 1)
        ways = np.array([math.comb(used, int(k)) for k in drawn], float)
        share = np.minimum(np.arange(most + 1) / used, 1.0)[:, None]
        tails[used] = np.maximum((ways * share**drawn * (1 - share) ** (used - drawn)).sum(axis=1), 0.5**used)
    return tails
