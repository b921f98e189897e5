"""Light and cameras, on uint8: what happens to a picture's values, not to its geometry."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_RAMP = np.arange(256, dtype=np.float32) / 255


def light(rng: Generator) -> NDArray[np.uint8]:
    """A (256, 3) lookup table: exposure, gamma, contrast and colour temperature of one draw."""
    gamma = np.exp(rng.normal(0, 0.25))
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.08, 3))
    lift = rng.normal(0, 0.05)
    contrast = np.exp(rng.normal(0, 0.15))
    curve = _RAMP[:, None] ** gamma * gain
    return np.rint(np.clip((curve - 0.5) * contrast + 0.5 + lift, 0, 1) * 255).astype(np.uint8)


def relight(picture: Picture, table: NDArray[np.uint8]) -> Picture:
    import cv2

    return cv2.LUT(picture, table[None])  # type: ignore[return-value]


def desaturate(picture: Picture, amount: float) -> Picture:
    """Blend towards grey: 0 leaves the picture, 1 makes it grey, below 0 makes colours stronger."""
    import cv2

    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(picture, 1 - amount, grey, amount, 0)  # type: ignore[return-value]


def camera(picture: Picture, rng: Generator) -> Picture:
    """Out of focus, moved, noisy, compressed: each now and then."""
    import cv2

    if rng.random() < 0.15:
        picture = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.4, 1.6)))  # type: ignore[assignment]
    if rng.random() < 0.06:
        length = int(rng.integers(2, 7))
        kernel = np.full((1, length) if rng.random() < 0.7 else (length, 1), 1 / length, np.float32)
        picture = cv2.filter2D(picture, -1, kernel)  # type: ignore[assignment]
    if rng.random() < 0.25:
        noise = rng.standard_normal(picture.shape, np.float32) * float(rng.uniform(2, 12))
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        quality = int(rng.integers(25, 85))
        _, coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        picture = cv2.imdecode(coded, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return picture


def colours(picture: Picture, rng: Generator) -> Picture:
    """Light, saturation, and the camera on top."""
    if rng.random() < 0.8:
        picture = relight(picture, light(rng))
    if rng.random() < 0.3:
        picture = desaturate(picture, float(1.0 if rng.random() < 0.2 else rng.uniform(-0.4, 0.7)))
    return camera(picture, rng)
