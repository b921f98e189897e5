"""A run on disk: everything a killed training needs to go on as if it had not been."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from training.muon import Muon, is_matrix


class Ema:
    """Exponential moving average of a network's weights and batch statistics; the network keeps its tensors."""

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self.decay = decay
        live = network.state_dict()
        self.state = {key: value.detach().clone() for key, value in live.items()}
        floats = [key for key, value in live.items() if value.dtype.is_floating_point]
        self._floats = [self.state[key] for key in floats], [live[key].detach() for key in floats]
        counts = [key for key in live if key not in set(floats)]
        self._counts = [self.state[key] for key in counts], [live[key] for key in counts]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Early on the average follows faster, so that it is not of the random start."""
        torch._foreach_lerp_(*self._floats, 1 - min(self.decay, (1 + step) / (10 + step)))
        if self._counts[0]:
            torch._foreach_copy_(*self._counts)

    def take(self, state: dict[str, Tensor]) -> None:
        """Go on from another average."""
        for key, value in state.items():
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
        return self.peak * cosine((step - self.warm_up) / max(1, self.steps - self.warm_up))

    def held(self, step: int) -> float:
        """The same warm-up, and the peak from then on."""
        return self.peak * min(1.0, (step + 1) / max(1, self.warm_up))


def cosine(done: float) -> float:
    """From 1 at nothing done to a hundredth when all is."""
    return 0.01 + 0.99 * (1 + math.cos(math.pi * min(1.0, max(0.0, done)))) / 2


def optimizers(
    network: nn.Module, muon: bool = False, decay: float = 0.02, recorded: bool = False
) -> list[torch.optim.Optimizer]:
    """AdamW without decay on biases and batch normalisation; with `muon`, Muon for what mixes channels.

    `recorded`: for steps that a CUDA graph repeats. `set_rate` then writes the rate into the device's memory.
    """
    taken = [p for p in network.parameters() if muon and is_matrix(p)]
    rest = [p for p in network.parameters() if not (muon and is_matrix(p))]
    kernels, vectors = [p for p in rest if p.ndim > 1], [p for p in rest if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": kernels, "weight_decay": decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, capturable=recorded, fused=True if recorded else None)
    made: list[torch.optim.Optimizer] = [adamw, Muon(taken, decay)] if muon else [adamw]
    if recorded:
        use_tensor_rates(made)
    return made


def use_tensor_rates(made: list[torch.optim.Optimizer]) -> None:
    """Give every group a rate of its own in the device's memory, where a recorded step reads it."""
    for group in (group for optimizer in made for group in optimizer.param_groups):
        group["lr"] = torch.zeros((), device=group["params"][0].device)


def set_rate(made: list[torch.optim.Optimizer], rate: float) -> None:
    for group in (group for optimizer in made for group in optimizer.param_groups):
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def save(path: Path, values: dict[str, Any]) -> None:
    """Whole or not at all."""
    partial = path.with_suffix(".partial")
    torch.save(values, partial)
    partial.replace(path)


KEYS = {"step", "seconds", "options", "learners"}


def load(path: Path, say: Callable[[str], object] = print) -> dict[str, Any] | None:
    """A saved run; None where there is none. A damaged file is renamed and reported through `say`."""
    if not path.exists():
        return None
    try:
        values = torch.load(path, weights_only=True)
        if not (isinstance(values, dict) and values.keys() >= KEYS):
            raise ValueError("it is no state of a training")
    # A cut or changed file makes torch.load raise nearly anything.
    except Exception as error:
        aside = next(p for n in itertools.count(1) if not (p := path.with_name(f"{path.stem}.damaged-{n}.pt")).exists())
        path.replace(aside)
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        say(f"{path} is damaged and set aside as {aside.name}; the run begins anew ({reason[:120]})")
        return None
    return values


def compact(values: dict[str, Any]) -> dict[str, Any]:
    """A saved run in a fraction of its bytes, to be carried to another machine: averaged weights alone, kernels in
    float16.

    It goes on from the average, and optimisers begin anew: their memory is of the last some 20 steps with Muon. Batch
    statistics and other vectors stay as they are, for a variance may be beyond float16.
    """
    learners = {
        name: {"ema": {k: v.half() if v.ndim == 4 else v for k, v in kept["ema"].items()}, "log": kept["log"]}
        for name, kept in values["learners"].items()
    }
    return {**values, "learners": learners}


def whole(kept: dict[str, Any]) -> dict[str, Any]:
    """A learner's values of a state that may be compact: there the network is its average."""
    ema = {key: value.float() if value.dtype == torch.float16 else value for key, value in kept["ema"].items()}
    return {**kept, "ema": ema, "network": kept.get("network", ema), "optimizers": kept.get("optimizers", [])}


def adopt(network: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Take every tensor of `state` that fits by name and shape; the names that were left as they were."""
    own = network.state_dict()
    fits = {k: v for k, v in state.items() if k in own and own[k].shape == v.shape}
    network.load_state_dict({**own, **fits})
    return sorted(set(own) - set(fits))
