"""Bootstrap confidence intervals of a mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def bootstrap(
    values: Sequence[float] | NDArray[np.floating],
    seed: int = 0,
    level: float = 0.95,
    draws: int = 2000,
    blocks: Sequence[int] | None = None,
) -> tuple[float, float, float]:
    """(mean, low, high): the percentile bootstrap of the mean of `values`.

    `blocks` names the block of each value. Values of one block are drawn together, for those that are not independent,
    such as neighbouring frames of a clip; without it every value stands for itself. A single block has no spread to
    draw from: its interval is its mean. ValueError when there are no values.
    """
    data = np.asarray(values, dtype=np.float64)
    if not data.size:
        raise ValueError("there is no interval of no values")
    _, block = np.unique(np.arange(data.size) if blocks is None else np.asarray(blocks), return_inverse=True)
    sums, counts = np.bincount(block, weights=data), np.bincount(block)
    generator = np.random.default_rng(seed)
    means = np.empty(draws)
    at_once = max(1, 1_000_000 // sums.size)
    for start in range(0, draws, at_once):
        some = slice(start, min(start + at_once, draws))
        drawn = generator.integers(sums.size, size=(some.stop - some.start, sums.size))
        means[some] = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(data.mean()), float(low), float(high)
