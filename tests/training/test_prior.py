import numpy as np
import pytest

from training import prior
from training.prior import MIXED, PriorLaw


def disc(size=96, radius=24):
    y, x = np.mgrid[0:size, 0:size] - size / 2
    return np.where(x**2 + y**2 < radius**2, 255, 0).astype(np.uint8)


def overlap(a, b):
    a, b = a > 127, b > 127
    return (a & b).sum() / max(1, (a | b).sum())


def draws(make, count=60):
    return [make(disc(), np.random.default_rng(seed)) for seed in range(count)]


@pytest.mark.parametrize("make", [prior.minor, prior.major, prior.soften])
def test_the_same_generator_makes_the_same_mask(make):
    one, two = (make(disc(), np.random.default_rng(5)) for _ in range(2))
    other = make(disc(), np.random.default_rng(6))
    assert one.dtype == np.uint8
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_minor_move_can_be_followed_and_a_major_one_cannot():
    small = np.mean([overlap(disc(), m) for m in draws(prior.minor)])
    large = np.mean([overlap(disc(), m) for m in draws(prior.major)])
    assert small > 0.85
    assert large < 0.5


def test_softened_masks_are_soft_and_stay_near_the_truth():
    made = draws(prior.soften)
    assert all(((m > 20) & (m < 235)).any() for m in made)
    assert 0.6 < np.median([overlap(disc(), m) for m in made]) < 0.99


def test_the_law_keeps_its_shares():
    rng = np.random.default_rng(0)
    ways = [MIXED.draw(rng) for _ in range(4000)]
    for way in ("minor", "major", "warped", "other"):
        assert ways.count(way) / 4000 == pytest.approx(getattr(MIXED, way), abs=0.025)
    assert {PriorLaw().draw(rng) for _ in range(50)} == {"empty"}
    assert MIXED.scaled(0.5).minor == MIXED.minor / 2
