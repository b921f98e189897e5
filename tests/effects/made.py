"""A disc before a wall, whose truth is known, and a portrait."""

from __future__ import annotations

import numpy as np

from frames.sample import _matte, portrait

RED, BLUE, GREEN = (np.array(c, np.float32) for c in ((0.8, 0.2, 0.1), (0.1, 0.2, 0.8), (0.2, 0.8, 0.3)))


def disc(radius: float = 40, softness: float = 1.0, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """(H, W): 1 within, 0 without, `softness` pixels in between."""
    y, x = np.mgrid[: size[0], : size[1]] - np.array([(size[0] - 1) / 2, (size[1] - 1) / 2])[:, None, None]
    return np.clip((radius - np.hypot(y, x)) / softness + 0.5, 0, 1).astype(np.float32)


def mixed(alpha: np.ndarray, front=RED, behind=BLUE) -> np.ndarray:
    """(H, W, 3): `front` over `behind`."""
    return (behind + alpha[..., None] * (front - behind)).astype(np.float32)


def astronaut() -> tuple[np.ndarray, np.ndarray]:
    """The portrait (512, 512, 3) in [0, 1] and its alpha."""
    return portrait()[0].astype(np.float32) / 255, _matte("person.png").astype(np.float32) / 255
