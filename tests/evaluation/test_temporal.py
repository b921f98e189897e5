import numpy as np
import pytest

from evaluation.temporal import dtssd, dtssd_step, dtssd_still, flicker, frames_to_recover


def moving(*lefts: int) -> list[np.ndarray]:
    frames = []
    for left in lefts:
        frame = np.zeros((10, 10), np.uint8)
        frame[:, left : left + 4] = 1
        frames.append(frame)
    return frames


def soft(labels: list[np.ndarray], error: float = 0.0) -> list[np.ndarray]:
    return [np.abs(label.astype(np.float32) - np.float32(error)) for label in labels]


def test_masks_that_move_as_the_truth_does_are_steady_even_when_wrong():
    labels = moving(0, 1, 2)
    assert dtssd(soft(labels), labels) == 0
    shifted = [np.roll(label, 3, axis=0) for label in labels]
    assert dtssd(soft(shifted), labels) == 0


def test_a_picture_that_flips_against_a_still_truth_is_100():
    labels = [np.zeros((4, 4), np.uint8)] * 3
    flipping = [np.full((4, 4), value, np.float32) for value in (0, 1, 0)]
    assert dtssd(flipping, labels) == 100


def test_known_value_of_a_lagging_mask():
    labels = moving(0, 1, 1)
    late = [soft(labels)[0], soft(labels)[0], soft(labels)[1]]
    # Both steps are wrong in 2 of 10 columns by 1: 100 * sqrt(0.2).
    assert dtssd(late, labels) == pytest.approx(100 * np.sqrt(0.2))


def test_pixels_unjudged_in_either_frame_are_left_out():
    labels = [np.zeros((2, 2), np.uint8), np.array([[255, 0], [0, 0]], np.uint8), np.zeros((2, 2), np.uint8)]
    masks = [np.zeros((2, 2), np.float32), np.array([[1, 0], [0, 0]], np.float32), np.zeros((2, 2), np.float32)]
    assert dtssd(masks, labels) == 0
    assert dtssd(masks, [np.zeros((2, 2), np.uint8)] * 3) == 50


def test_what_flickers_in_peace_is_told_from_what_lags_behind_a_movement():
    before, now = moving(0, 1)
    late = soft([before])[0]
    assert dtssd_step(late, before, late, now) == pytest.approx(100 * np.sqrt(0.2))
    assert dtssd_still(late, before, late, now) == 0
    flickering = late.copy()
    flickering[:, 9] = 1  # of ten columns, far from the two that move, a neighbour on each side of them
    assert dtssd_still(late, before, flickering, now) == pytest.approx(100 * np.sqrt(0.1))
    assert dtssd_step(late, before, flickering, now) == pytest.approx(100 * np.sqrt(0.3))


def test_one_frame_has_no_time():
    with pytest.raises(ValueError, match="two frames"):
        dtssd(soft(moving(0)), moving(0))
    with pytest.raises(ValueError, match="two frames"):
        flicker(np.zeros((1, 2, 2), np.float32))


def test_flicker_is_the_share_of_pixels_that_change_sides():
    still = np.full((3, 2, 2), 0.7, np.float32)
    assert flicker(still) == 0
    still[1, 0, 0] = 0.4  # out and back: 2 changes of 8
    assert flicker(still) == 25


def test_frames_to_recover():
    ious = [0.9, 0.9, 0.1, 0.6, 0.9, 0.3, 0.9, 0.9, 0.9]
    assert frames_to_recover(ious, event=2, level=0.8) == 4
    assert frames_to_recover(ious, event=2, level=0.8, hold=1) == 2
    assert frames_to_recover(ious, event=0, level=0.8, hold=2) == 0
    assert frames_to_recover(ious, event=2, level=0.95) is None
    assert frames_to_recover([0.2, 0.9], event=0, level=0.8) == 1
