import numpy as np
import pytest

from evaluation.iou import iou


def label(*rows: str) -> np.ndarray:
    return np.array([[{".": 0, "#": 1, "?": 255}[c] for c in row] for row in rows], np.uint8)


def test_is_the_shared_part_of_what_either_covers():
    truth = label("##..", "##..")
    mask = np.array([[0.9, 0.2, 0.6, 0], [1, 0.5, 0, 0.49]], np.float32)
    assert iou(mask, truth) == 3 / 5


def test_empty_on_empty_is_right_and_anything_on_empty_is_wrong():
    assert iou(np.zeros((2, 2), np.float32), label("..", "..")) == 1
    assert iou(np.eye(2, dtype=np.float32), label("..", "..")) == 0


def test_a_hole_in_the_label_counts_on_neither_side():
    truth = label("##??", "..??")
    inside = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], np.float32)
    spilled = np.array([[1, 1, 1, 1], [0, 0, 1, 1]], np.float32)
    assert iou(inside, truth) == iou(spilled, truth) == 1


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"\(2, 3\) cannot be compared with a label of \(3, 2\)"):
        iou(np.zeros((2, 3), np.float32), np.zeros((3, 2), np.uint8))
