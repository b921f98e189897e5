"""A run on disk: everything a killed training needs to go on as if it had not been."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.muon import Muon, is_matrix


class Ema:
    """Exponential moving average of a network's weights and batch statistics."""

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        self.state = {k: v.detach().clone() for k, v in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Early on the average follows faster, so that it is not of the random start."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for key, value in network.state_dict().items():
            if value.dtype.is_floating_point:
                self.state[key].lerp_(value.detach(), 1 - decay)
            else:
                self.state[key].copy_(value)


@dataclass(frozen=True)
class Schedule:
    """Learning rate over a run: linear warm-up, then a cosine to a hundredth."""

    peak: float
    steps: int
    warm_up: int = 200

    def rate(self, step: int) -> float:
        if step < self.warm_up:
            return self.peak * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.peak * (0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, done))) / 2)


def optimizers(network: nn.Module, muon: bool = False, decay: float = 0.02) -> list[torch.optim.Optimizer]:
    """AdamW without decay on biases and batch normalisation; with `muon`, Muon for what mixes channels."""
    taken = [p for p in network.parameters() if muon and is_matrix(p)]
    rest = [p for p in network.parameters() if not (muon and is_matrix(p))]
    kernels, vectors = [p for p in rest if p.ndim > 1], [p for p in rest if p.ndim <= 1]
    adamw = torch.optim.AdamW([{"params": kernels, "weight_decay": decay}, {"params": vectors, "weight_decay": 0.0}])
    return [adamw, Muon(taken, decay)] if muon else [adamw]


def save(path: Path, values: dict[str, Any]) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(values, partial)
    partial.replace(path)


def load(path: Path) -> dict[str, Any] | None:
    return torch.load(path, weights_only=True) if path.exists() else None


def adopt(network: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Take every tensor of `state` that fits by name and shape; the names that were left as they were."""
    own = network.state_dict()
    fits = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict({**own, **fits})
    return sorted(set(own) - set(fits))
