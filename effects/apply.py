"""The effects on camera pictures: 8-bit in, 8-bit out."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from effects.backdrop import Backdrop
from effects.blur import SIGMA, blurred
from effects.foreground import foreground
from effects.recolour import Colour, recoloured
from effects.replace import light_wrap, over

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]
Effect = Callable[[Floats, Floats, float], Picture]
"""Picture (H, W, 3) and alpha (H, W), both in [0, 1], and the time in seconds, to (H, W, 3 or 4) uint8."""


def to_float(picture: Picture) -> Floats:
    """uint8 to float32 in [0, 1]."""
    return picture.astype(np.float32) * np.float32(1 / 255)


def to_bytes(picture: Floats) -> Picture:
    """[0, 1] to uint8, rounded and clipped."""
    return np.asarray(cv2.convertScaleAbs(np.maximum(picture, 0), alpha=255), np.uint8).reshape(picture.shape)


def replacing(backdrop: Backdrop) -> Effect:
    def replaced(picture: Floats, alpha: Floats, seconds: float) -> Picture:
        behind = to_float(backdrop(seconds))
        return to_bytes(over(light_wrap(foreground(picture, alpha), behind, alpha), behind, alpha))

    return replaced


def blurring(sigma: float = SIGMA) -> Effect:
    return lambda picture, alpha, _: to_bytes(over(picture, blurred(picture, alpha, sigma), alpha))


def recolouring(colour: Colour) -> Effect:
    return lambda picture, alpha, _: to_bytes(over(picture, recoloured(picture, colour), alpha))


def cutting_out(picture: Floats, alpha: Floats, seconds: float) -> Picture:
    """RGBA, not premultiplied, the colours those of the person alone."""
    return to_bytes(np.dstack([foreground(picture, alpha), alpha]))
