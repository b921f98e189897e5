"""The person's own colours where pixels mix: without them the old background shines through hair and edges (spill).

Fast multi-level blur fusion (Forte, arXiv:2006.14970): near each pixel the foreground is the mean of what is surely
person, the background the mean of what is surely not; what of the picture the two do not explain is put right on the
foreground's side. Twice, from far and from near.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from effects.guided import resize

Floats = NDArray[np.float32]

FAR, NEAR = 0.08, 0.012
"""Radii of the two passes, as shares of the picture's shorter side."""
SMALL = 180
"""Shorter side, in pixels, of the copies on which the means are taken; they are smooth."""


def foreground(picture: Floats, alpha: Floats) -> Floats:
    """(H, W, 3) colours F in [0, 1] with picture = alpha F + (1 - alpha) B for a smooth B; `alpha` is (H, W)."""
    height, width = picture.shape[:2]
    scale = min(1.0, SMALL / min(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small, cover = resize(picture, size), resize(alpha, size)
    front, behind = near(small, small, cover, FAR)
    front, behind = near(_corrected(small, front, behind, cover), behind, cover, NEAR)
    whole = (width, height)
    return _corrected(picture, resize(front, whole), resize(behind, whole), alpha)


def near(front: Floats, behind: Floats, alpha: Floats, radius: float) -> tuple[Floats, Floats]:
    """The mean of `front` about each pixel weighed by alpha's cube, and of `behind` by what alpha leaves."""
    reach = max(1, round(radius * min(alpha.shape)))
    cover = alpha[..., None]
    return _mean(front, cover, reach), _mean(behind, 1 - cover, reach)


def _mean(colours: Floats, weight: Floats, reach: int) -> Floats:
    side = (2 * reach + 1, 2 * reach + 1)
    # By the cube, so that the mixed pixels, whose colours are in question, hardly have a say.
    weight = weight * weight * weight
    few = np.float32(1e-4)
    above = np.asarray(cv2.blur(colours * weight + few * colours, side), np.float32)
    return above / (np.asarray(cv2.blur(weight, side), np.float32) + few).reshape(*weight.shape)


def _corrected(picture: Floats, front: Floats, behind: Floats, alpha: Floats) -> Floats:
    cover = alpha[..., None]
    rest = picture - behind - cover * (front - behind)
    return np.clip(front + cover * rest, 0, 1)
