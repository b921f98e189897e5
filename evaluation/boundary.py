"""Boundary F: how well the mask's outline follows the label's.

The contour measure of DAVIS (Perazzi et al., CVPR 2016): precision is the share of the mask's contour that lies within
a tolerance of the label's contour, recall the reverse, F their harmonic mean. The tolerance is 0.008 of the picture's
diagonal, in whole pixels, rounded up. Distances are Euclidean, between the centres of contour pixels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from evaluation.iou import CUT, IGNORED, Label, Mask, check_sizes

TOLERANCE = 0.008

Region = NDArray[np.bool_]


def boundary_f(mask: Mask, label: Label) -> float:
    """F in [0, 1] of a mask (H, W) and its label (H, W); see `evaluation.iou` for both.

    Where neither has a contour, 1 if they agree and 0 if one is full and the other empty. A band of unjudged pixels
    thinner than twice the tolerance, as some data sets draw around every object, is split in its middle; contours in
    or beside a larger unjudged area are left out. ValueError when the sizes differ.
    """
    check_sizes(mask, label)
    found = mask >= CUT
    reach = tolerance(label.shape)
    truth, judged = truth_and_judged(label)
    here, there = _points(contour(found) & judged), _points(contour(truth) & judged)
    if not len(here) and not len(there):
        return float(np.array_equal(found & judged, truth))
    if not len(here) or not len(there):
        return 0.0
    precision, recall = _share_near(here, there, reach), _share_near(there, here, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def tolerance(shape: tuple[int, ...]) -> int:
    """Pixels by which two contours of a picture of (H, W) may differ."""
    return math.ceil(TOLERANCE * math.hypot(*shape))


def contour(region: Region) -> Region:
    """Pixels of a region with a 4-neighbour outside it; the picture's edge is not a contour. (H, W) to (H, W)."""
    edge = np.zeros_like(region)
    across = region[:, 1:] != region[:, :-1]
    down = region[1:] != region[:-1]
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    return edge & region


def truth_and_judged(label: Label) -> tuple[Region, Region]:
    """The person's region of a label (H, W), and where contours are judged: everywhere, unless pixels are unjudged."""
    if (label == IGNORED).any():
        return _bridge(label, tolerance(label.shape))
    return label == 1, np.ones(label.shape, np.bool_)


def _points(region: Region) -> NDArray[np.intp]:
    """Row and column of each pixel of a region, (N, 2) in order, as np.argwhere: that takes thrice as long."""
    return np.column_stack(np.unravel_index(np.flatnonzero(region), region.shape))


def _share_near(points: NDArray[np.intp], others: NDArray[np.intp], reach: float) -> float:
    distance, _ = cKDTree(others).query(points, distance_upper_bound=reach + 1e-6)
    return float(np.isfinite(distance).mean())


def _bridge(label: Label, reach: float) -> tuple[Region, Region]:
    """The label with its unjudged pixels given to the nearest side, and where contours are judged at all."""
    from scipy.ndimage import distance_transform_edt

    unjudged = label == IGNORED
    if unjudged.all():
        return np.zeros_like(unjudged), np.zeros_like(unjudged)
    depth, nearest = distance_transform_edt(unjudged, return_indices=True)
    truth = label[tuple(nearest)] == 1
    deep = depth > reach
    if not deep.any():
        return truth, np.ones_like(unjudged)
    # A mask may follow either side of a large unjudged area, so its rim is left out as well.
    return truth, distance_transform_edt(~deep) > 2 * reach
