"""How a soft mask differs from a true alpha, both (H, W) in [0, 1]: SAD and gradient error, smaller is better.

As in the benchmark of Rhemann et al. (CVPR 2009), over the whole picture.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from evaluation.iou import Mask, check_sizes

SIGMA = 1.4
"""Of the Gaussian whose derivatives measure the gradient, in pixels."""


def sad(mask: Mask, alpha: Mask) -> float:
    """The sum of absolute differences in thousands of pixels."""
    _check(mask, alpha)
    return float(np.abs(mask - alpha).sum(dtype=np.float64)) / 1000


def gradient_error(mask: Mask, alpha: Mask) -> float:
    """The sum of squared differences of the gradients' lengths, in thousands: are edges as soft, and where they are."""
    _check(mask, alpha)
    return float(np.square(_steepness(mask) - _steepness(alpha)).sum()) / 1000


def _check(mask: Mask, alpha: Mask) -> None:
    check_sizes(mask, alpha)  # type: ignore[arg-type]


def _steepness(alpha: Mask) -> NDArray[np.float64]:
    from scipy.ndimage import correlate1d

    reach = math.ceil(SIGMA * math.sqrt(-2 * math.log(math.sqrt(2 * math.pi) * SIGMA * 1e-2)))
    at = np.arange(-reach, reach + 1)
    bell = np.exp(-(at**2) / (2 * SIGMA**2)) / (SIGMA * math.sqrt(2 * math.pi))
    slope = bell * at / SIGMA**2
    # The two kernels are of length one together, as in the benchmark's own code.
    norm = math.sqrt((bell**2).sum() * (slope**2).sum())
    values = np.asarray(alpha, np.float64)
    across = correlate1d(correlate1d(values, bell, 0, mode="nearest"), slope, 1, mode="nearest")
    down = correlate1d(correlate1d(values, slope, 0, mode="nearest"), bell, 1, mode="nearest")
    return np.hypot(across, down) / norm
