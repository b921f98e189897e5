"""A mask laid over its picture, to look at."""

from __future__ import annotations

import numpy as np

from evaluation.boundary import contour
from evaluation.clip import Label, Picture
from models.segmenter import Floats, enlarge

TINT = (20, 200, 120)
OUTLINE = (255, 60, 160)
UNJUDGED = (128, 128, 128)


def overlay(picture: Picture, mask: Floats, label: Label | None = None, strength: float = 0.55) -> Picture:
    """(H, W, 3) uint8 RGB: the picture tinted green where the mask (h, w) is, the truth's outline in pink over it.

    Pixels that the label does not judge are greyed.
    """
    cover = enlarge(mask, picture.shape[:2])[..., None] * np.float32(strength)
    tinted = picture + (np.array(TINT, np.float32) - picture) * cover
    if label is not None:
        tinted[label == 255] = (tinted[label == 255] + np.array(UNJUDGED)) / 2
        tinted[contour(label == 1)] = OUTLINE
    return np.clip(np.round(tinted), 0, 255).astype(np.uint8)
