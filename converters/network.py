"""The network as converters take it: batch normalisation folded into the convolutions before it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor, nn

    from models.hourglass import Hourglass
    from models.variant import Resolution


def fold(network: Hourglass) -> Hourglass:
    """A copy in eval mode in which every convolution has swallowed the batch normalisation that follows it.

    The copy is free of gradients and computes the same masks, up to rounding. Folding twice changes nothing.
    """
    folded = deepcopy(network).eval().requires_grad_(False)
    _fold(folded)
    return folded


def _fold(module: nn.Module) -> None:
    from torch import nn
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    if isinstance(module, nn.Sequential):
        for i in range(len(module) - 1):
            first, second = module[i], module[i + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    for child in module.children():
        _fold(child)


def example(network: Hourglass, resolution: Resolution) -> dict[str, Tensor]:
    """Zeros of the shapes that `network` is exported with, by input name, NCHW; no `prev_mask` where it has none."""
    import torch

    names = ("frame", "prev_mask") if network.variant.previous_mask else ("frame",)
    return {name: torch.zeros(1, 3 if name == "frame" else 1, *resolution) for name in names}
