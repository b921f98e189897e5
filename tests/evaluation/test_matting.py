import numpy as np
import pytest

from evaluation.matting import gradient_error, sad


def disc(radius: float, softness: float = 1.0, size: int = 64) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.clip((radius - np.hypot(y, x)) / softness + 0.5, 0, 1).astype(np.float32)


def test_sad_is_the_area_between_in_thousands():
    assert sad(disc(20), disc(20)) == 0
    assert sad(disc(20), disc(16)) == pytest.approx(np.pi * (400 - 256) / 1000, rel=0.02)


def test_a_blurred_edge_has_the_wrong_gradient_and_a_shifted_one_too():
    true = disc(20)
    assert gradient_error(true, true) == 0
    assert gradient_error(disc(20, 4), true) < gradient_error(disc(20, 10), true)
    assert gradient_error(np.roll(true, 3, 1), true) > gradient_error(disc(20, 4), true)


def test_a_level_that_is_wrong_everywhere_has_no_gradient_error_and_much_sad():
    true = disc(20)
    assert gradient_error(true * 0.5 + 0.25, true * 0.5) == pytest.approx(0, abs=1e-9)
    assert sad(true * 0.5 + 0.25, true * 0.5) == pytest.approx(64 * 64 * 0.25 / 1000)


def test_the_gradient_is_that_of_the_benchmark():
    """A step of one: its steepness is the derivative's sum over its norm; computed by hand for sigma 1.4."""
    step = np.zeros((1 + 2 * 30, 61), np.float32)
    step[:, 30:] = 1
    at = np.arange(-4, 5)
    bell = np.exp(-(at**2) / (2 * 1.4**2)) / (1.4 * np.sqrt(2 * np.pi))
    slope = bell * at / 1.4**2
    at_step = [abs(slope[4 - k :].sum() if k >= 0 else slope[: 4 - k].sum()) for k in range(1)]
    kernel = np.sqrt((bell**2).sum() * (slope**2).sum())
    peak = bell.sum() * at_step[0] / kernel
    flat = np.zeros_like(step)
    total = gradient_error(step, flat) * 1000
    assert total > 61 * peak**2


def test_sizes_must_fit():
    with pytest.raises(ValueError, match="cannot be compared"):
        sad(np.zeros((2, 2)), np.zeros((2, 3)))
