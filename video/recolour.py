"""Another colour, the same light: what is drawn by light and shadow stays to be seen."""

from __future__ import annotations

import cv2
import numpy as np

from video.band import Bytes, Floats, to_bytes, to_floats

Colour = tuple[float, float, float]
"""RGB in [0, 1]."""

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Of BT.709, on the values as they are encoded (luma)."""


def luminance(picture: Floats) -> Floats:
    """(..., 3) RGB in [0, 1] to (...)."""
    return picture @ LUMINANCE


def tones(colour: Colour) -> Bytes:
    """(256, 1, 3): the hue of `colour` at every luminance."""
    return to_bytes(tinted(to_floats(np.arange(256, dtype=np.uint8)[:, None]), colour))


def recoloured(picture: Bytes, tones: Bytes) -> Bytes:
    """(H, W, 3): each pixel by its luminance out of `tones`."""
    return np.asarray(cv2.applyColorMap(np.asarray(cv2.transform(picture, LUMINANCE[None]), np.uint8), tones), np.uint8)


def toned(colours: Floats, tones: Bytes) -> Floats:
    """(N, 3) in [0, 1] of such: each pixel by its luminance out of `tones` (256, 1, 3)."""
    return to_floats(tones[:, 0])[to_bytes(luminance(colours))]


def tinted(light: Floats, colour: Colour) -> Floats:
    """(..., 3): the hue of `colour` at the luminance `light` (...), which is kept exactly.

    The hue is moved towards grey only as far as the luminance asks, for no bright blue is as light as white.
    """
    light = light[..., None]
    tint = np.array(colour, np.float32)
    # From the grey of this luminance towards the colour's hue, as far as all three channels stay within [0, 1].
    away = tint - luminance(tint)
    room = np.where(away > 0, (1 - light) / np.maximum(away, 1e-6), light / np.maximum(-away, 1e-6))
    # As strong as the colour is at its own lightness, and weaker towards black and white.
    return np.asarray(light + away * np.minimum(room.min(-1, keepdims=True), 1), np.float32)
