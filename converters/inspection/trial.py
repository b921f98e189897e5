"""Which of several descriptions of a model is right, by the masks that each one gives of people. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RECOGNISED = 0.5
"""Mean IOU from which masks are taken for masks of people."""
GOOD = 0.75
"""Mean IOU below which something about a description is likely wrong."""
MARGIN = 0.02
"""Mean IOU by which a description must be better than one that gives other masks.

How many of its masks are better says nothing: a wrong scale of colours can make every mask a little bolder.
"""
ERRORS = 2.0
"""And by how many of its standard errors: on a few pictures one of them may decide."""
TURNED = 0.005
"""Mean IOU by which masks are better in BGR than in RGB, which is far more usual, so that nobody can say."""
NOTHING = 0.001
"""Mean IOU that is not worth a word."""
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
    top = int(means.argmax())
    best = next(i for i in range(len(scores)) if is_same(scores[i], scores[top]))
    rivals = [i for i, row in enumerate(scores) if not is_same(row, scores[best]) and _near(scores[best] - row)]
    return Decision(best, float(means[best]), tuple(rivals))


def _near(ahead: NDArray[np.float64]) -> bool:
    """Whether the best may be no better, by how far each of its masks is ahead of another description's."""
    error = float(ahead.std(ddof=1)) / np.sqrt(len(ahead)) if len(ahead) > 1 else 0.0
    return bool(ahead.mean() < max(MARGIN, ERRORS * error))


def is_same(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether the masks of two descriptions are the same for a score."""
    apart = np.subtract(one, other)
    return bool(np.abs(apart).max() <= SAME and abs(apart.mean()) <= NOTHING)
