"""The effects on camera pictures: 8-bit in, 8-bit out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from video.backdrop import Backdrop
from video.band import Bytes, Floats, between, enlarged, put, sample, take
from video.blur import SIGMA, blurred
from video.foreground import foreground, layers
from video.guided import refined
from video.recolour import Colour, recoloured, tones
from video.replace import lit, over, pasted, touched, wrap

Effect = Callable[[Bytes, Bytes, float], Bytes]
"""Picture (H, W, 3) and alpha (H, W) in 8 bits, and the time in seconds, to a new picture (H, W, 3 or 4)."""


def alpha_of(mask: Floats, picture: Bytes, refine: bool = True) -> Bytes:
    """The alpha (H, W) of a picture (H, W, 3) from a network's mask (h, w) in [0, 1]: refined, or only enlarged."""
    return refined(mask, picture) if refine else enlarged(mask, picture.shape[:2])


def replacing(backdrop: Backdrop) -> Effect:
    def replaced(picture: Bytes, alpha: Bytes, seconds: float) -> Bytes:
        scene = backdrop(seconds)
        falls = wrap(scene.light, alpha)
        at = touched(falls, alpha)
        person = lit(foreground(picture, alpha, *layers(picture, alpha), at), sample(falls, alpha.shape, at))
        made = pasted(picture, scene.picture, alpha)
        put(made, at, over(person, take(scene.picture, at), take(alpha, at)))
        return made

    return replaced


def blurring(sigma: float = SIGMA) -> Effect:
    return lambda picture, alpha, _: before(blurred(picture, alpha, sigma), picture, alpha)


def recolouring(colour: Colour) -> Effect:
    every = tones(colour)
    return lambda picture, alpha, _: before(recoloured(picture, every), picture, alpha)


def before(behind: Bytes, picture: Bytes, alpha: Bytes) -> Bytes:
    """The person of a picture (H, W, 3) before the same picture's background made into `behind` (H, W, 3)."""
    at = between(alpha)
    made = pasted(picture, behind, alpha)
    put(made, at, over(take(picture, at), take(behind, at), take(alpha, at)))
    return made


def cutting_out(picture: Bytes, alpha: Bytes, seconds: float) -> Bytes:
    """RGBA, not premultiplied, the colours those of the person alone, carried on over what is not."""
    at = between(alpha)
    front, behind = layers(picture, alpha)
    person = pasted(picture, enlarged(front, alpha.shape), alpha)
    put(person, at, foreground(picture, alpha, front, behind, at))
    return np.dstack([person, alpha])
