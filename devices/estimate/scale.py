"""From times here to a range of times there: pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """Milliseconds on the phone, from `low` to `high`; `ratios` are how many times slower each known network is there.

    `missed` is the known error: the largest factor by which one known network is missed when it is predicted from the
    others. What it says of a network unlike them is not known.
    """

    low: float
    high: float
    ratios: Mapping[str, float]
    missed: float


def scale(
    here: float, known_here: Mapping[str, float], known_there: Mapping[str, float], faster_since: float = 1.0
) -> Range:
    """The range for a network that takes `here` milliseconds on this machine.

    It reaches from the smallest ratio of a known network to the largest, widened by `missed` on both sides, and at the
    low end by `faster_since`. At least two known networks are needed, all of them timed on both sides.
    """
    ratios = {name: there / known_here[name] for name, there in known_there.items()}
    missed = leave_one_out(list(ratios.values()))
    low = here * min(ratios.values()) / missed / faster_since
    return Range(low, here * max(ratios.values()) * missed, ratios, missed)


def leave_one_out(ratios: Sequence[float]) -> float:
    """The largest factor, at least 1, between one ratio and the geometric mean of the others."""
    logs = [math.log(ratio) for ratio in ratios]
    total, others = sum(logs), len(logs) - 1
    return math.exp(max(abs(one - (total - one) / others) for one in logs))
