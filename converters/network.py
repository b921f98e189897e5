"""The network as converters take it: folded, its inputs only those it has. Imports PyTorch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

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
    if isinstance(module, nn.Sequential):
        for i in range(len(module) - 1):
            first, second = module[i], module[i + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    for child in module.children():
        _fold(child)


class Nchw(nn.Module):
    """(1, 3, H, W) and, where the network has it, (1, 1, H, W) to the mask (1, 1, H, W)."""

    def __init__(self, network: Hourglass) -> None:
        super().__init__()
        self.network = network
        self.eval()

    def forward(self, frame: Tensor, prev_mask: Tensor | None = None) -> Tensor:
        return self.network(frame, prev_mask)


class Half(nn.Module):
    """As `Nchw`, computing in float16 between float32 inputs and a float32 mask."""

    def __init__(self, network: Hourglass) -> None:
        super().__init__()
        self.network = deepcopy(network).half()
        self.eval()

    def forward(self, frame: Tensor, prev_mask: Tensor | None = None) -> Tensor:
        return self.network(frame.half(), None if prev_mask is None else prev_mask.half()).float()


class Nhwc(nn.Module):
    """(1, H, W, 3) and, where the network has it, (1, H, W, 1) to {"mask": (1, H, W, 1)}.

    The inputs are joined before the one permutation, which then cancels against the NHWC kernels' own: permuting them
    apart leaves two TRANSPOSE and one RESHAPE in the TFLite graph.
    """

    def __init__(self, network: Hourglass) -> None:
        super().__init__()
        self.network = deepcopy(network)
        self.stacked = network.variant.previous_mask and network.variant.entry == "concat"
        if self.stacked:
            # The joined picture goes in where a network without a previous mask takes its frame.
            self.network.variant = replace(network.variant, previous_mask=False)
        self.eval()

    def forward(self, frame: Tensor, prev_mask: Tensor | None = None) -> dict[str, Tensor]:
        if prev_mask is not None and self.stacked:
            frame, prev_mask = torch.cat([frame, prev_mask], dim=-1), None
        mask = None if prev_mask is None else prev_mask.permute(0, 3, 1, 2)
        return {"mask": self.network(frame.permute(0, 3, 1, 2), mask).permute(0, 2, 3, 1)}


def example(network: Hourglass, resolution: Resolution) -> dict[str, Tensor]:
    """Zeros of the shapes that `network` is exported with, by input name, NCHW; no `prev_mask` where it has none."""
    names = ("frame", "prev_mask") if network.variant.previous_mask else ("frame",)
    return {name: torch.zeros(1, 3 if name == "frame" else 1, *resolution) for name in names}
