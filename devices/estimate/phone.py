"""What is known of a phone in one precision: its rates, how well they predict, and how old they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from statistics import median

from devices.catalog import phones
from devices.estimate.counts import counts
from devices.estimate.factor import Estimate, estimate, leave_one_out, mean, rates, spread
from devices.estimate.published import Runtime, Times, nearest, published


@dataclass(frozen=True)
class Known:
    """The rates of one phone, from the runtime nearest to today's that was timed on it."""

    times: Times
    rates: Mapping[str, float]
    """Network to milliseconds a million instructions."""
    pooled: float
    """Spread of log rates within the phones of this precision."""
    faster_since: float
    """How many times faster today's kernels are at most; 1 where the times are of such."""

    @property
    def errors(self) -> dict[str, float]:
        """Network to its leave-one-out error, signed."""
        return leave_one_out(self.rates)

    @property
    def error(self) -> float:
        """The median of the errors' sizes: 0.1 is 10 %."""
        return median(map(abs, self.errors.values()))

    def estimate(self, instructions: int) -> Estimate:
        return estimate(instructions, list(self.rates.values()), self.pooled, self.faster_since)


def known(phone: str, precision: str) -> Known | None:
    """What can be said of `phone`, a name in the catalog; None where nobody published times in that precision."""
    times = nearest(phone, precision)
    if times is None:
        return None
    since = 1.0 if times.runtime.current else faster_since(times.runtime, precision)
    return Known(times, rates_of(times), pooled(precision), since)


def rates_of(times: Times) -> dict[str, float]:
    return rates(times.milliseconds, counts(times))


@cache
def pooled(precision: str) -> float:
    return spread(list(rates_of(times).values()) for times in published() if times.precision == precision)


@cache
def faster_since(runtime: Runtime, precision: str) -> float:
    """The largest ratio of a rate in `runtime` to one in today's kernels, on phones of the same processor."""

    def soc(times: Times) -> str:
        return phones()[times.phone].soc

    same = [times for times in published() if times.precision == precision]
    pairs = [
        (old, new)
        for old in same
        for new in same
        if old.runtime == runtime and new.runtime.current and soc(old) == soc(new)
    ]
    return max(mean(rates_of(old).values()) / mean(rates_of(new).values()) for old, new in pairs)
