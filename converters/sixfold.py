"""Hard-swish out of what LiteRT has integer kernels for.

XNNPACK has none for HARD_SWISH in int8: LiteRT's own took 1.96 of 3.28 ms in a `live` whose stem had one too (240x240,
one thread, x86-64). It has them for ADD with a RELU6 in it and for MUL, and six times hard-swish is x * relu6(x + 3);
the sixth goes into the weights that read it. With a factor in the graph the converter would make a HARD_SWISH of it
again.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from models.hourglass import Hourglass


def sixfold(x: Tensor) -> Tensor:
    """6 * hardswish(x)."""
    return x * F.relu6(x + 3)


def without_hard_swish(network: Hourglass) -> Hourglass:
    """A copy that computes the same masks, up to rounding; `network` itself when it has no hard-swish."""
    if network.variant.trunk != "inverted":
        return network
    copy = deepcopy(network)
    trunk: Any = copy.trunk
    for block in trunk.stage16:
        block.act = sixfold
        _take_a_sixth(block.depthwise, block.narrow, *([block.gate.squeeze] if block.gate else []))
    return copy


@torch.no_grad()
def _take_a_sixth(*readers: nn.Conv2d) -> None:
    for reader in readers:
        reader.weight /= 6
