"""A mask laid over its picture, to look at."""

from __future__ import annotations

import numpy as np

from evaluation.boundary import contour
from evaluation.clip import Label, Picture
from evaluation.labels import Shares, likeliest
from models.labels import BACKGROUND, LABELS
from models.segmenter import Floats, enlarge

TINT = (20, 200, 120)
OUTLINE = (255, 60, 160)
UNJUDGED = (128, 128, 128)
LABEL_COLOURS = {
    "hair": (230, 159, 0),
    "face": (86, 180, 233),
    "lips": (213, 94, 0),
    "eyewear": (240, 228, 66),
    "neck": (0, 158, 115),
    "body": (0, 114, 178),
    "clothes": (204, 121, 167),
    "accessory": (255, 255, 255),
}
"""RGB of each label but background: the colours of Okabe and Ito (2008), which the colour-blind can distinguish."""


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


def label_overlay(picture: Picture, shares: Shares, strength: float = 0.65) -> Picture:
    """(H, W, 3) uint8 RGB: the picture tinted by the colour of the likeliest label, background as it is.

    `shares` (h, w, 9) are the labels' probabilities as shares of 255.
    """
    ids = likeliest(shares, picture.shape[:2])
    colours = np.array([LABEL_COLOURS.get(name, (0, 0, 0)) for name in LABELS], np.float32)[ids]
    cover = np.where(ids == BACKGROUND, 0, strength)[..., None].astype(np.float32)
    return np.clip(np.round(picture + (colours - picture) * cover), 0, 255).astype(np.uint8)
