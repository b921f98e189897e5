"""From published times and counted instructions to an estimate: pure functions of numbers.

A phone's rate is milliseconds a million instructions. It differs from network to network, and its spread is what an
estimate does not know. Spreads are of the logarithm of the rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

COVERED = 1.96
"""Standard deviations on both sides that hold 95 % of a normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """Milliseconds of one inference; a network like the public ones lies between `low` and `high` 19 times in 20."""

    milliseconds: float
    low: float
    high: float


def rates(milliseconds: Mapping[str, float], counts: Mapping[str, int]) -> dict[str, float]:
    """Milliseconds a million instructions of each network."""
    return {name: time / counts[name] * 1e6 for name, time in milliseconds.items()}


def mean(found: Iterable[float]) -> float:
    """The geometric mean: half and twice the rate are equally far away."""
    return math.exp(fmean(map(math.log, found)))


def leave_one_out(found: Mapping[str, float]) -> dict[str, float]:
    """How far each network is missed when its rate is taken from the others: 0.1 is a prediction 10 % too long.

    At least two networks.
    """
    return {name: mean(other for key, other in found.items() if key != name) / rate - 1 for name, rate in found.items()}


def spread(groups: Iterable[Sequence[float]]) -> float:
    """The standard deviation of log rates within groups, pooled: each group has a mean of its own."""
    squares, freedom = 0.0, 0
    for group in groups:
        logs = [math.log(rate) for rate in group]
        middle = fmean(logs)
        squares += sum((value - middle) ** 2 for value in logs)
        freedom += len(logs) - 1
    return math.sqrt(squares / freedom)


def estimate(instructions: int, found: Sequence[float], pooled: float, faster_since: float = 1.0) -> Estimate:
    """The time of a network of `instructions`, from a phone's rates.

    The spread is the phone's own or the one pooled over phones, whichever is larger: two networks that happen to agree
    say little. `faster_since` lowers the low end for times of an older runtime.
    """
    milliseconds = instructions / 1e6 * mean(found)
    wide = math.exp(COVERED * max(spread([found]), pooled) * math.sqrt(1 + 1 / len(found)))
    return Estimate(milliseconds, milliseconds / wide / faster_since, milliseconds * wide)
