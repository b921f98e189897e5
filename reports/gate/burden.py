"""A real artifact with extra work inside: the slow-down that the gate's self-test injects."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor, nn

from converters.artifact import Format, Spec
from converters.network import fold
from converters.registry import converter
from models.checkpoint import load
from models.hourglass import Hourglass
from models.variant import Resolution

SHARE = 1e-6
"""Of the branch in the logit: too little to move a mask, and too much for a converter to leave the branch out."""
STRIDE = 16


class Burdened(Hourglass):
    """The network of a checkpoint, and a branch of convolutions on the picture whose mean is added to every logit.

    `width` is the middle of the branch, in channels. The branch looks at one pixel in STRIDE by STRIDE alone, so that
    its cost begins near nothing and grows with the width: about 18 000 multiply-accumulates a channel at 256x256.
    """

    def __init__(self, network: Hourglass, width: int) -> None:
        super().__init__(network.variant)
        self.load_state_dict(network.state_dict())
        inputs = 4 if network.variant.previous_mask else 3
        self.burden = nn.Sequential(
            nn.Conv2d(inputs, 4, 1, stride=STRIDE),
            nn.ReLU(),
            nn.Conv2d(4, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 4, 3, padding=1),
            nn.ReLU(),
        )
        self.eval()

    def logits(self, frame: Tensor, prev_mask: Tensor) -> Tensor:
        picture = torch.cat([frame, prev_mask], dim=1) if self.variant.previous_mask else frame
        return super().logits(frame, prev_mask) + SHARE * self.burden(picture).mean(dim=(1, 2, 3), keepdim=True)


def convert(checkpoint: Path, format: Format, resolution: Resolution, width: int, folder: Path) -> Path:
    """The float32 artifact of `checkpoint` with a burden of `width` channels, in `folder`, made once for its name."""
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
    torch.manual_seed(0)
    loaded = load(checkpoint)
    module = converter(format)
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{loaded.name}-{loaded.sha256[:8]}-sparse{width}{module.SUFFIX}"
    if out.exists():
        return out
    spec = Spec(loaded.name, checkpoint, loaded.sha256, format, "fp32", resolution)
    return module.convert(fold(Burdened(loaded.network(), width)), spec, out, None)
