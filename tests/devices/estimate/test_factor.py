"""From published times and counts to an estimate, on fixed numbers."""

from __future__ import annotations

import math

import pytest

from devices.estimate.factor import COVERED, estimate, leave_one_out, mean, rates, spread


def test_a_rate_is_milliseconds_a_million_instructions() -> None:
    assert rates({"a": 86.0, "b": 14.0}, {"a": 200_000_000, "b": 28_000_000}) == pytest.approx({"a": 0.43, "b": 0.5})


def test_the_mean_of_half_and_twice_is_one() -> None:
    assert mean([0.5, 2.0]) == pytest.approx(1.0)


def test_equal_rates_predict_each_other() -> None:
    assert leave_one_out({"a": 0.4, "b": 0.4, "c": 0.4}) == pytest.approx({"a": 0, "b": 0, "c": 0})


def test_a_network_is_missed_by_what_the_others_say() -> None:
    assert leave_one_out({"a": 1.0, "b": 1.0, "c": 2.0}) == pytest.approx(
        {"a": math.sqrt(2) - 1, "b": math.sqrt(2) - 1, "c": -0.5}
    )


def test_the_spread_is_pooled_within_groups() -> None:
    # Groups of different means: only what lies within them counts.
    step = math.exp(0.1)
    assert spread([[1.0, step], [7.0, 7.0 * step]]) == pytest.approx(0.1 / math.sqrt(2))
    assert spread([[1.0, 1.0, 1.0]]) == 0


def test_an_estimate_is_the_rate_times_the_count() -> None:
    found = estimate(30_000_000, [0.4, 0.4], pooled=0.1)
    assert found.milliseconds == pytest.approx(12.0)
    wide = math.exp(COVERED * 0.1 * math.sqrt(1.5))
    assert (found.low, found.high) == (pytest.approx(12 / wide), pytest.approx(12 * wide))


def test_rates_that_differ_more_than_elsewhere_widen_it() -> None:
    assert estimate(10**6, [0.2, 0.8], pooled=0.1).high > estimate(10**6, [0.4, 0.4], pooled=0.1).high


def test_a_runtime_that_became_faster_lowers_the_low_end_alone() -> None:
    then, since = (estimate(10**6, [0.4, 0.5], 0.1, gain) for gain in (1.0, 1.5))
    assert since.low == pytest.approx(then.low / 1.5)
    assert (since.milliseconds, since.high) == (then.milliseconds, then.high)
