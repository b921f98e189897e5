"""Statistics of frame times. Pure functions; times enter in nanoseconds and leave in milliseconds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.interval import bootstrap
from evaluation.score import BLOCK

FRAME_MS = 33.3
"""What a camera of 30 frames a second leaves for one frame."""

FEWEST = 20
"""With fewer samples than this no interval is given: it would not be reliable."""

WORK, HELD, FEWEST_DRAWS = 200_000_000, 2_000_000, 100
"""Values that a bootstrap draws altogether and at once; of very many samples there are fewer draws, but so many."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Latency:
    """One pass of one configuration, in milliseconds.

    `p50_ci` and `fps_ci` cover what one run shows of itself: the noise from frame to frame, neighbouring frames being
    alike. They do NOT cover what changes from run to run (temperature, memory layout, what else the machine did),
    which on shared machines and phones is larger. Only several runs show that.
    """

    samples: int
    p50: float
    p90: float
    p99: float
    p50_ci: Interval | None
    within: float
    """Share of the frames that took at most FRAME_MS, 0 to 1."""

    @property
    def fps(self) -> float:
        """Frames a second at the median frame. Never a mean of rates: one stalled frame would weigh nothing in it."""
        return 1000 / self.p50

    @property
    def fps_ci(self) -> Interval | None:
        return (1000 / self.p50_ci[1], 1000 / self.p50_ci[0]) if self.p50_ci else None


def latency(ns: Sequence[int]) -> Latency | None:
    """Statistics of raw frame times; None when nothing was timed. ValueError for a time that no clock gives."""
    if not len(ns):
        return None
    ms = np.asarray(ns, dtype=np.float64) / 1e6
    if ms.min() <= 0:
        raise ValueError("a frame took no time or less: the samples are not those of a monotonic clock")
    p50, p90, p99 = (float(p) for p in np.percentile(ms, (50, 90, 99)))
    return Latency(len(ms), p50, p90, p99, median_ci(ms), within=float((ms <= FRAME_MS).mean()))


def round_effect(own: Sequence[int], reference: Sequence[int]) -> float:
    """log(reference's time / own time) of a round, as devices.ratio takes it: two unbroken series of each, in order."""

    def level(ns: Sequence[int]) -> float:
        halves = ns[: len(ns) // 2], ns[len(ns) // 2 :]
        return float(np.mean([np.log(np.median(half)) for half in halves]))

    return level(reference) - level(own)


def median_ci(values: NDArray[np.float64], level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval | None:
    """Interval of the median of one run by a circular block bootstrap; None below FEWEST values.

    Blocks of neighbouring frames are drawn instead of single frames, because neighbours share a clock frequency and a
    cache; single draws would claim far more certainty than one run holds.
    """
    count = len(values)
    if count < FEWEST:
        return None
    length = block_length(values)
    random = np.random.default_rng(seed)
    draws = min(draws, max(FEWEST_DRAWS, WORK // count))
    starts = random.integers(0, count, size=(draws, -(-count // length)))
    medians = np.empty(draws)
    # As many draws at once as memory is to hold.
    step = max(1, HELD // count)
    for first in range(0, draws, step):
        some = starts[first : first + step]
        picked = (some[..., None] + np.arange(length)).reshape(len(some), -1)[:, :count] % count
        medians[first : first + step] = np.median(values[picked], axis=1)
    low, high = np.quantile(medians, ((1 - level) / 2, (1 + level) / 2))
    return float(low), float(high)


def block_length(values: NDArray[np.float64]) -> int:
    """Length of a bootstrap block, from how long the values remember: Politis and White 2004, corrected 2009.

    Applied to the signs of the deviations from the median, since a median feels nothing else of a value.
    """
    count = len(values)
    signs = np.sign(values - np.median(values))
    signs = signs - signs.mean()
    variance = float(signs @ signs) / count
    if variance == 0:
        return 1
    window = max(5, int(np.sqrt(np.log10(count))) + 1)
    lags = min(count - 1, int(np.ceil(np.sqrt(count))) + window)
    covariance = np.array([float(signs[lag:] @ signs[: count - lag]) / count for lag in range(lags + 1)])
    small = np.abs(covariance[1:] / variance) < 2 * np.sqrt(np.log10(count) / count)
    quiet = (lag for lag in range(len(small) - window + 1) if small[lag : lag + window].all())
    reach = min(2 * max(next(quiet, lags), 1), lags)
    lag = np.arange(1, reach + 1)
    weight = np.clip(2 * (1 - lag / reach), 0, 1)
    memory = 2 * float(weight @ (lag * covariance[1 : reach + 1]))
    spectrum = variance + 2 * float(weight @ covariance[1 : reach + 1])
    if memory <= 0 or spectrum <= 0:
        return 1
    length = (2 * memory**2 / (4 / 3 * spectrum**2)) ** (1 / 3) * count ** (1 / 3)
    return int(np.clip(np.ceil(length), 1, np.ceil(min(3 * np.sqrt(count), count / 3))))


def paired(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[float, Interval] | None:
    """(mean of after - before, 95 % interval) over the pictures that both have; None when they share fewer than two."""
    shared = [name for name in before if name in after]
    return mean_ci({name: after[name] - before[name] for name in shared}) if len(shared) > 1 else None


def mean_ci(values: Mapping[str, float]) -> tuple[float, Interval]:
    """(mean, 95 % interval) of one value a picture, by the blocks with which `evaluation.score` makes its intervals.

    Neighbouring frames of a clip are nearly one sample and are drawn together. A picture's clip is its name up to the
    last slash; a name without one stands for itself.
    """
    seen: Counter[str] = Counter()
    blocks = []
    for name in values:
        clip = name.rpartition("/")[0] or name
        blocks.append((clip, seen[clip] // BLOCK))
        seen[clip] += 1
    numbers = {block: number for number, block in enumerate(dict.fromkeys(blocks))}
    mean, low, high = bootstrap(list(values.values()), blocks=[numbers[block] for block in blocks])
    return mean, (low, high)
