"""Which of several descriptions is right, by numbers alone."""

from __future__ import annotations

import numpy as np

from converters.inspection.trial import decide


def test_one_picture_among_few_decides_nothing():
    right, bold = [0.90, 0.91, 0.92, 0.60], [0.90, 0.91, 0.92, 0.80]
    assert np.mean(bold) - np.mean(right) > 0.02
    assert decide([right, bold]).rivals == (0,)


def test_what_is_far_better_on_every_picture_has_no_rival():
    found = decide([[0.5, 0.6, 0.4, 0.55], [0.9, 0.92, 0.91, 0.93]])
    assert (found.best, found.rivals) == (1, ())
    assert found.recognised


def test_every_mask_a_little_better_is_a_rival_all_the_same():
    right = np.linspace(0.9, 0.95, 16)
    found = decide([right, right + 0.01])
    assert (found.best, found.rivals) == (1, (0,))


def test_the_first_of_those_that_give_the_same_is_taken_unless_the_mean_differs():
    row = np.linspace(0.9, 0.95, 16)
    assert decide([row, row + 0.0005]) == decide([row, row])
    assert decide([row, row + 0.002]).rivals == (0,)
