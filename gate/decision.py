"""When blocks of paired measurements amount to a verdict. Pure functions of arrays, the last axis being blocks.

The unit is the block, never the sample: samples of one visit share a clock frequency and a cache, and an interval made
of them is a decoration. `effects` are log(candidate / baseline), one a block; the estimate is their median.

The interval is that of `devices.ratio`, whose bootstrap needs no draws. So a verdict is a matter of counting blocks on
either side of the tolerance, and no single block, however wild, moves it by more than one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.ratio import Floats, bootstrap_tail, median_interval

ALPHA = 0.02
"""Chance of a wrong side at one look. The self-test prints what all looks and the confirmation make of it."""
FIRST, STEP = 6, 4
"""Blocks before the first look, the fewest that can be sure at ALPHA, and between looks."""
MOST = 61
FRESH = 3
"""Processes that measure a FAIL again.

The memory layout of a process speeds an artifact up or slows it down for the life of that process, so its blocks
together say nothing about the next process: there the process is the unit. At exactly the tolerance each process is
slower or faster with probability 1/2, so a FAIL that needs all of them is confirmed at most one time in 8.
"""
FRESH_BLOCKS = 10
"""Blocks that each of them measures at least, where the time allows.

A large slow-down ends the first process after FIRST blocks, and the median of so few may have the wrong
sign: in `simulate`, with a layout kept by a noisy process, 16 blocks detect 90 % of slow-downs of 5 %, and 10 blocks
detect 85 to 87 % in two thirds of the time.
"""
WILD = 3.0
"""A block is excluded when its control varied more than this many times as much as in the median block."""


class Outcome(StrEnum):
    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Estimate:
    """What the blocks say of log(candidate / baseline). `used` of `blocks` were valid."""

    effect: float
    low: float
    high: float
    used: int
    blocks: int
    p_slower: float
    """Chance, by bootstrap, of a median at or below the tolerance: small means a regression."""
    p_within: float
    """Chance of a median at or above it: small means a pass."""


def valid(control: Floats) -> NDArray[np.bool_]:
    """Which blocks are valid, given how far the control varied inside each (..., n).

    The control is independent of baseline and candidate, so the exclusion is not biased. A comparison of the control
    with one of the two would be, on a machine whose disturbances only ever slow down.
    """
    return control <= WILD * np.median(control, axis=-1, keepdims=True)


def sides(effects: Floats, control: Floats, limit: float) -> tuple[Any, Any, Any]:
    """(p_slower, p_within, blocks used) of effects (..., n) against a limit in log terms."""
    used = valid(control)
    count = used.sum(axis=-1)
    slower = bootstrap_tail((used & (effects <= limit)).sum(axis=-1), count)
    within = bootstrap_tail((used & (effects >= limit)).sum(axis=-1), count)
    return slower, within, count


def estimate(
    effects: Sequence[float] | Floats, control: Sequence[float] | Floats, tolerance: float, alpha: float = ALPHA
) -> Estimate:
    """Median and its interval, each side at `alpha`. ValueError without blocks.

    `tolerance` is a share: 0.03 for 3 %. The interval's ends are blocks' own values, so that an end beyond the
    tolerance and a verdict never contradict each other; with too few blocks they are infinite.
    """
    if not len(effects):
        raise ValueError("there is no estimate without blocks")
    all_effects, all_control = np.asarray(effects, float), np.asarray(control, float)
    slower, within, used = sides(all_effects, all_control, math.log1p(tolerance))
    low, median, high = median_interval(all_effects[valid(all_control)], alpha)
    return Estimate(median, low, high, int(used), len(effects), float(slower), float(within))


def decide(found: Estimate, fail_at: float = ALPHA, pass_at: float = ALPHA) -> Outcome:
    """PASS or FAIL when the probability of an error is as low as allowed, INCONCLUSIVE otherwise."""
    if found.p_slower <= fail_at:
        return Outcome.FAIL
    return Outcome.PASS if found.p_within <= pass_at else Outcome.INCONCLUSIVE


def more(blocks: int, most: int = MOST) -> int:
    """How many blocks to measure before the next look; 0 when there is no further one."""
    return min(FIRST if blocks == 0 else STEP, most - blocks)


def again(first: int) -> int:
    """How many blocks a fresh process is to measure, after a first process that measured `first`."""
    return max(first, FRESH_BLOCKS)


def is_slower(effects: Sequence[float] | Floats, control: Sequence[float] | Floats, tolerance: float) -> bool:
    """Whether the median of a process's valid blocks is beyond the tolerance; not when there is no block."""
    kept = np.asarray(effects, float)[valid(np.asarray(control, float))] if len(effects) else np.array([-math.inf])
    return bool(np.median(kept) > math.log1p(tolerance))


def confirmed(fresh: Sequence[bool], pooled: Estimate, fail_at: float = ALPHA) -> Outcome:
    """What a FAIL becomes after new processes measured it again. `fresh`: whether each of them was slower.

    It stays a FAIL when all FRESH of them were slower and the pooled blocks of all processes fail too. Otherwise the
    pooled blocks decide between PASS and INCONCLUSIVE: processes that disagree are no regression.
    """
    together = decide(pooled, fail_at)
    if together is Outcome.FAIL and not (len(fresh) >= FRESH and all(fresh)):
        return Outcome.INCONCLUSIVE
    return together


def holm(chances: Sequence[float], alpha: float = ALPHA) -> list[bool]:
    """Which of several configurations are slower, so that the chance of any false one stays `alpha` (Holm 1979)."""
    rejected = [False] * len(chances)
    for rank, index in enumerate(sorted(range(len(chances)), key=chances.__getitem__)):
        if chances[index] > alpha / (len(chances) - rank):
            break
        rejected[index] = True
    return rejected


def minimum_detectable_effect(found: Estimate, tolerance: float) -> float:
    """The smallest slow-down, as a share, that blocks as noisy as these would have shown to be beyond the tolerance."""
    return math.expm1(math.log1p(tolerance) + found.effect - found.low)
