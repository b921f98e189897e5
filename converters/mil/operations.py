"""MIL operations in PyTorch on the CPU, each after Apple's MIL operation reference for iOS 15 and iOS 16.

Tensors travel as float32 that holds values of their stated type: the executor rounds every result of type fp16.
So each operation accumulates in float32 and rounds once, at its end. What Apple's CPU, GPU and Neural Engine do
between an operation's inputs and its output is not documented; this is the nearest to exact among their choices.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Kernel = Callable[..., Tensor]


class Refused(ValueError):
    """A program this executor will not run, since it could not vouch for the answer; its text is one sentence."""


@dataclass(frozen=True)
class Operation:
    """How an operation is run: its tensor arguments in order, and what makes its kernel from its constants."""

    tensors: tuple[str, ...]
    prepare: Callable[..., Kernel]

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.prepare).parameters)


KNOWN: dict[str, Operation] = {}


def operation(*tensors: str) -> Callable[[Callable[..., Kernel]], Callable[..., Kernel]]:
    """Register a function under its own name: it takes the constant parameters by name and returns the kernel."""

    def register(prepare: Callable[..., Kernel]) -> Callable[..., Kernel]:
        KNOWN[prepare.__name__] = Operation(tensors, prepare)
        return prepare

    return register


def _padding(pad_type: str, pad: Any) -> list[int]:
    """(before, after) of the last dimension first, as torch pads."""
    if pad_type == "valid":
        return [0, 0, 0, 0]
    if pad_type == "custom":
        top, bottom, left, right = (int(p) for p in pad)
        return [left, right, top, bottom]
    # The reference states two rules for `same` that differ for even kernels and for strides.
    raise Refused(f"pad_type {pad_type!r} is not known, only 'valid' and 'custom'")


def _pair(name: str, values: Any) -> tuple[int, int]:
    if len(values) != 2:
        raise Refused(f"{name} {list(map(int, values))} is not of a picture's two dimensions")
    return int(values[0]), int(values[1])


@operation("x", "weight", "bias")
def conv(*, strides: Any, pad_type: str, pad: Any, dilations: Any, groups: int) -> Kernel:
    stride, dilation = _pair("strides", strides), _pair("dilations", dilations)
    left, right, top, bottom = sides = _padding(pad_type, pad)
    symmetric = left == right and top == bottom

    def run(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if symmetric:
            return F.conv2d(x, weight, bias, stride, (top, left), dilation, int(groups))
        return F.conv2d(F.pad(x, sides), weight, bias, stride, 0, dilation, int(groups))

    return run


@operation("x")
def avg_pool(
    *, kernel_sizes: Any, strides: Any, pad_type: str, pad: Any, exclude_padding_from_average: bool, ceil_mode: bool
) -> Kernel:
    if ceil_mode:
        raise Refused("ceil_mode true is not known")
    kernel, stride = _pair("kernel_sizes", kernel_sizes), _pair("strides", strides)
    sides = _padding(pad_type, pad)

    def run(x: Tensor) -> Tensor:
        mean = F.avg_pool2d(F.pad(x, sides), kernel, stride)
        if not exclude_padding_from_average:
            return mean
        return mean / F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), sides), kernel, stride)

    return run


@operation("x")
def upsample_bilinear(*, scale_factor_height: float, scale_factor_width: float, align_corners: bool) -> Kernel:
    def run(x: Tensor) -> Tensor:
        # By size, not by factor: the grid's spacing comes from the whole number of output pixels.
        size = [int(x.shape[-2] * float(scale_factor_height)), int(x.shape[-1] * float(scale_factor_width))]
        return F.interpolate(x, size=size, mode="bilinear", align_corners=bool(align_corners))

    return run


@operation("values")
def concat(*, axis: int, interleave: bool) -> Kernel:
    def chained(values: list[Tensor]) -> Tensor:
        return torch.cat(values, int(axis))

    def interleaved(values: list[Tensor]) -> Tensor:
        first = int(axis) % values[0].ndim
        return torch.stack(values, first + 1).flatten(first, first + 1)

    return interleaved if interleave else chained


@operation("x", "y")
def add() -> Kernel:
    return torch.add


@operation("x", "y")
def mul() -> Kernel:
    return torch.mul


@operation("x")
def reduce_mean(*, axes: Any, keep_dims: bool) -> Kernel:
    dimensions = [int(axis) for axis in axes]
    return lambda x: x.mean(dimensions, keepdim=bool(keep_dims))


@operation("x")
def pixel_shuffle(*, upscale_factor: int) -> Kernel:
    return lambda x: F.pixel_shuffle(x, int(upscale_factor))


@operation("x")
def relu() -> Kernel:
    return torch.relu


@operation("x")
def thresholded_relu(*, alpha: float) -> Kernel:
    return lambda x: torch.where(x >= float(alpha), x, torch.zeros_like(x))


@operation("x")
def sigmoid_hard(*, alpha: float, beta: float) -> Kernel:
    return lambda x: (float(alpha) * x + float(beta)).clamp(0, 1)


@operation("x")
def sigmoid() -> Kernel:
    return torch.sigmoid


@operation("x")
def transpose(*, perm: Any) -> Kernel:
    order = [int(axis) for axis in perm]
    return lambda x: x.permute(order)


@operation("x")
def reshape(*, shape: Any) -> Kernel:
    sides = [int(side) for side in shape]
    return lambda x: x.reshape(sides)


@operation("x")
def softmax(*, axis: int) -> Kernel:
    return lambda x: x.softmax(int(axis))


@operation("x")
def cast(*, dtype: str) -> Kernel:
    if dtype not in ("fp16", "fp32"):
        raise Refused(f"dtype {dtype!r} is not known, only 'fp16' and 'fp32'")

    def run(x: Tensor) -> Tensor:
        return x  # the executor rounds to the result's type

    return run
