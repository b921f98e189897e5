"""The person before another background, with a little of its light on the edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from effects.guided import resize

Floats = NDArray[np.float32]

WRAP = 0.25
"""How much of the background's light falls on the very edge."""
REACH = 0.015
"""How far it reaches into the person, as a share of the picture's shorter side."""
SMALL = 180


def over(front: Floats, behind: Floats, alpha: Floats) -> Floats:
    """alpha F + (1 - alpha) B: (H, W, 3) of two pictures (H, W, 3) and `alpha` (H, W)."""
    return behind + alpha[..., None] * (front - behind)


def light_wrap(front: Floats, behind: Floats, alpha: Floats, wrap: float = WRAP, reach: float = REACH) -> Floats:
    """The person `front` (H, W, 3) as lit from behind: near the edge of `alpha` leaning on the blurred background.

    By screen, as light adds: a dark background takes nothing away. `wrap` 0 leaves the person alone.
    """
    height, width = alpha.shape
    scale = min(1.0, SMALL / min(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    sigma = max(0.5, reach * min(size))
    light = np.asarray(cv2.GaussianBlur(resize(behind, size), (0, 0), 3 * sigma), np.float32)
    open_sky = 1 - np.asarray(cv2.GaussianBlur(resize(alpha, size), (0, 0), sigma), np.float32)
    falls = resize(np.float32(wrap) * light * open_sky[..., None], (width, height))
    return front + falls * (1 - front)
