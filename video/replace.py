"""The person before another background, with a little of its light on the edges."""

from __future__ import annotations

import cv2
import numpy as np

from video.band import Bytes, Floats, Pixels, small_copy, thrice

WRAP = 0.25
"""How much of the background's light falls on the very edge."""
REACH = 0.015
"""How far it reaches into the person, as a share of the picture's shorter side."""
FELT = 0.5 / 255
"""Light below which no pixel changes."""


def over(front: Floats, behind: Floats, alpha: Floats) -> Floats:
    """alpha F + (1 - alpha) B: (..., 3) of two pictures (..., 3) and `alpha` (...)."""
    return behind + thrice(alpha) * (front - behind)


def paste(front: Bytes, behind: Bytes, alpha: Bytes) -> None:
    """Write a picture `front` (H, W, 3) onto another, `behind`, where `alpha` (H, W) is 255."""
    cv2.copyTo(front, (alpha == 255).view(np.uint8), behind)


def pasted(front: Bytes, behind: Bytes, alpha: Bytes) -> Bytes:
    """A new picture (H, W, 3): `front` where `alpha` is 255, else `behind`."""
    made = behind.copy()
    paste(front, made, alpha)
    return made


def light_of(picture: Bytes) -> Floats:
    """A small copy (h, w, 3) of a background, as dim as its light is when it falls on somebody."""
    small = small_copy(picture)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 3 * _spread(small)), np.float32)


def wrap(light: Floats, alpha: Bytes, strength: float = WRAP) -> Floats:
    """How much of the `light` (h, w, 3), a small copy, falls on the person about the edge of `alpha` (H, W)."""
    cover = small_copy(alpha)
    open_sky = 1 - np.asarray(cv2.GaussianBlur(cover, (0, 0), _spread(cover)), np.float32)
    return np.float32(strength) * light * thrice(open_sky)


def lit(front: Floats, falls: Floats) -> Floats:
    """By screen, as light adds: a dark background takes nothing away. (..., 3) of two such."""
    return front + falls * (1 - front)


def rim(falls: Floats, alpha: Bytes) -> Pixels:
    """Where the person hides the background and is lit by it."""
    felt = 1 - cv2.erode(cv2.inRange(falls, (-1.0,) * 3, (FELT,) * 3), np.ones((3, 3), np.uint8)) // 255
    height, width = alpha.shape
    whole = np.asarray(cv2.resize(felt, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.flatnonzero(alpha * whole == 255)


def _spread(small: Floats) -> float:
    return max(0.5, REACH * min(small.shape[:2]))
