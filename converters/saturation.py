"""Whether the products of an int8 artifact fit the 16 bits that x86-64 processors without VNNI add them in.

VPMADDUBSW multiplies uint8 activations by int8 weights and saturates the sum of two neighbouring products. ONNX Runtime
(MLAS) takes it for uint8 x int8 on AVX2 and AVX-512 without VNNI, OpenVINO (oneDNN) too; uint8 x uint8 is widened to 16
bits first and added in 32. Depthwise convolutions are exempt: of them both runtimes add single products in 32 bits.
XNNPACK widens int8 x int8 to 16 bits and adds in 32 on x86-64; its NEON kernels add two products in 16 bits, which fit
as long as no weight is -128.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

LIMIT = 32767
"""The largest sum that 16 bits hold."""
PEAK = 255
"""The largest activation."""


def largest_sum(weights: NDArray[np.int8]) -> int:
    """The largest absolute sum of two products that `weights` (output channels, ...) can give.

    A kernel lays the weights of an output channel out as it likes, so that any two of them may be neighbours.
    """
    rows = np.sort(weights.astype(np.int64).reshape(len(weights), -1), axis=1)
    highest, lowest = rows[:, -2:].clip(min=0).sum(axis=1), rows[:, :2].clip(max=0).sum(axis=1)
    return PEAK * int(max(highest.max(), -lowest.min()))


def saturating(weights: Mapping[str, NDArray[np.int8]]) -> dict[str, int]:
    """Of the layers' weights, by name, those that can saturate, and the sum that they can reach."""
    sums = {name: largest_sum(values) for name, values in weights.items()}
    return {name: reached for name, reached in sums.items() if reached > LIMIT}
