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
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """For parameters that `is_matrix`. A step has the size AdamW's has at the same rate (Liu et al. 2025, "Muon is
    scalable for LLM training", section 2.2), so rates carry over.

    The rate of a group may be a tensor, so that a recorded step (training/graphs.py) reads it anew.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], decay: float, momentum: float = 0.95) -> None:
        super().__init__(parameters, {"lr": 0.0, "decay": decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            moved = [parameter for parameter in group["params"] if parameter.grad is not None]
            if moved:
                self._move(moved, group)

    def _move(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        grads = [parameter.grad for parameter in parameters]
        torch._foreach_lerp_(self._velocities(parameters), grads, 1 - group["momentum"])  # type: ignore[arg-type]
        ahead = torch._foreach_lerp(grads, self._velocities(parameters), group["momentum"])  # type: ignore[arg-type]
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["decay"])
        # One product for all matrices of a shape, lying or standing: on a GPU each is far too small for itself.
        alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for parameter, velocity in zip(parameters, ahead, strict=True):
            matrix = velocity.reshape(len(velocity), -1)
            lying = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.mT
            alike[lying.shape[0], lying.shape[1]].append((parameter, lying))
        for shape, pairs in alike.items():
            directions = orthogonal(torch.stack([lying for _, lying in pairs]))
            directions = directions * (group["lr"] * 0.2 * math.sqrt(max(shape)))
            for (parameter, _), direction in zip(pairs, directions, strict=True):
                standing = direction.shape[0] != len(parameter)
                parameter.sub_((direction.mT if standing else direction).reshape(parameter.shape))

    def _velocities(self, parameters: list[Tensor]) -> list[Tensor]:
        for parameter in parameters:
            if "velocity" not in self.state[parameter]:
                self.state[parameter]["velocity"] = torch.zeros_like(parameter)
        return [self.state[parameter]["velocity"] for parameter in parameters]
