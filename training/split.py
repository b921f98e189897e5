"""Which stored pictures train and which validate: by photo, and never a near-duplicate on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.datasets import KEYED, PHOTO, TRAIN_ONLY, held_out
from training.store import Store

SIDE = 16
ALIKE = 0.97
"""Correlation of two 16x16 grey thumbnails from which they count as one photo. Distinct selfies stay under 0.95."""


@dataclass(frozen=True)
class Split:
    train: tuple[int, ...]
    validation: tuple[int, ...]
    duplicates: tuple[int, ...]
    """Numbers kept out of training because they look like a validation picture."""


def thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W, 3) uint8 to a (256,) vector of zero mean and unit length; zeros for a picture of one colour."""
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(picture[..., :3]), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    length = float(np.linalg.norm(small))
    return small / length if length > 1e-3 else small * 0


def near(candidates: NDArray[np.float32], against: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of `candidates` (N, 256) look like any of `against` (M, 256), mirrored or not."""
    if not len(against):
        return np.zeros(len(candidates), bool)
    mirrored = against.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(-1, SIDE * SIDE)
    best = np.maximum((candidates @ against.T).max(1), (candidates @ mirrored.T).max(1))
    return best >= ALIKE


def split(store: Store, foreign: Sequence[NDArray[np.uint8]] = ()) -> Split:
    """Held-out groups of labelled sources validate; the rest trains, less what looks like one of those.

    `foreign` are validation pictures from elsewhere, (H, W, 3) uint8 RGB: their likes are kept out of training too.
    """
    labelled = [i for i, e in enumerate(store.entries) if e.kind in (PHOTO, KEYED) and e.source not in TRAIN_ONLY]
    validation = [i for i in labelled if held_out(store.entries[i].group)]
    held = {store.entries[i].group for i in validation}
    rest = [i for i, e in enumerate(store.entries) if e.group not in held]
    if not rest:
        return Split((), tuple(validation), ())
    against = [thumbnail(store[i]) for i in validation] + [thumbnail(p) for p in foreign]
    alike = near(np.stack([thumbnail(store[i]) for i in rest]), np.array(against, np.float32).reshape(-1, SIDE * SIDE))
    train = tuple(i for i, bad in zip(rest, alike, strict=True) if not bad)
    return Split(train, tuple(validation), tuple(i for i, bad in zip(rest, alike, strict=True) if bad))
