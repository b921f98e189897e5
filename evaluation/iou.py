"""Intersection over union of a predicted mask with its label.

Convention, here and in the other metrics: a mask is (H, W) float in [0, 1] and counts as foreground from 0.5 up; a
label is (H, W) uint8 of the same size: 0 background, 1 foreground, 255 not judged. Pixels that are not judged count
on neither side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.floating[Any]]
Label = NDArray[np.uint8]

CUT = 0.5
IGNORED = 255


def iou(mask: Mask, label: Label) -> float:
    """Foreground IOU in [0, 1]; an empty mask on an empty label counts 1. ValueError when the sizes differ."""
    check_sizes(mask, label)
    judged = label != IGNORED
    found = (mask >= CUT) & judged
    truth = label == 1
    union = int(np.count_nonzero(found | truth))
    return int(np.count_nonzero(found & truth)) / union if union else 1.0


def check_sizes(mask: Mask, label: Label) -> None:
    """Raise ValueError unless a mask has its label's height and width."""
    if mask.shape != label.shape:
        raise ValueError(f"a mask of {mask.shape} cannot be compared with a label of {label.shape}")
