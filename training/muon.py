"""Muon: momentum, each matrix of it made orthogonal before the step.

Jordan et al. 2024, kellerjordan.github.io/posts/muon.

A convolution's kernel counts as the matrix (outputs, inputs x height x width). The first and the last layer, depthwise
kernels, biases and batch normalisation are left to AdamW, as in the source.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn


def is_matrix(parameter: nn.Parameter) -> bool:
    """Whether a kernel (outputs, inputs, height, width) mixes channels, of more than a picture into more than one."""
    return parameter.ndim == 4 and parameter.shape[0] > 1 and parameter.shape[1] > 4


def orthogonal(matrices: Tensor, steps: int = 5) -> Tensor:
    """(N, R, C) to about the nearest orthogonal matrices: singular values between 0.7 and 1.2.

    Newton-Schulz iteration with the quintic's coefficients of the source.
    """
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        square = x @ x.mT
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For parameters that `is_matrix`. A step has the size AdamW's has at the same rate (Liu et al. 2025, "Muon is
    scalable for LLM training", section 2.2), so rates carry over."""

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": 0.0, "decay": decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike[parameter.shape[0], parameter[0].numel()].append(parameter)
            for shape, parameters in alike.items():
                self._move(parameters, shape, group)

    def _move(self, parameters: list[Tensor], shape: tuple[int, int], group: dict[str, Any]) -> None:
        ahead = []
        for parameter in parameters:
            assert parameter.grad is not None
            velocity = self.state[parameter].setdefault("velocity", torch.zeros_like(parameter))
            velocity.lerp_(parameter.grad, 1 - group["momentum"])
            ahead.append(parameter.grad.lerp(velocity, group["momentum"]).reshape(shape))
        directions = orthogonal(torch.stack(ahead))
        size = group["lr"] * 0.2 * math.sqrt(max(shape))
        for parameter, direction in zip(parameters, directions, strict=True):
            parameter.mul_(1 - group["lr"] * group["decay"])
            parameter.sub_(direction.view(parameter.shape), alpha=size)
