"""The background out of focus, without a halo: the person is left out of the mean, not smeared into it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from effects.guided import resize

Floats = NDArray[np.float32]

SIGMA = 0.03
"""Of the Gaussian, as a share of the picture's shorter side."""
SMALL = 180
"""Shorter side, in pixels, at which it is blurred: there is nothing finer left to see."""


def blurred(picture: Floats, alpha: Floats, sigma: float = SIGMA) -> Floats:
    """(H, W, 3): at each pixel the Gaussian mean of `picture` (H, W, 3) over what `alpha` (H, W) does not cover.

    `sigma` is a share of the shorter side. Where the person hides everything for far around, the colours are those of
    the nearest background.
    """
    height, width = alpha.shape
    scale = min(1.0, SMALL / min(height, width), 3 / (sigma * min(height, width)))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # A pixel that is a quarter person already shows too much of it to count as background.
    weight = np.clip(1 - 4 * resize(alpha, size), 0, 1)
    small = resize(picture, size) * weight[..., None]
    colours, shares = np.zeros_like(small), np.zeros_like(weight)
    # Wider and wider, each filling in only what those before could not see.
    spread, trust = sigma * min(size), np.ones_like(weight)
    while True:
        seen = cv2.GaussianBlur(weight, (0, 0), spread)
        share = trust * np.minimum(seen / np.float32(ENOUGH), 1)
        mean = cv2.GaussianBlur(small, (0, 0), spread) / np.maximum(seen, 1e-6)[..., None]
        colours, shares, trust = colours + mean * share[..., None], shares + share, trust - share
        if spread > min(size) or float(trust.max()) < 0.01:
            break
        spread *= 3
    return resize(colours / np.maximum(shares, 1e-6)[..., None], (width, height))


ENOUGH = 0.1
"""The share of a window that must be background for its mean to be taken at its word."""
