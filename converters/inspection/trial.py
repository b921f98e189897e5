"""Which of several descriptions of a model is right, by the masks that each one gives of people. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RECOGNISED = 0.5
"""Mean IOU from which masks are taken for masks of people."""
MARGIN = 0.02
"""Mean IOU by which a description must be better than one that gives other masks, or else most of its masks must be."""
MOST = 0.8
"""How many of its masks that is."""
SAME = 0.01
"""IOU that may lie between two masks of a picture that are the same for a score."""


@dataclass(frozen=True)
class Decision:
    """The best of several descriptions, by its place among them."""

    best: int
    iou: float
    rivals: tuple[int, ...]
    """Those whose masks differ from the best's and are nearly as good."""

    @property
    def recognised(self) -> bool:
        return self.iou >= RECOGNISED


def decide(ious: Sequence[Sequence[float]]) -> Decision:
    """The best of descriptions by the IOU of each one's mask of each picture, the first of those that are the same."""
    scores = np.asarray(ious, np.float64)
    means = scores.mean(axis=1)
    top = scores[int(means.argmax())]
    best = next(i for i, row in enumerate(scores) if np.abs(row - top).max() <= SAME)
    rivals = [i for i, row in enumerate(scores) if np.abs(row - scores[best]).max() > SAME and _near(scores[best], row)]
    return Decision(best, float(means[best]), tuple(rivals))


def _near(best: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether another's masks are nearly as good, on the whole and one by one."""
    wins = float((best > other).mean())
    return bool(best.mean() - other.mean() < MARGIN) and (len(best) < 8 or wins < MOST)
