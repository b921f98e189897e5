"""The pixels that are neither person nor background, and small copies for all that is smooth.

An edge is a few per cent of a picture: there alone an effect is worked out pixel by pixel, in float; around it whole
8-bit pictures are copied. What varies slowly is found on a small copy, and sampled at the edge's pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Pixels = NDArray[np.intp]
"""(N,) places in a picture (H, W) read row by row."""
Size = tuple[int, ...]
"""(H, W)."""
Box = tuple[slice, slice]
"""Rows and columns."""

SIDE = 180
"""Shorter side, in pixels, of a small copy."""
COARSE = 360
"""Shorter side, at least, of a coarse copy, which small ones are made from, and parts are recoloured on.

A new hue at the same luminance is a change of chroma alone, of which video keeps a quarter of the pixels (4:2:0).
"""


def between(alpha: Bytes) -> Pixels:
    """Where `alpha` (H, W) is neither 0 nor 255."""
    # In 8 bits, nothing less one is 255.
    return np.flatnonzero(alpha - np.uint8(1) < 254)


def around(alpha: Bytes, margin: int) -> Box | None:
    """All that `alpha` (H, W) covers, with `margin` pixels about it; None where it covers nothing."""
    x, y, width, height = cv2.boundingRect(alpha)
    if not width:
        return None
    return slice(max(0, y - margin), y + height + margin), slice(max(0, x - margin), x + width + margin)


def take(picture: Bytes, at: Pixels) -> Floats:
    """(N,) or (N, C) in [0, 1] of a picture (H, W) or (H, W, C)."""
    return picture.reshape(-1, *picture.shape[2:]).take(at, axis=0) * np.float32(1 / 255)


def put(picture: Bytes, at: Pixels, values: Floats) -> None:
    """Write (N,) or (N, C), rounded and clipped to [0, 1], into a picture (H, W) or (H, W, C)."""
    pixel = picture.dtype if picture.ndim == 2 else np.dtype((np.void, picture.shape[2]))
    # A pixel as one item: three times as fast as assigning rows of three.
    np.put(picture.reshape(-1, *picture.shape[2:]).view(pixel), at, to_bytes(values).view(pixel))


def to_floats(picture: Bytes) -> Floats:
    """uint8 to [0, 1]."""
    return np.multiply(picture, np.float32(1 / 255), dtype=np.float32)


def to_bytes(values: Floats) -> Bytes:
    """[0, 1] to uint8, rounded and clipped."""
    return (np.clip(values, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def halved(picture: Bytes, size: Size) -> Bytes:
    """A picture (h, w[, C]) by means of 2x2 pixels, again and again, as long as it stays as large as `size` (H, W).

    Some eight times as fast as one resize by area; what is made of it by area differs by half a step of 1/255.
    """
    height, width = picture.shape[:2]
    while height >= 2 * size[0] and width >= 2 * size[1] and not (height % 2 or width % 2):
        height, width = height // 2, width // 2
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return picture


def coarse_copy(picture: Bytes) -> Bytes:
    """A picture (H, W, 3) `halved` as long as its sides stay no less than COARSE; the `small_copy` of both is alike."""
    return halved(picture, (COARSE, COARSE))


def small_copy(picture: Bytes, side: int = SIDE) -> Floats:
    """A picture (H, W[, C]) in [0, 1] with its shorter side `side`, by area; what is small already stays."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / min(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = halved(picture, size[::-1])
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32) * np.float32(1 / 255)


def enlarged(small: Floats, size: Size) -> Bytes:
    """A small copy bilinearly at `size`, in 8 bits."""
    return np.asarray(cv2.resize(to_bytes(small), (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def thrice(values: Floats) -> Floats:
    """(..., 3) of (...): the same in each channel, for which NumPy's own broadcasting takes many times as long."""
    made = cv2.merge([values] * 3) if values.size else values
    return np.asarray(made, np.float32).reshape(*values.shape, 3)


def weighed(colours: Floats, weight: Floats) -> Floats:
    """(h, w, 4): `colours` (h, w, 3) times `weight` (h, w), and the weight: of the two, one filter makes a mean."""
    return np.asarray(cv2.merge([*(plane * weight for plane in cv2.split(colours)), weight]), np.float32)


def unweighed(sums: Floats) -> tuple[Floats, Floats]:
    """The mean colours (h, w, 3), and the weight (h, w), of filtered `weighed` ones (h, w, 4); black where it is 0."""
    *colours, weight = (np.asarray(plane, np.float32) for plane in cv2.split(sums))
    share = 1 / np.maximum(weight, np.float32(1e-6))
    return np.asarray(cv2.merge([plane * share for plane in colours]), np.float32), weight


ROW = 1024
"""Pixels are sampled in rows, as OpenCV takes no side above 32767."""


def sample(small: Floats, size: Size, at: Pixels) -> Floats:
    """(N,) or (N, C): what bilinear enlargement of `small` (h, w[, C]) to `size` would have at `at`."""
    return sampler(small.shape, size, at)(small)


def sampler(shape: Size, size: Size, at: Pixels) -> Callable[[Floats], Floats]:
    """`sample` for several small copies of one `shape` (h, w[, C]), whose places are found once."""
    at = at.astype(np.int32)
    # Seven times as fast as divmod.
    row = at // np.int32(size[1])
    column = at - row * np.int32(size[1])
    rows = -(-max(len(at), 1) // ROW)
    places = np.zeros((2, rows * ROW), np.float32)
    places[0, : len(at)] = (column + np.float32(0.5)) * np.float32(shape[1] / size[1]) - np.float32(0.5)
    places[1, : len(at)] = (row + np.float32(0.5)) * np.float32(shape[0] / size[0]) - np.float32(0.5)
    x, y = places.reshape(2, rows, ROW)

    def sampled(small: Floats) -> Floats:
        found = cv2.remap(small, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, np.float32).reshape(rows * ROW, *small.shape[2:])[: len(at)]

    return sampled
