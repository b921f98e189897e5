import numpy as np
import pytest

from evaluation.interval import bootstrap, drawn_ratios


def test_the_interval_holds_the_mean_and_is_the_same_for_one_seed():
    values = np.random.default_rng(1).normal(0.9, 0.05, 60)
    mean, low, high = bootstrap(values, seed=3)
    assert mean == pytest.approx(values.mean())
    assert low < mean < high
    assert bootstrap(values, seed=3) == (mean, low, high)
    assert bootstrap(values, seed=4) != (mean, low, high)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    generator = np.random.default_rng(0)
    hits = 0
    for seed in range(300):
        _, low, high = bootstrap(generator.normal(5, 1, 40), seed=seed, draws=200)
        hits += low <= 5 <= high
    assert 0.90 <= hits / 300 <= 0.98


def test_its_width_is_that_of_the_standard_error():
    values = np.random.default_rng(2).normal(0, 1, 400)
    _, low, high = bootstrap(values)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_frames_that_repeat_each_other_make_no_interval_narrower():
    values = np.random.default_rng(3).normal(0, 1, 30)
    _, low, high = bootstrap(values, draws=4000)
    repeated, blocks = np.repeat(values, 10), np.repeat(np.arange(30), 10)
    _, low_blocks, high_blocks = bootstrap(repeated, draws=4000, blocks=blocks.tolist())
    _, low_naive, high_naive = bootstrap(repeated, draws=4000)
    assert high_blocks - low_blocks == pytest.approx(high - low, rel=0.1)
    assert high_naive - low_naive < 0.5 * (high_blocks - low_blocks)


def test_blocks_of_unequal_size_keep_the_mean_of_all_values():
    mean, low, high = bootstrap([0, 0, 0, 1], blocks=[0, 0, 0, 1])
    assert mean == 0.25
    assert (low, high) == (0, 1)


def test_a_block_counts_for_as_many_values_as_it_holds():
    one_long_clip_and_many_stills = [0.0] * 30 + [1.0] * 30
    mean, low, high = bootstrap(one_long_clip_and_many_stills, blocks=[0] * 30 + list(range(1, 31)))
    assert low < mean == 0.5 < high


def test_no_values_have_no_interval_and_one_is_its_own():
    assert bootstrap([0.5]) == (0.5, 0.5, 0.5)
    with pytest.raises(ValueError, match="no values"):
        bootstrap([])


def test_draws_of_ratios_take_whole_blocks_and_the_same_for_every_column():
    above, below = np.array([[1, 2], [1, 2], [0, 0]]), np.array([[1, 4], [1, 4], [1, 4]])
    draws = drawn_ratios(above, below, [0, 0, 1], draws=200)
    assert draws.shape == (200, 2)
    assert set(np.round(draws[:, 0], 6)) == {0, round(2 / 3, 6), 1}
    assert draws[:, 1] == pytest.approx(draws[:, 0] / 2)
    assert np.isnan(drawn_ratios(np.array([[0], [1]]), np.array([[0], [1]]), [0, 1], draws=50)).any()
