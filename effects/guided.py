"""A small mask brought to a picture's size along the picture's own edges.

The fast guided filter (He and Sun, arXiv:1505.00996): in each small window the mask is taken for a linear function of
the picture's colour. The coefficients are found on small copies of both, and are smooth, so they can be enlarged; the
function is applied to the full picture, whose edges the mask then has.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

NEXT, LAST = [1, 2, 0], [2, 0, 1]
"""Of three channels in a circle, the one after each and the one before."""

RADIUS = 0.03
"""Half a window's side, as a share of the picture's shorter side."""
EPSILON = 1e-4
"""Variance of a colour below which a window counts as flat, and the mask there is only averaged."""
LOW = 0.15
"""Cover below which a pixel is taken for background, and above one less it for person."""
SMALL = 256
"""Shorter side, in pixels, of the copies on which the coefficients are found."""


def refined(mask: Floats, picture: Floats) -> Floats:
    """`guided`, and firm: what every use of a network's mask (h, w) on a picture (H, W, 3) begins with."""
    return firm(guided(mask, picture))


def firm(mask: Floats, low: float = LOW) -> Floats:
    """0 below `low`, 1 above 1 - `low`, smooth between: a linear function leaves a veil over like colours."""
    share = np.clip((mask - np.float32(low)) / np.float32(1 - 2 * low), 0, 1)
    return share * share * (3 - 2 * share)


def guided(
    mask: Floats, picture: Floats, radius: float = RADIUS, epsilon: float = EPSILON, small: int = SMALL
) -> Floats:
    """The mask (h, w) at the size of `picture` (H, W, 3), both in [0, 1]; (H, W) in [0, 1]."""
    height, width = picture.shape[:2]
    scale = min(1.0, small / min(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    reach = max(1, round(radius * min(size)))
    a, b = linear(resize(mask, size), resize(picture, size), reach, epsilon)
    whole = (width, height)
    answer = cv2.transform(cv2.multiply(resize(a, whole), picture), np.ones((1, 3))) + resize(b, whole)
    return np.clip(answer, 0, 1, out=answer)


def linear(mask: Floats, guide: Floats, reach: int, epsilon: float) -> tuple[Floats, Floats]:
    """a (h, w, 3) and b (h, w), each averaged over its windows, such that mask ~ a . guide + b in every window."""

    def mean(values: Floats) -> Floats:
        side = 2 * reach + 1
        return np.asarray(cv2.boxFilter(values, -1, (side, side), borderType=cv2.BORDER_REFLECT), np.float32)

    colour, level = mean(guide), mean(mask)
    # The covariance of red, green and blue, symmetric: (rr, gg, bb) and (rg, gb, br).
    own = mean(guide * guide) - colour * colour + np.float32(epsilon)
    mixed = mean(guide * guide[..., NEXT]) - colour * colour[..., NEXT]
    along = mean(guide * mask[..., None]) - colour * level[..., None]
    a = _solve(own, mixed, along)
    return mean(a), mean(level - np.einsum("hwc,hwc->hw", a, colour))


def _solve(own: Floats, mixed: Floats, right: Floats) -> Floats:
    """x (h, w, 3) of M x = right for the symmetric M of each pixel, by its cofactors."""
    # With channels in a circle, M[i, i] = own[i] and M[i, i + 1] = mixed[i].
    diagonal = own[..., NEXT] * own[..., LAST] - mixed[..., NEXT] ** 2
    off = mixed[..., NEXT] * mixed[..., LAST] - mixed * own[..., LAST]
    determinant = own[..., 0] * diagonal[..., 0] + mixed[..., 0] * off[..., 0] + mixed[..., 2] * off[..., 2]
    top = diagonal * right + off * right[..., NEXT] + off[..., LAST] * right[..., LAST]
    return top / np.maximum(determinant, np.float32(1e-12))[..., None]


def resize(values: Floats, size: tuple[int, int]) -> Floats:
    """(h, w) or (h, w, C) at `size` (width, height): by area where it shrinks, else bilinearly."""
    shrinks = values.shape[1] >= size[0] and values.shape[0] >= size[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(values, size, interpolation=how), np.float32)
