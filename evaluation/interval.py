"""Bootstrap confidence intervals of a mean, and draws for those of ratios of sums."""

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


def drawn_ratios(
    above: NDArray[np.integer], below: NDArray[np.integer], blocks: Sequence[int], seed: int = 0, draws: int = 2000
) -> NDArray[np.float64]:
    """(draws, K): of K columns the ratio of the sums of `above` and `below`, both (N, K), over drawn blocks of rows.

    One draw takes the same blocks for all columns, so that means over columns have draws too. NaN where the sum of
    `below` is 0. `blocks` as of `bootstrap`.
    """
    _, block = np.unique(np.asarray(blocks), return_inverse=True)
    sums = np.zeros((block.max() + 1, 2 * above.shape[1]), np.float64)
    np.add.at(sums, block, np.concatenate([above, below], axis=1))
    generator = np.random.default_rng(seed)
    found = np.empty((draws, above.shape[1]))
    at_once = max(1, 4_000_000 // len(sums))
    for start in range(0, draws, at_once):
        times = generator.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), min(at_once, draws - start))
        over, under = np.split(times @ sums, 2, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found[start : start + len(times)] = over / under
    return found
