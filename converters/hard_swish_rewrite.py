"""Rewrites hard-swish with operators that XNNPACK runs in int8.

XNNPACK has no int8 kernel for HARD_SWISH. LiteRT's own took 1.96 of 3.28 ms in a `live` that also had one in its stem
(240x240, one thread, x86-64). XNNPACK has int8 kernels for ADD with a fused RELU6 and for MUL, and 6 * hardswish(x) is
x * relu6(x + 3). The factor 1/6 is folded into the weights that read the result: the converter would fuse it, as an
operator of the graph, into a HARD_SWISH again.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from models.hourglass import Hourglass


def hard_swish_times_six(x: Tensor) -> Tensor:
    """6 * hardswish(x)."""
    return x * F.relu6(x + 3)


def without_hard_swish(network: Hourglass) -> Hourglass:
    """A copy whose masks are the same up to rounding; `network` itself when it has no hard-swish."""
    if network.variant.trunk != "inverted":
        return network
    copy = deepcopy(network)
    trunk: Any = copy.trunk
    for block in trunk.stage16:
        block.act = hard_swish_times_six
        _take_a_sixth(block.depthwise, block.narrow, *([block.gate.squeeze] if block.gate else []))
    return copy


@torch.no_grad()
def _take_a_sixth(*readers: nn.Conv2d) -> None:
    for reader in readers:
        reader.weight /= 6
