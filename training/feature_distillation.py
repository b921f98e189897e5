"""A network held to the features of a better one on the same trunk, stage by stage (after FitNets, Romero et al., 2015)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.hourglass import Hourglass

STAGES = ("stage8", "stage16", "stage32", "up16", "up8", "up4")
"""What is compared: the encoder's and the decoder's features, as wide whatever squeeze, skips and head."""


def distance(ours: list[Tensor], theirs: list[Tensor]) -> Tensor:
    """The mean over stages of the squared difference, as a share of the variance of `theirs` there."""
    pairs = zip(ours, theirs, strict=True)
    return torch.stack([F.mse_loss(own, other) / (other.var() + 1e-6) for own, other in pairs]).mean()


class FeatureDistillation:
    """The distance between the features of the picture that `network` was last given and those `teacher` has of it."""

    def __init__(self, network: Hourglass, teacher: Hourglass) -> None:
        self._teacher = teacher.eval().requires_grad_(False)
        self._ours, self._theirs = _Watched(network), _Watched(teacher)

    def __call__(self, frame: Tensor, prev_mask: Tensor) -> Tensor:
        with torch.no_grad():
            self._teacher.logits(frame, prev_mask)
        return distance(self._ours.features(), self._theirs.features())


class _Watched:
    def __init__(self, network: Hourglass) -> None:
        self._seen: dict[str, Tensor] = {}
        for name in STAGES:
            network.get_submodule(name).register_forward_hook(self._noting(name))

    def _noting(self, name: str):  # type: ignore[no-untyped-def]
        def note(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            self._seen[name] = output

        return note

    def features(self) -> list[Tensor]:
        return [self._seen[name].float() for name in STAGES]
