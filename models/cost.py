"""What a variant costs on paper: parameters and multiply-accumulates."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from models.variant import Resolution, Variant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn


@cache
def parameters(variant: Variant) -> int:
    """Trainable values, batch normalisation included."""
    import torch

    from models.hourglass import Hourglass

    with torch.device("meta"):
        return sum(p.numel() for p in Hourglass(variant).parameters())


@cache
def macs(variant: Variant, resolution: Resolution) -> int:
    """Multiply-accumulates of all convolutions for one frame.

    One frame is computed: meta tensors would save it, and PyTorch's shape functions for them take ten times as long.
    """
    import torch

    from models.hourglass import Hourglass

    variant.check_resolution(resolution)
    with torch.random.fork_rng(devices=[]):  # Weights that nobody uses are not to change what is drawn next.
        network = Hourglass(variant).eval()
    return convolution_macs(network, (torch.zeros(1, 3, *resolution), torch.zeros(1, 1, *resolution)))


def convolution_macs(module: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Multiply-accumulates of all convolutions inside a module that is run once on `inputs`."""
    import torch
    from torch import nn

    total = 0

    def count(convolution: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(convolution, nn.Conv2d)
        kernel = convolution.weight[0].numel()  # inputs / groups x height x width
        total += output.numel() * kernel

    hooks = [m.register_forward_hook(count) for m in module.modules() if isinstance(m, nn.Conv2d)]
    with torch.inference_mode():
        module(*inputs)
    for hook in hooks:
        hook.remove()
    return total
