"""A teacher in PyTorch that answers whole batches on the training's device.

`training.teacher` is the other kind: any model in its runtime, one picture a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.variant import Resolution
from training.datasets import Pixels

BATCHES = {"cuda": 64, "cpu": 2}
"""Pictures labelled at once: on a processor, two keep the features in its cache and take half of the time of eight."""


@dataclass(frozen=True)
class Teacher:
    """`network` maps (N, 3, h, w) in [0, 1] at `resolution` (h, w) to masks (N, 1, h, w) in [0, 1].

    `second_look` is the side at which it sees the mirror image too, and answers with the mean; None for one look.
    """

    network: Callable[[Tensor], Tensor]
    resolution: Resolution
    device: torch.device
    second_look: int | None = None

    @torch.inference_mode()
    def __call__(self, frames: Tensor) -> Tensor:
        """Frames (N, 3, H, W) in [0, 1] to masks (N, 1, H, W)."""
        first = self._at(frames, self.resolution)
        if self.second_look is None:
            return first
        return (first + self._at(frames.flip(3), (self.second_look, self.second_look)).flip(3)) / 2

    def _at(self, frames: Tensor, resolution: Resolution) -> Tensor:
        return resized(self.network(resized(frames, resolution)), (frames.shape[2], frames.shape[3])).clamp(0, 1)

    @torch.inference_mode()
    def label(self, pictures: Sequence[Pixels]) -> list[Pixels]:
        """Soft masks (H, W) uint8 of pictures (H, W, 3) uint8: the mean with the mirror image's."""
        import cv2

        masks: list[Pixels] = []
        height, width = self.resolution
        batch = BATCHES[self.device.type]
        for at in range(0, len(pictures), batch):
            some = pictures[at : at + batch]
            small = np.stack([cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA) for p in some])
            frames = torch.from_numpy(small).to(self.device).float().mul_(1 / 255).permute(0, 3, 1, 2)
            mean = (self.network(frames) + self.network(frames.flip(3)).flip(3)) / 2
            for picture, mask in zip(some, mean[:, 0].float().cpu().numpy(), strict=True):
                full = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
                masks.append(np.rint(np.clip(full, 0, 1) * 255).astype(np.uint8))
        return masks


def resized(values: Tensor, resolution: Resolution) -> Tensor:
    """(N, C, H, W) at another resolution, averaged where it shrinks; itself where it has that one."""
    if values.shape[2:] == resolution:
        return values
    return F.interpolate(values, resolution, mode="bilinear", align_corners=False, antialias=True)


def of_network(
    network: nn.Module, resolution: Resolution, device: torch.device, second_look: int | None = None
) -> Teacher:
    network = network.to(device).eval().requires_grad_(False)
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Teacher(network, resolution, device, second_look)


def of_checkpoint(path: Path, device: torch.device) -> Teacher:
    """A network of our own, given no previous mask. BadCheckpoint when the file is none."""
    from models import checkpoint

    one = checkpoint.load(path)
    network = one.network()
    teacher = of_network(network, one.variant.resolution, device)
    return Teacher(lambda frames: network(frames, torch.zeros_like(frames[:, :1])), teacher.resolution, device)
