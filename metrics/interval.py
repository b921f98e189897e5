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
    for i in range(draws):
        drawn = generator.integers(sums.size, size=sums.size)
        means[i] = sums[drawn].sum() / counts[drawn].sum()
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(data.mean()), float(low), float(high)
