import numpy as np
import pytest

from evaluation.boundary import boundary_f, contour, tolerance


def square(left: int, right: int, size: int = 100) -> np.ndarray:
    region = np.zeros((size, size), np.uint8)
    region[20:80, left:right] = 1
    return region


def as_mask(region: np.ndarray) -> np.ndarray:
    return region.astype(np.float32)


def test_the_tolerance_is_a_share_of_the_diagonal_rounded_up():
    assert tolerance((100, 100)) == 2
    assert tolerance((480, 854)) == 8


def test_a_contour_is_inside_its_region_and_not_along_the_picture():
    region = np.zeros((5, 6), bool)
    region[1:5, 1:5] = True
    expected = np.zeros_like(region)
    expected[1, 1:5] = expected[1:, 1] = expected[1:, 4] = True
    assert np.array_equal(contour(region), expected)
    assert not contour(np.ones((4, 4), bool)).any()


def test_a_shift_within_the_tolerance_is_forgiven():
    truth = square(20, 50)
    assert boundary_f(as_mask(truth), truth) == boundary_f(as_mask(square(22, 52)), truth) == 1
    # 4 to the right: of 176 contour pixels, the 28 of either level side that are within 2 pixels of the truth's, and
    # the 2 at either end of the left side.
    assert boundary_f(as_mask(square(24, 54)), truth) == pytest.approx(60 / 176)


def test_the_exact_value_of_a_square_with_a_second_one():
    # All of the label's contour is found; half of the mask's contour is far from it: P = 1/2, R = 1.
    truth = np.zeros((200, 200), np.uint8)
    truth[20:60, 20:60] = 1
    found = truth.copy()
    found[120:160, 120:160] = 1
    assert boundary_f(as_mask(found), truth) == pytest.approx(2 / 3)


def test_distances_are_euclidean():
    truth, found = np.zeros((100, 100), np.uint8), np.zeros((100, 100), np.float32)
    truth[50, 50] = found[52, 52] = 1  # 2.83 pixels apart, tolerance 2
    assert boundary_f(found, truth) == 0
    found[:] = 0
    found[51, 51] = 1
    assert boundary_f(found, truth) == 1


def test_where_neither_has_a_contour_they_must_agree():
    empty, full = np.zeros((9, 9), np.uint8), np.ones((9, 9), np.uint8)
    assert boundary_f(as_mask(empty), empty) == boundary_f(as_mask(full), full) == 1
    assert boundary_f(as_mask(full), empty) == boundary_f(as_mask(empty), full) == 0
    assert boundary_f(as_mask(square(20, 50)), np.zeros((100, 100), np.uint8)) == 0


def test_a_thin_unjudged_band_is_split_in_its_middle():
    truth = square(20, 50)
    truth[20:80, 48:52] = 255
    assert boundary_f(as_mask(square(20, 50)), truth) == 1
    assert boundary_f(as_mask(square(20, 60)), truth) < 0.9


def test_a_large_unjudged_area_forgives_either_of_its_rims():
    truth = square(20, 50)
    truth[30:70, 50:80] = 255
    without, within = as_mask(square(20, 50)), as_mask(square(20, 50))
    within[30:70, 50:80] = 1
    assert boundary_f(without, truth) == boundary_f(within, truth) == 1
    assert boundary_f(as_mask(square(10, 50)), truth) < 0.9


def test_nothing_judged_is_no_error():
    assert boundary_f(as_mask(square(20, 50)), np.full((100, 100), 255, np.uint8)) == 1
