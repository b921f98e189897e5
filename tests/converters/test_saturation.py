"""The bound on a sum of two products, held against the instruction that it is about."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from converters.saturation import LIMIT, PEAK, largest_sum, saturating


def weights(*values: int) -> NDArray[np.int8]:
    """One output channel of a pointwise convolution."""
    return np.array(values, np.int8).reshape(1, -1, 1, 1)


@pytest.mark.parametrize(
    ("values", "largest"),
    [
        ((64, 64), 255 * 128),
        ((-64, -64, 3), 255 * 128),
        ((127, 127), 255 * 254),
        ((127, -127), 255 * 127),
        ((127,), 255 * 127),
        ((127, 0, 0, 2), 255 * 129),
        ((0, 0), 0),
    ],
)
def test_the_largest_sum_is_of_two_weights_of_one_sign(values: tuple[int, ...], largest: int) -> None:
    assert largest_sum(weights(*values)) == largest


def test_weights_of_different_output_channels_are_never_added() -> None:
    assert largest_sum(np.array([[100], [100]], np.int8)) == 100 * PEAK


def test_those_that_can_saturate_are_named_with_their_sum() -> None:
    layers = {"reduced": weights(64, 64, -64), "full": weights(-127, -127)}
    assert saturating(layers) == {"full": 254 * PEAK}


def test_no_order_of_the_weights_reaches_more_and_one_reaches_it() -> None:
    drawn = np.random.default_rng(0).integers(-127, 128, (4, 6)).astype(np.int8)
    sums = [
        abs(int(PEAK * max(a, 0) + PEAK * max(b, 0))) if sign > 0 else abs(int(PEAK * min(a, 0) + PEAK * min(b, 0)))
        for row in drawn.astype(int)
        for i, a in enumerate(row)
        for b in row[i + 1 :]
        for sign in (1, -1)
    ]
    assert max(sums) == largest_sum(drawn) > LIMIT
