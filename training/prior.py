"""The previous mask, simulated from a photo's truth: the article's three ways and what recurrence adds.

Convention: masks are (S, S) uint8, soft, 0..255; every function is pure given its generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from training.geometry import about, affine_grid, sample

Mask = NDArray[np.uint8]


@dataclass(frozen=True)
class PriorLaw:
    """Shares of the ways a previous mask is made; the rest of the probability is `empty`.

    minor, major: the truth under a small or large affine transform (article, "transformed ground truth").
    warped: the picture and its truth are moved by a thin plate spline and the unmoved truth is the previous mask
    (article, "transformed image").
    other: the mask of another picture, after a cut.
    """

    minor: float = 0.0
    major: float = 0.0
    warped: float = 0.0
    other: float = 0.0

    def scaled(self, share: float) -> PriorLaw:
        """The same mixture with the non-empty part multiplied by `share`."""
        return PriorLaw(self.minor * share, self.major * share, self.warped * share, self.other * share)

    def draw(self, rng: Generator) -> str:
        at = rng.random()
        for way, share in vars(self).items():
            if at < share:
                return way
            at -= share
        return "empty"


EMPTY_ONLY = PriorLaw()
MIXED = PriorLaw(minor=0.25, major=0.1, warped=0.15, other=0.05)


def empty(size: int) -> Mask:
    return np.zeros((size, size), np.uint8)


def moved(truth: Mask, rng: Generator, shift: float, scale: float, degrees: float) -> Mask:
    """The truth under a random affine of these standard deviations (share of the side, log scale, degrees)."""
    size = truth.shape[0]
    centre = (size / 2, size / 2)
    to = tuple(size / 2 + rng.normal(0, shift * size, 2))
    grow = float(np.exp(rng.normal(0, scale)))
    matrix = about((to[0], to[1]), centre, grow, grow, float(rng.normal(0, degrees)))
    return sample(truth, affine_grid(matrix, size), outside=0)


def minor(truth: Mask, rng: Generator) -> Mask:
    """Follow it: some pixels of shift, a few per cent of scale."""
    return moved(truth, rng, shift=0.02, scale=0.03, degrees=2)


def major(truth: Mask, rng: Generator) -> Mask:
    """Distrust it: a quarter of the side, half the size."""
    return moved(truth, rng, shift=0.2, scale=0.35, degrees=20)


def soften(mask: Mask, rng: Generator) -> Mask:
    """What a network's own output looks like: blurred, grown or shrunk, unsure in places, at times with a part gone."""
    import cv2

    size = mask.shape[0]
    if rng.random() < 0.5:
        radius = int(rng.integers(1, max(2, size // 40) + 1))
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
        mask = (cv2.dilate if rng.random() < 0.5 else cv2.erode)(mask, kernel)  # type: ignore[assignment]
    if rng.random() < 0.25:
        mask = mask.copy()
        side = rng.integers(size // 8, size // 2, 2)
        x, y = rng.integers(0, size - side[0]), rng.integers(0, size - side[1])
        mask[y : y + side[1], x : x + side[0]] = 0 if rng.random() < 0.7 else 255
    sigma = float(rng.uniform(0.3, size / 50))
    mask = cv2.GaussianBlur(mask, (0, 0), sigma)  # type: ignore[assignment]
    if rng.random() < 0.3:
        doubt = cv2.resize(rng.random((6, 6), np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
        mask = np.clip(mask * np.clip(0.4 + doubt, 0, 1), 0, 255).astype(np.uint8)
    return mask
