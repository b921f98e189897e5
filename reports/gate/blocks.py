"""From a block's raw nanoseconds to the two numbers that `decision` takes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from devices.paired import BASELINE, CANDIDATE, CONTROL, Block


def effect(block: Block) -> tuple[float, float] | None:
    """(log of candidate over baseline, how far the control moved), from the medians of the visits.

    None for a block that was cut short: an arm without a visit, a visit without samples or with times no clock gives.
    """
    if len(block.ns) != len(block.order) or not all(len(ns) and min(ns) > 0 for ns in block.ns):
        return None
    levels: dict[str, list[float]] = {BASELINE: [], CANDIDATE: [], CONTROL: []}
    for arm, ns in zip(block.order, block.ns, strict=True):
        levels[arm].append(math.log(float(np.median(ns))))
    if not (len(levels[BASELINE]) == len(levels[CANDIDATE]) > 0 and len(levels[CONTROL]) > 1):
        return None
    moved = max(levels[CONTROL]) - min(levels[CONTROL])
    return sum(levels[CANDIDATE]) / len(levels[CANDIDATE]) - sum(levels[BASELINE]) / len(levels[BASELINE]), moved


def effects(blocks: Sequence[Block]) -> tuple[list[float], list[float]]:
    """`effect` of every whole block: (effects, control movements)."""
    whole = [found for block in blocks if (found := effect(block))]
    return [d for d, _ in whole], [moved for _, moved in whole]


def median_ms(blocks: Sequence[Block], arm: str) -> float | None:
    """Milliseconds of the median frame of one arm over all blocks; None without one."""
    ns = [
        t
        for block in blocks
        for visited, times in zip(block.order, block.ns, strict=False)
        if visited == arm
        for t in times
    ]
    return float(np.median(ns)) / 1e6 if ns else None
