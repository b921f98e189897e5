"""The background out of focus, without a halo: the person is left out of the mean, not smeared into it."""

from __future__ import annotations

import cv2
import numpy as np

from video.band import Bytes, Floats, enlarged, small_copy, thrice, unweighed, weighed
from video.guided import resize

SIGMA = 0.03
"""Of the Gaussian, as a share of the picture's shorter side."""
ENOUGH = 0.1
"""The share of a window that must be background for its mean to be taken at its word."""
COARSER = 3
"""Where too little is seen, the mean of windows so many times wider is taken, on a copy so many times smaller."""


def blurred(picture: Bytes, alpha: Bytes, sigma: float = SIGMA) -> Bytes:
    """(H, W, 3): at each pixel the Gaussian mean of `picture` (H, W, 3) over what `alpha` (H, W) does not cover.

    A smaller copy of the picture will do. `sigma` is a share of the shorter side. Where the person hides everything for
    far around, the colours are those of the nearest background.
    """
    colours, cover = small_copy(picture), small_copy(alpha)
    # Nothing finer than a Gaussian of three pixels is left to see.
    scale = min(1.0, 3 / (sigma * min(cover.shape)))
    size = tuple(max(1, round(side * scale)) for side in cover.shape)
    # A pixel that is a quarter person already shows too much of it to count as background.
    weight = np.clip(1 - 4 * resize(cover, size), 0, 1)
    return enlarged(mean(resize(colours, size), weight, sigma * min(size)), alpha.shape)


def mean(colours: Floats, weight: Floats, sigma: float) -> Floats:
    """(h, w, 3): the Gaussian mean of `colours` by `weight` (h, w); where it sees too little, that of wider windows."""
    # As far as three sigmas: beyond lie 0.3 % of the weight, and a fourth of the work.
    side = 2 * round(3 * sigma) + 1
    sums = np.asarray(cv2.GaussianBlur(weighed(colours, weight), (side, side), sigma), np.float32)
    found, seen = unweighed(sums)
    share = thrice(np.minimum(seen / np.float32(ENOUGH), 1))
    size = weight.shape
    if share.min() > 0.99 or min(size) <= COARSER:
        return found
    fewer = tuple(max(1, round(length / COARSER)) for length in size)
    wider, held = unweighed(resize(weighed(colours, weight), fewer))
    return share * found + (1 - share) * resize(mean(wider, held, sigma), size)
