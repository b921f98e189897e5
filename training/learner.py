"""One network of a training: its weights, their average, its optimisers and its log.

Several learners see the same batches; nothing is shared between them but these.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from models.hourglass import Hourglass
from models.variant import Resolution, Variant
from training import loss, state
from training.answers import resized
from training.options import Options, Speedup
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
        self.optimizers = state.optimizers(self.network, muon=not self.options.adamw)
        self._losses: list[Tensor] = []
        # DDP and graphs hook `forward`; the loss wants logits.
        self.network.forward = self.network.logits  # type: ignore[method-assign]
        self.forward: Forward = self.network

    def state(self) -> dict[str, Any]:
        """What `take` wants to go on as if nothing had been."""
        optimizers = [optimizer.state_dict() for optimizer in self.optimizers]
        return {"network": self.network.state_dict(), "ema": self.ema.state, "optimizers": optimizers, "log": self.log}

    def take(self, values: dict[str, Any]) -> None:
        """Go on from a state; optimisers without memory in it begin anew."""
        self.network.load_state_dict(values["network"])
        self.ema.take(values["ema"])
        for optimizer, kept in zip(self.optimizers, values["optimizers"], strict=bool(values["optimizers"])):
            optimizer.load_state_dict(kept)
        self.log = values["log"]

    def speed_up(self, how: Speedup, lesson: Lesson) -> None:
        """Let the forward and backward passes run as CUDA graphs, or compiled; the weights are as before."""
        if how == "inductor":
            self.forward = torch.compile(self.network)
        elif how == "graphs":
            # The capture runs the network a few times, which moves its batch statistics.
            before = {key: value.clone() for key, value in self.network.state_dict().items()}
            shown = lesson.at(self.resolution)
            self.network.train()
            with self._autocast():
                example = shown.frames[0].clone(), shown.previous.clone()
                graphed = torch.cuda.make_graphed_callables(self.network, example, allow_unused_input=True)
                self.forward = graphed  # type: ignore[assignment]
            self.network.load_state_dict(before)
            self.network.zero_grad(set_to_none=True)

    def _autocast(self) -> torch.autocast:
        # Without the cache, casts of weights are part of a graph.
        graphs = self.options.speedup == "graphs"
        on = self.options.bf16 or self.device.type == "cuda"
        return torch.autocast(self.device.type, torch.bfloat16, enabled=on, cache_enabled=not graphs)

    def step(self, lesson: Lesson, rate: float, number: int) -> None:
        """One step of all optimisers at `rate`; `number` counts steps from the run's first."""
        shown, frames = lesson.at(self.resolution), self.options.frames
        for group in (group for optimizer in self.optimizers for group in optimizer.param_groups):
            group["lr"] = rate
        self.network.train()
        mask = shown.previous
        total = torch.zeros((), device=self.device)
        before: tuple[Tensor, Tensor] | None = None
        for frame, target, weight in zip(shown.frames, shown.targets, shown.weights, strict=True):
            with self._autocast():
                logits = self.forward(frame, mask.detach()).float()
            given, mask = mask, torch.sigmoid(logits)
            total = total + loss.segmentation(logits, target, weight) / frames
            if self.features:
                total = total + self._feature_weight(rate) * self.features(frame, given) / frames
            if before and self.options.temporal_weight:
                changed = loss.unsteadiness(mask, before[0], target, before[1])
                total = total + self.options.temporal_weight * changed / frames
            before = mask, target
        self.network.zero_grad(set_to_none=self.options.speedup != "graphs")
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.ema.update(number)
        self._losses.append(total.detach())

    def _feature_weight(self, rate: float) -> float:
        """Of a feature teacher it falls as the learning rate does."""
        weight = self.options.features(self.name)
        return weight * rate / self.options.rate if self.options.feature_teacher else weight

    def mean_loss(self) -> float:
        """Since the last call of `evaluated`."""
        return float(torch.stack(self._losses).mean()) if self._losses else float("nan")

    def judge(self, sets: Sequence[Judged]) -> dict[str, float]:
        """{set: IOU} of the averaged weights."""
        judged = Hourglass(self.variant)
        judged.load_state_dict(self.ema.state)
        judged = judged.to(self.device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

        @torch.inference_mode()
        def predict(frames: Pixels) -> np.ndarray:
            pictures = torch.from_numpy(frames).to(self.device).float().mul_(1 / 255).permute(0, 3, 1, 2)
            return judged(pictures, torch.zeros_like(pictures[:, :1]))[:, 0].cpu().numpy()

        return score(predict, sets, self.resolution)

    def evaluated(self, entry: dict[str, float]) -> None:
        """Note an evaluation in the log, and count losses anew."""
        self.log.append(entry)
        self._losses.clear()
