from __future__ import annotations

import numpy as np
import pytest

from reports.statistics import FEWEST, block_length, latency, mean_ci, median_ci, paired

MS = 1_000_000


def drifting(count: int, memory: float, seed: int) -> np.ndarray:
    """Frame times around 10 ms, each resembling the one before it."""
    random = np.random.default_rng(seed)
    values = np.zeros(count + 200)
    for i, noise in enumerate(random.normal(size=count + 200)):
        values[i] = memory * values[i - 1] + noise
    return 10 + 0.1 * values[200:]


def test_known_times():
    found = latency([i * MS for i in range(1, 102)])
    assert found is not None
    assert (found.samples, found.p50, found.p90, found.p99) == (101, 51.0, 91.0, 100.0)
    assert found.fps == pytest.approx(1000 / 51)
    assert found.within == pytest.approx(33 / 101)
    assert found.p50_ci is not None
    assert found.fps_ci is not None
    assert found.p50_ci[0] <= 51 <= found.p50_ci[1]
    assert found.fps_ci == (1000 / found.p50_ci[1], 1000 / found.p50_ci[0])


def test_fps_is_of_the_median_and_not_a_mean_of_rates():
    found = latency([10 * MS] * 51 + [1 * MS] * 49)
    assert found is not None
    assert found.fps == pytest.approx(100), "the mean of the rates would be 541"


def test_nothing_timed_is_nothing():
    assert latency([]) is None


def test_a_time_no_clock_gives_is_refused():
    with pytest.raises(ValueError, match="monotonic"):
        latency([MS, 0, MS])


def test_few_samples_have_no_interval():
    assert median_ci(np.arange(FEWEST - 1) + 1.0) is None
    assert median_ci(np.arange(FEWEST) + 1.0) is not None


def test_equal_times_have_an_interval_of_no_width():
    assert median_ci(np.full(50, 7.0)) == (7.0, 7.0)


def test_the_interval_is_the_same_every_time():
    assert median_ci(drifting(128, 0.8, 1)) == median_ci(drifting(128, 0.8, 1))


def test_blocks_grow_with_the_memory_of_the_samples():
    lengths = [np.mean([block_length(drifting(256, memory, seed)) for seed in range(10)]) for memory in (0, 0.5, 0.9)]
    assert lengths[0] < 3
    assert lengths == sorted(lengths)
    assert lengths[2] > 8


def test_the_interval_covers_the_truth_although_neighbours_are_alike():
    """Of 60 runs with memory 0.8, an interval that took the frames for independent would cover the median in 35."""
    runs = [drifting(256, 0.8, seed) for seed in range(60)]
    intervals = [median_ci(run, draws=200) for run in runs]
    covered = sum(low <= 10 <= high for low, high in filter(None, intervals))
    assert covered >= 48


def test_a_paired_difference_is_surer_than_its_sides():
    random = np.random.default_rng(0)
    hard = random.normal(90, 5, 40)
    before = {f"p{i}": v for i, v in enumerate(hard)}
    after = {f"p{i}": v + 1 + d for i, (v, d) in enumerate(zip(hard, random.normal(0, 0.1, 40), strict=True))}
    found = paired(before, after)
    assert found is not None
    mean, (low, high) = found
    assert mean == pytest.approx(1, abs=0.05)
    assert high - low < 0.1


def test_pairs_are_of_shared_pictures_alone():
    assert paired({"a": 1.0, "b": 2.0, "c": 50.0}, {"a": 2.0, "b": 3.0, "d": 99.0}) == (1.0, (1.0, 1.0))
    assert paired({"a": 1.0}, {"a": 2.0}) is None
    assert paired({"a": 1.0}, {"b": 2.0}) is None


def test_frames_of_a_clip_are_drawn_together():
    clips = {f"clip-{c}/{i:02}": float(c) for c in range(6) for i in range(10)}
    stills = {name.replace("/", "-"): value for name, value in clips.items()}
    width = {name: high - low for name, (_, (low, high)) in (("clips", mean_ci(clips)), ("stills", mean_ci(stills)))}
    assert width["clips"] > 2 * width["stills"]
