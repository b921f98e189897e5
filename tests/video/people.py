"""A disc before a wall, whose truth is known, and a portrait."""

from __future__ import annotations

import numpy as np

from evaluation.sample import _matte, portrait
from video.band import Bytes, Floats, to_bytes, to_floats
from video.replace import over

RED, BLUE, GREEN = (np.array(c, np.uint8) for c in ((204, 51, 26), (26, 51, 204), (51, 204, 77)))


def disc(radius: float = 40, softness: float = 1.0, size: tuple[int, int] = (120, 160)) -> Floats:
    """(H, W): 1 within, 0 without, `softness` pixels in between."""
    y, x = np.mgrid[: size[0], : size[1]] - np.array([(size[0] - 1) / 2, (size[1] - 1) / 2])[:, None, None]
    return np.clip((radius - np.hypot(y, x)) / softness + 0.5, 0, 1).astype(np.float32)


def mixed(alpha: Floats, front: Bytes = RED, behind: Bytes = BLUE) -> Bytes:
    """(H, W, 3): `front` over `behind`."""
    return to_bytes(over(to_floats(wall(front, alpha)), to_floats(wall(behind, alpha)), alpha))


def wall(colour: Bytes, like: Bytes | Floats) -> Bytes:
    """One colour, (H, W, 3) of a picture or alpha (H, W, ...)."""
    return np.ascontiguousarray(np.broadcast_to(colour, (*like.shape[:2], 3)))


def astronaut() -> tuple[Bytes, Bytes]:
    """The portrait (512, 512, 3) and its alpha."""
    return portrait()[0], _matte("person.png")
