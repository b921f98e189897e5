"""The estimator of a paired ratio, with numbers computed by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from devices.ratio import Ratio, bootstrap_tail, median_interval, ratio


def test_the_ratio_of_six_rounds_has_the_whole_range_as_its_interval() -> None:
    """The chance that all six lie on one side of the median is 2^-6 = 0.016, and 0.025 is allowed."""
    found = ratio([math.log(times) for times in (1.9, 2.0, 2.0, 2.0, 2.0, 2.2)])
    assert found is not None
    assert (found.times, found.low, found.high) == pytest.approx((2.0, 1.9, 2.2))
    assert found.spread == pytest.approx(0.1)


def test_of_ten_rounds_the_second_on_either_side_is_the_end() -> None:
    """Binomial(10, 0.1) is 5 or more with 0.0016, Binomial(10, 0.2) with 0.033."""
    low, median, high = median_interval(np.arange(9.0, -1, -1), 0.025)
    assert (low, median, high) == (1.0, 4.5, 8.0)


@pytest.mark.parametrize("rounds", range(6))
def test_fewer_than_six_rounds_have_no_ratio(rounds: int) -> None:
    assert ratio([0.5] * rounds) is None


def test_a_quotient_takes_the_distances_in_quadrature() -> None:
    """In logs: 0.03 and 0.04 make 0.05."""
    two, one = (Ratio(t, t * math.exp(-w), t * math.exp(w)) for t, w in ((3.0, 0.03), (1.5, 0.04)))
    found = two.over(one)
    assert (found.times, found.low, found.high) == pytest.approx((2.0, 2 * math.exp(-0.05), 2 * math.exp(0.05)))


def test_tails_are_those_of_the_binomial_distribution() -> None:
    """Of 5 effects 2 lie beyond: at least 3 of 5 draws hit them with 10*0.4^3*0.6^2 + 5*0.4^4*0.6 + 0.4^5 = 0.31744."""
    assert bootstrap_tail(2, 5) == pytest.approx(0.31744)
    assert bootstrap_tail(0, 6) == pytest.approx(2**-6)
    assert bootstrap_tail(6, 6) == 1.0
    assert bootstrap_tail(0, 0) == 1.0
