"""Feature distillation from a better network with the same trunk, stage by stage.

After FitNets (Romero et al., 2015).
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.hourglass import Hourglass

STAGES = ("stage8", "stage16", "stage32", "up16", "up8", "up4")
"""The encoder's and the decoder's outputs, whose widths do not depend on squeeze, skips and head."""


def distance(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """The mean over stages of the squared difference, as a share of the variance of `theirs` there."""
    pairs = zip(ours, theirs, strict=True)
    return torch.stack([F.mse_loss(own, other) / (other.var() + 1e-6) for own, other in pairs]).mean()


class FeatureTeacher:
    """A trained network whose features several learners follow; it runs once for the same input tensors."""

    def __init__(self, network: Hourglass) -> None:
        self._network = network.eval().requires_grad_(False)
        self._watched = Watched(network)
        self._asked: tuple[Tensor, Tensor] | None = None
        self._kept: list[tuple[Tensor, Tensor, list[Tensor]]] = []

    @torch.no_grad()
    def features(self, frame: Tensor, prev_mask: Tensor) -> list[Tensor]:
        """Of `STAGES`, of a picture (N, 3, H, W) and the previous mask (N, 1, H, W)."""
        for kept_frame, kept_mask, features in self._kept:
            if kept_frame is frame and kept_mask is prev_mask:
                return features
        if not self._asked or self._asked[0] is not frame or self._asked[1] is not prev_mask:
            self._run(frame, prev_mask)
            self._asked = frame, prev_mask
        return self._watched.features()

    @torch.no_grad()
    def keep(self, frame: Tensor, prev_mask: Tensor) -> None:
        """From now on `features` of these very tensors are what they give now, in the same memory after every call.

        A recorded step reads them there, and several may at the same time.
        """
        self._run(frame, prev_mask)
        for kept_frame, kept_mask, features in self._kept:
            if kept_frame is frame and kept_mask is prev_mask:
                torch._foreach_copy_(features, self._watched.features())
                return
        self._kept.append((frame, prev_mask, [one.clone() for one in self._watched.features()]))

    def _run(self, frame: Tensor, prev_mask: Tensor) -> None:
        with torch.autocast(frame.device.type, torch.bfloat16, enabled=frame.device.type == "cuda"):
            self._network.logits(frame, prev_mask)


class FeatureDistillation:
    """The distance between the features of `network`'s last forward pass and the teacher's of the same picture."""

    def __init__(self, network: Hourglass, teacher: FeatureTeacher) -> None:
        self._watched, self.teacher = Watched(network), teacher

    def __call__(self, frame: Tensor, prev_mask: Tensor) -> Tensor:
        return distance(self._watched.features(), self.teacher.features(frame, prev_mask))


class Watched:
    """The features of a network's last forward pass."""

    def __init__(self, network: Hourglass) -> None:
        self._seen: dict[str, Tensor] = {}
        for name in STAGES:
            network.get_submodule(name).register_forward_hook(partial(self._note, name))

    def _note(self, name: str, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        self._seen[name] = output

    def features(self) -> list[Tensor]:
        """Of `STAGES`, in order."""
        return [self._seen[name].float() for name in STAGES]
