"""The person's own colours where pixels mix: without them the old background shines through hair and edges (spill).

Fast multi-level blur fusion (Forte, arXiv:2006.14970): near each pixel the foreground is the mean of what is surely
person, the background the mean of what is surely not; what of the picture the two do not explain is put right on the
foreground's side. Twice, from far and from near.
"""

from __future__ import annotations

import cv2
import numpy as np

from video.band import Bytes, Floats, Pixels, sampler, small_copy, take, thrice
from video.guided import resize

FAR, NEAR = 0.08, 0.012
"""Radii of the two passes, as shares of the picture's shorter side."""
WIDE = 120
"""Shorter side of a small copy from which on the far pass sees nothing that one of half the size does not show."""


def layers(picture: Bytes, alpha: Bytes) -> tuple[Floats, Floats]:
    """Small copies (h, w, 3) of the person's colours and of the background's, each carried on over the other.

    A smaller copy of the picture than `alpha` will do.
    """
    small, cover = small_copy(picture), small_copy(alpha)
    # A mean over wide windows is found on a copy of half the size, in a fourth of the time.
    fewer = tuple(side // 2 for side in cover.shape) if min(cover.shape) >= WIDE else cover.shape
    far, veil = resize(small, fewer), resize(cover, fewer)
    front, behind = (resize(layer, cover.shape) for layer in near(far, far, veil, FAR))
    return near(corrected(small, front, behind, cover), behind, cover, NEAR)


def foreground(picture: Bytes, alpha: Bytes, front: Floats, behind: Floats, at: Pixels) -> Floats:
    """(N, 3) colours F in [0, 1] of the pixels `at`, such that picture = alpha F + (1 - alpha) B, by small `layers`."""
    sampled = sampler(front.shape, alpha.shape, at)
    return corrected(take(picture, at), sampled(front), sampled(behind), take(alpha, at))


def near(front: Floats, behind: Floats, alpha: Floats, radius: float) -> tuple[Floats, Floats]:
    """The mean of `front` about each pixel weighed by alpha's cube, and of `behind` by what alpha leaves."""
    reach = max(1, round(radius * min(alpha.shape)))
    return _mean(front, alpha, reach), _mean(behind, 1 - alpha, reach)


def corrected(picture: Floats, front: Floats, behind: Floats, alpha: Floats) -> Floats:
    """(..., 3): `front` with what it and `behind` do not explain of the picture; `alpha` is (...)."""
    cover = thrice(alpha)
    rest = picture - behind - cover * (front - behind)
    return np.clip(front + cover * rest, 0, 1)


def _mean(colours: Floats, weight: Floats, reach: int) -> Floats:
    side = (2 * reach + 1, 2 * reach + 1)
    few = np.float32(1e-4)
    # By the cube, so that the mixed pixels, whose colours are in question, hardly have a say.
    weight = weight * weight * weight + few
    above = np.asarray(cv2.blur(colours * thrice(weight), side), np.float32)
    return above / thrice(np.asarray(cv2.blur(weight, side), np.float32).reshape(weight.shape))
