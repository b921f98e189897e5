"""What a variant costs on paper: parameters and multiply-accumulates."""

from __future__ import annotations

from models.variant import Resolution, Variant


def parameters(variant: Variant) -> int:
    """Trainable values, batch normalisation included."""
    import torch

    from models.hourglass import Hourglass

    with torch.device("meta"):
        return sum(p.numel() for p in Hourglass(variant).parameters())


def macs(variant: Variant, resolution: Resolution) -> int:
    """Multiply-accumulates of all convolutions for one frame; nothing is computed (meta tensors)."""
    import torch
    from torch import nn

    from models.hourglass import Hourglass

    variant.check_resolution(resolution)
    total = 0

    def count(module: nn.Module, _inputs: object, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        kernel = module.weight[0].numel()  # inputs / groups x height x width
        total += output.numel() * kernel

    with torch.device("meta"):
        network = Hourglass(variant).eval()
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(count)
        network(torch.empty(1, 3, *resolution), torch.empty(1, 1, *resolution))
    return total
