"""From a block's raw nanoseconds to the two numbers that `decision` takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from devices.paired import BASELINE, CANDIDATE, CONTROL, ROUND, Block


def effect(block: Block) -> tuple[float, float] | None:
    """(log of candidate over baseline, variation of the control in log terms), from the median of each measurement.

    The first is the median over the block's rounds, the second over the steps from one control to the next.
    None for an incomplete block: one without a visit of each, or a visit without samples or with times of 0 or less.
    """
    rounds, rest = divmod(len(block.order), ROUND)
    if rounds == 0 or rest != 1 or len(block.ns) != len(block.order):
        return None
    if not all(len(ns) and min(ns) > 0 for ns in block.ns):
        return None
    levels = np.log([float(np.median(ns)) for ns in block.ns])
    roles = np.array(block.order)
    differences = []
    for visited, level in zip(roles[:-1].reshape(rounds, ROUND), levels[:-1].reshape(rounds, ROUND), strict=True):
        if not (visited == BASELINE).sum() == (visited == CANDIDATE).sum() > 0:
            return None
        differences.append(level[visited == CANDIDATE].mean() - level[visited == BASELINE].mean())
    control = levels[roles == CONTROL]
    if len(control) < 2:
        return None
    return float(np.median(differences)), float(np.median(np.abs(np.diff(control))))


def effects(blocks: Sequence[Block]) -> tuple[list[float], list[float]]:
    """`effect` of every whole block: (effects, control movements)."""
    whole = [found for block in blocks if (found := effect(block))]
    return [d for d, _ in whole], [moved for _, moved in whole]


def median_ms(blocks: Sequence[Block], role: str) -> float | None:
    """Milliseconds of the median frame of the baseline, candidate or control over all blocks; None without one."""
    ns = [
        t
        for block in blocks
        for visited, times in zip(block.order, block.ns, strict=False)
        if visited == role
        for t in times
    ]
    return float(np.median(ns)) / 1e6 if ns else None
