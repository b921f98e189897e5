"""A real artifact with extra work: the slow-down that the gate's self-test injects."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from converters.artifact import Format, Spec
from converters.child import last_line
from converters.network import fold
from converters.registry import converter
from models.checkpoint import load
from models.hourglass import Hourglass
from models.variant import Resolution

SHARE = 1e-6
"""Of the branch in the logit: too little to move a mask, and too much for a converter to leave the branch out."""
STRIDE = 16
ROOT = Path(__file__).resolve().parent.parent.parent


class SlowedDown(Hourglass):
    """The network of a checkpoint, and a branch of convolutions on the picture whose mean is added to every logit.

    `width` is the middle of the branch, in channels. The branch looks at one pixel in STRIDE by STRIDE alone, so that
    its cost begins near nothing and grows with the width: about 18 000 multiply-accumulates a channel at 256x256.
    """

    def __init__(self, network: Hourglass, width: int) -> None:
        super().__init__(network.variant)
        self.load_state_dict(network.state_dict())
        inputs = 4 if network.variant.previous_mask else 3
        self.extra = nn.Sequential(
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
        return super().logits(frame, prev_mask) + SHARE * self.extra(picture).mean(dim=(1, 2, 3), keepdim=True)


def convert(checkpoint: Path, format: str, resolution: Resolution, width: int, folder: Path) -> Path:
    """The float32 artifact of `checkpoint` with an extra branch of `width` channels, once for its name, in `folder`.

    A process of its own converts, as converters print to stderr. ValueError with its last line if it fails.
    """
    loaded = load(checkpoint)
    out = folder / f"{loaded.name}-{loaded.sha256[:8]}-sparse{width}{converter(format).SUFFIX}"
    if out.exists():
        return out
    folder.mkdir(parents=True, exist_ok=True)
    words = (checkpoint.absolute(), format, *resolution, width, out.absolute())
    command = [sys.executable, "-m", "gate.selftest.synthetic_slowdown", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        raise ValueError(f"no artifact with a synthetic slow-down can be made: {last_line(done.stderr)}")
    return out


def main(checkpoint: Path, format: Format, resolution: Resolution, width: int, out: Path) -> None:
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
    torch.manual_seed(0)
    loaded = load(checkpoint)
    spec = Spec(loaded.name, checkpoint, loaded.sha256, format, "fp32", resolution)
    converter(format).convert(fold(SlowedDown(loaded.network(), width)), spec, out, None)


if __name__ == "__main__":
    path, kind, height, side, channels, artifact = sys.argv[1:]
    main(Path(path), cast(Format, kind), (int(height), int(side)), int(channels), Path(artifact))
