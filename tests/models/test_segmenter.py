"""The state: what is fed back, and when it is forgotten."""

from itertools import pairwise

import numpy as np
import pytest

from evaluation.sample import CLIPS, render
from models.segmenter import Segmenter, glance, is_cut


def counting(frame, prev):
    return np.minimum(prev + np.float32(0.25), 1)


def first(segmenter: Segmenter, picture: np.ndarray) -> float:
    return float(segmenter.segment(picture)[0, 0])


def test_a_picture_of_another_size_begins_anew():
    segmenter = Segmenter(counting, (32, 64))
    wide, high = np.zeros((36, 64, 3), np.uint8), np.zeros((64, 36, 3), np.uint8)
    assert [first(segmenter, picture) for picture in (wide, wide, high, high, wide)] == [0.25, 0.5, 0.25, 0.5, 0.25]


def test_no_mask_is_fed_back_where_that_is_switched_off():
    segmenter = Segmenter(counting, (32, 64), feedback=False)
    assert [first(segmenter, np.zeros((36, 64, 3), np.uint8)) for _ in range(3)] == [0.25] * 3


def test_the_mask_leans_on_the_one_before_fed_back_or_not_and_the_first_on_none():
    unsure = iter(np.full((1, 32, 64, 1), value, np.float32) for value in (0.6, 0.4, 0.6, 0.4))
    for feedback in (True, False):
        segmenter = Segmenter(lambda frame, prev: next(unsure), (32, 64), smoothing=0.5, feedback=feedback)
        assert first(segmenter, np.zeros((32, 64, 3), np.uint8)) == pytest.approx(0.6)
        # 0.4 + 0.2 x 0.5 x 0.971^2, the entropy of 0.4 being 0.971 bits.
        assert first(segmenter, np.zeros((32, 64, 3), np.uint8)) == pytest.approx(0.494, abs=0.001)


def pictures(name: str) -> list[np.ndarray]:
    return [render(shot, t)[0] for shot in CLIPS[name] for t in range(shot.length)]


def test_the_mask_is_not_carried_over_a_cut():
    run = pictures("cut")
    segmenter = Segmenter(counting, (64, 64), watch_cuts=True)
    seen = [first(segmenter, picture) for picture in run]
    first_shot = CLIPS["cut"][0].length
    assert [i for i, value in enumerate(seen) if value == 0.25] == [0, first_shot]
    careless = Segmenter(counting, (64, 64))
    assert [first(careless, picture) for picture in run][first_shot] > 0.25


@pytest.mark.parametrize("name", ["talk", "walk", "entry"])
def test_motion_and_a_person_who_comes_in_are_no_cuts(name):
    glances = [glance(picture) for picture in pictures(name)]
    assert not any(is_cut(a, b) for a, b in pairwise(glances))


def test_a_lamp_that_is_dimmed_and_a_covered_lens_are_no_cuts():
    (picture, *_) = pictures("talk")
    levels = [glance((picture * gain).astype(np.uint8)) for gain in np.linspace(1, 0.4, 12)]
    assert not any(is_cut(a, b) for a, b in pairwise(levels))
    noise = [glance(np.random.default_rng(i).integers(0, 12, (64, 64, 3)).astype(np.uint8)) for i in range(5)]
    assert not any(is_cut(a, b) for a, b in pairwise(noise))


def test_scenes_of_like_brightness_are_told_apart_by_what_is_where():
    left = np.full((64, 64, 3), 100, np.uint8)
    left[:, :32] = 125
    assert is_cut(glance(left), glance(left[:, ::-1]))
    assert not is_cut(glance(left), glance(left + 20))


def labelling(frame, prev):
    """Background loses a quarter to hair and a quarter to clothes of what the previous mask says."""
    given = np.zeros((*prev.shape[:3], 9), np.float32)
    mask = np.minimum(prev[..., 0] + np.float32(0.25), 1)
    given[..., 0], given[..., 1], given[..., 7] = 1 - mask, mask / 4, mask * 3 / 4
    return given


def test_of_labels_the_person_is_the_mask_and_what_is_fed_back():
    segmenter = Segmenter(labelling, (32, 64))
    picture = np.zeros((36, 72, 3), np.uint8)
    assert [first(segmenter, picture) for _ in range(3)] == [0.25, 0.5, 0.75]
    assert segmenter.previous.shape == (1, 32, 64, 1)
    given = segmenter.segment_labels(picture)
    assert given.shape == (36, 72, 9)
    assert given.dtype == np.float32
    assert given[0, 0].tolist() == [0, 0.25, 0, 0, 0, 0, 0, 0.75, 0]


def test_labels_of_a_letterbox_are_without_its_bars():
    def step(frame, prev):
        given = np.zeros((1, 32, 64, 9), np.float32)
        given[..., 0], given[:, :, 16:48] = 1, np.eye(9, dtype=np.float32)[1]
        return given

    given = Segmenter(step, (32, 64), resize_mode="letterbox").segment_labels(np.zeros((50, 50, 3), np.uint8))
    assert given.shape == (50, 50, 9)
    assert (given[..., 1] == 1).all()


def test_a_network_with_a_mask_alone_gives_no_labels():
    with pytest.raises(ValueError, match="gives a mask and no labels"):
        Segmenter(counting, (32, 64)).segment_labels(np.zeros((36, 64, 3), np.uint8))
