"""How a sequence of masks behaves in time: dtSSD, flicker, frames to recover. Conventions as in `evaluation.iou`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from evaluation.iou import CUT, IGNORED, Label, Mask, check_sizes


def dtssd(masks: Sequence[Mask], labels: Sequence[Label]) -> float:
    """The mean of `dtssd_steps` over a clip; 0 is best, 100 is a whole picture that flips against a still truth.

    ValueError when the clip has fewer than two frames or sizes differ.
    """
    if len(masks) != len(labels):
        raise ValueError(f"{len(masks)} masks do not go with {len(labels)} labels")
    if len(masks) < 2:
        raise ValueError("dtSSD takes two frames and more")
    steps = pairwise(zip(masks, labels, strict=True))
    return float(np.mean([dtssd_step(*before, *now) for before, now in steps]))


def dtssd_step(mask_before: Mask, label_before: Label, mask: Mask, label: Label) -> float:
    """100 * sqrt(mean(((p_t - p_t-1) - (g_t - g_t-1))^2)) of one step, with the soft mask p and the label g.

    After Erofeev et al. (2015), a step at a time as in RobustVideoMatting's evaluation. Pixels unjudged in either
    frame are left out; 0 when none is judged.
    """
    check_sizes(mask, label)
    check_sizes(mask_before, label_before)
    if label.shape != label_before.shape:
        raise ValueError(f"two frames of one clip have labels of {label_before.shape} and {label.shape}")
    judged = (label != IGNORED) & (label_before != IGNORED)
    moved = np.subtract(label, label_before, dtype=np.float32)
    wrong = ((mask - mask_before) - moved)[judged]
    return 100.0 * float(np.sqrt(np.mean(np.square(wrong, dtype=np.float32), dtype=np.float64))) if wrong.size else 0.0


def dtssd_still(mask_before: Mask, label_before: Label, mask: Mask, label: Label) -> float:
    """`dtssd_step` with no error counted but that of pixels whose label, and whose eight neighbours', stays as it was.

    What is left is unsteadiness; the rest is got wrong where the person moved. Squared, it is a share of dtSSD squared.
    """
    from scipy.ndimage import maximum_filter

    moved = maximum_filter(label != label_before, 3)
    judged = (label != IGNORED) & (label_before != IGNORED)
    still = np.where(judged, 0, IGNORED).astype(np.uint8)
    return dtssd_step(mask_before, still, np.where(moved, mask_before, mask), still)


def flicker(masks: NDArray[np.floating]) -> float:
    """Of a clip in which nothing moves, (T, H, W) with T >= 2: the percentage of pixels that change sides a frame."""
    if len(masks) < 2:
        raise ValueError("flicker takes two frames and more")
    sides = masks >= CUT
    return 100.0 * float(np.mean(sides[1:] != sides[:-1]))


def frames_to_recover(ious: Sequence[float], event: int, level: float, hold: int = 3) -> int | None:
    """Frames from `event` (a cut, an entry, a wrong previous mask) until IOU is back.

    Back means `level` or better for `hold` frames running, or to the end of the clip; 0 when the event did no harm,
    None when it never comes back.
    """
    good = [value >= level for value in ious]
    for start in range(event, len(good)):
        if all(good[start : start + hold]):
            return start - event
    return None
