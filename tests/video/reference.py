"""The effects once more, whole pictures in float at every step: what the fast ones must agree with."""

from __future__ import annotations

import cv2
import numpy as np

from video.band import Bytes, Floats, to_floats
from video.foreground import corrected, layers
from video.guided import Guide, applied, firm, resize
from video.recolour import luminance, tinted
from video.replace import light_of, lit, over, wrap


def alpha(mask: Floats, picture: Bytes) -> Floats:
    """The guided filter's function applied to every pixel."""
    guide, size = Guide.of(picture), picture.shape[:2]
    a_b = guide.linear(resize(mask, guide.small.shape[:2]))
    return firm(applied(resize(a_b, size), to_floats(picture)))


def foreground(picture: Bytes, alpha: Bytes) -> Floats:
    front, behind = (resize(layer, alpha.shape) for layer in layers(picture, alpha))
    return corrected(to_floats(picture), front, behind, to_floats(alpha))


def replaced(picture: Bytes, alpha: Bytes, behind: Bytes) -> Floats:
    falls = resize(wrap(light_of(behind), alpha), alpha.shape)
    return over(lit(foreground(picture, alpha), falls), to_floats(behind), to_floats(alpha))


def recoloured(picture: Bytes, alpha: Bytes, colour: tuple[float, float, float]) -> Floats:
    return over(to_floats(picture), tinted(luminance(to_floats(picture)), colour), to_floats(alpha))


def blurred(picture: Bytes, alpha: Bytes, sigma: float) -> Floats:
    """On the whole picture: one Gaussian, and where it sees too little of the background a wider one."""
    from video.blur import COARSER, ENOUGH

    weight = np.clip(1 - 4 * to_floats(alpha), 0, 1)[..., None]
    made, trust, spread = np.zeros(picture.shape, np.float32), np.ones_like(weight), sigma * min(alpha.shape)
    while trust.max() > 0.01 and spread < 4 * max(alpha.shape):
        seen = cv2.GaussianBlur(weight, (0, 0), spread).reshape(weight.shape)
        share = trust * np.minimum(seen / ENOUGH, 1)
        mean = cv2.GaussianBlur(to_floats(picture) * weight, (0, 0), spread) / np.maximum(seen, 1e-6)
        made, trust, spread = made + share * mean, trust - share, spread * COARSER
    behind = np.asarray(made / np.maximum(1 - trust, 1e-6), np.float32)
    return over(to_floats(picture), behind, to_floats(alpha))
