"""One network of a training: its weights, their average, its optimisers and its log.

Several learners see the same batches; nothing is shared between them but these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.hourglass import Hourglass
from models.variant import Resolution, Variant
from training import loss, state
from training.answers import resized
from training.enlarge import by_products
from training.options import Options
from training.validation import Judged, Pixels, score

Forward = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Shown:
    """A batch on the device: frames T x (N, 3, H, W), targets T x (N, 1, H, W), the previous mask (N, 1, H, W) and
    the weight of each pixel T x (N, 1, H, W)."""

    frames: Sequence[Tensor]
    targets: Sequence[Tensor]
    previous: Tensor
    weights: Sequence[Tensor]


class Lesson:
    """A batch at the resolutions that learners ask for, each made once."""

    def __init__(self, frames: Sequence[Tensor], targets: Sequence[Tensor], previous: Tensor) -> None:
        self._drawn = frames, targets, previous
        self._made: dict[Resolution, Shown] = {}

    def at(self, resolution: Resolution) -> Shown:
        if resolution not in self._made:
            frames, targets, previous = self._drawn
            frames, targets = ([resized(one, resolution) for one in many] for many in (frames, targets))
            weights = [loss.pixel_weights(target) for target in targets]
            self._made[resolution] = Shown(frames, targets, resized(previous, resolution), weights)
        return self._made[resolution]


class Learner:
    """A variant in training; `forward` (frame, previous mask) to logits may be replaced by a faster or a shared one."""

    def __init__(self, name: str, variant: Variant, resolution: Resolution, options: Options) -> None:
        self.name, self.variant, self.resolution, self.options = name, variant, resolution, options
        # Each begins as it would alone.
        torch.manual_seed(options.seed)
        self.network = Hourglass(variant)
        self.log: list[dict[str, float]] = []
        self.parent: dict[str, Any] = {}
        self.features: Callable[[Tensor, Tensor], Tensor] | None = None

    def ready(self, device: torch.device) -> None:
        """Go to the device; optimisers and average begin with the weights of now."""
        self.device = device
        self.network = self.network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = state.Ema(self.network)
        recorded = self.options.speedup == "graphs"
        self.optimizers = state.optimizers(self.network, muon=not self.options.adamw, recorded=recorded)
        self.rate: float | Tensor = torch.zeros((), device=device) if recorded else 0.0
        self._losses: list[Tensor] = []
        self._before = (0.0, 0)
        """Mean and number of the losses before this call of the command, since the last evaluation."""
        # DDP and graphs hook `forward`; the loss wants logits.
        self.network.forward = self.network.logits  # type: ignore[method-assign]
        self.forward: Forward = self.network

    def state(self) -> dict[str, Any]:
        """What `take` wants to go on as if nothing had been."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        losses = [self.mean_loss(), self._loss_count()] if self._loss_count() else []
        weights = {"network": self.network.state_dict(), "ema": self.ema.state}
        return {**weights, "optimizers": optimizers, "log": self.log, "losses": losses}

    def take(self, values: dict[str, Any]) -> None:
        """Go on from a state; optimisers without memory in it begin anew."""
        self.network.load_state_dict(values["network"])
        self.ema.take(values["ema"])
        for optimizer, kept in zip(self.optimizers, values["optimizers"], strict=bool(values["optimizers"])):
            optimizer.load_state_dict(kept)
        if isinstance(self.rate, Tensor):
            state.use_tensor_rates(self.optimizers)
        self.log = values["log"]
        if values.get("losses"):
            self._before = (values["losses"][0], values["losses"][1])

    def _logits(self, frame: Tensor, prev_mask: Tensor) -> Tensor:
        """(N, 1, H, W) float32. With CUDA, or asked for bfloat16, everything but batch statistics is in bfloat16."""
        if self.forward is not self.network or not (self.options.bf16 or self.device.type == "cuda"):
            on = self.options.bf16 or self.device.type == "cuda"
            with torch.autocast(self.device.type, torch.bfloat16, enabled=on):
                return self.forward(frame, prev_mask).float()
        # No autocast: it enlarges in float32, the largest tensors of a network.
        half = {name: weight.bfloat16() for name, weight in self._kernels.items()}
        pair = frame.bfloat16(), prev_mask.bfloat16()
        with by_products():
            return torch.func.functional_call(self.network, half, pair).float()

    @cached_property
    def _kernels(self) -> dict[str, Tensor]:
        """Weights and biases of convolutions, by name."""
        return {
            f"{path}.{name}": value
            for path, module in self.network.named_modules()
            if isinstance(module, nn.Conv2d)
            for name, value in module.named_parameters()
        }

    def step(self, lesson: Lesson, rate: float, number: int) -> None:
        """One step of all optimisers at `rate`; `number` counts steps from the run's first."""
        self.set_rate(rate)
        self.note(self.update(lesson.at(self.resolution)), number)

    def set_rate(self, rate: float) -> None:
        state.set_rate(self.optimizers, rate)
        if isinstance(self.rate, Tensor):
            self.rate.fill_(rate)
        else:
            self.rate = rate

    def note(self, loss: Tensor, number: int) -> None:
        """What follows an `update`: the average of the weights, and the loss for the log."""
        self.ema.update(number)
        self._losses.append(loss)

    def update(self, shown: Shown) -> Tensor:
        """Both passes and the step of all optimisers, without a word to the processor: the loss, ()."""
        self.network.train()
        mask = shown.previous
        total = torch.zeros((), device=self.device)
        before: tuple[Tensor, Tensor] | None = None
        for frame, target, weight in zip(shown.frames, shown.targets, shown.weights, strict=True):
            logits = self._logits(frame, mask.detach())
            given, mask = mask, torch.sigmoid(logits)
            total = total + loss.segmentation(logits, target, weight)
            if self.features:
                total = total + self._feature_weight() * self.features(frame, given)
            if before and self.options.temporal_weight:
                changed = loss.unsteadiness(mask, before[0], target, before[1])
                total = total + self.options.temporal_weight * changed
            before = mask, target
        total = total / len(shown.frames)
        self.network.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        return total.detach()

    def _feature_weight(self) -> float | Tensor:
        """It falls as the learning rate does: what is followed at first need not be kept to the end."""
        return self.rate * (self.options.features(self.name) / self.options.rate)

    def mean_loss(self) -> float:
        """Since the last call of `evaluated`."""
        if not self._loss_count():
            return float("nan")
        mean, count = self._before
        here = float(torch.stack(self._losses).sum()) if self._losses else 0.0
        return (mean * count + here) / self._loss_count()

    def _loss_count(self) -> int:
        return self._before[1] + len(self._losses)

    def judge(self, sets: Sequence[Judged]) -> dict[str, float]:
        """{set: IOU} of the averaged weights."""
        judged = Hourglass(self.variant)
        judged.load_state_dict(self.ema.state)
        judged = judged.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

        @torch.inference_mode()
        def predict(frames: Pixels) -> np.ndarray:
            pictures = torch.from_numpy(frames).to(self.device).float().mul_(1 / 255).permute(0, 3, 1, 2)
            return judged(pictures, torch.zeros_like(pictures[:, :1]))[:, 0].cpu().numpy()

        # A search for the fastest algorithm of every shape took ten times as long as the pictures (H100).
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, allow_tf32=True):
            return score(predict, sets, self.resolution)

    def evaluated(self, entry: dict[str, float]) -> None:
        """Note an evaluation in the log, and count losses anew."""
        self.log.append(entry)
        self._losses.clear()
        self._before = (0.0, 0)
