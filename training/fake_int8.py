"""Quantisation-aware fine-tuning: the network is trained as if its activations already were integers of 8 bits.

After Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only inference"
(2018). Activations alone, a range a tensor: weights, a range a channel, cost the inverted trunk nothing (figures:
docs/experiments.md). The checkpoint stays one of floats, whose static int8 loses less.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.ao.quantization import FakeQuantize, MovingAverageMinMaxObserver

from models.inverted import Gate, Inverted, InvertedTrunk, Join


def attach(network: nn.Module) -> None:
    """Round what every convolution reads, and of the trunk's convolutions what they write and no ReLU follows: it is
    added, multiplied or put through another function, each an operator of its own in int8."""
    for module in list(network.modules()):
        if isinstance(module, nn.Conv2d):
            module.register_forward_pre_hook(_Reading())
        for writing in _written(module):
            writing.register_forward_hook(_Writing())


def _written(module: nn.Module) -> list[nn.Module]:
    if isinstance(module, InvertedTrunk):
        return [module.context_gate, *([module.mask] if module.mask is not None else [])]
    if isinstance(module, Inverted):
        hard = module.act is nn.functional.hardswish
        return [module.narrow, *([module.widen, module.depthwise] if hard else [])]
    if isinstance(module, Gate):
        return [module.excite]
    return [module.project] if isinstance(module, Join) else []


class _Rounding:
    def __init__(self) -> None:
        self._round = FakeQuantize(MovingAverageMinMaxObserver, quant_min=0, quant_max=255)


class _Reading(_Rounding):
    def __call__(self, _module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        return (self._round(inputs[0].float()),)


class _Writing(_Rounding):
    def __call__(self, _module: nn.Module, _inputs: tuple[Tensor], output: Tensor) -> Tensor:
        return self._round(output.float())
