"""Feature distillation from MediaPipe's trunk, for a trunk that was initialised with its weights.

After FitNets (Romero et al., 2015). A trunk trained with the teacher's masks alone was soon worse on selfies than its
initial weights (`training.init_from_mediapipe`). The effect of this loss alone was not measured (docs/experiments.md).
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.inverted import Inverted, InvertedTrunk, Join, convolve
from training.init_from_mediapipe import Kernel, take


def original(kernels: list[Kernel]) -> InvertedTrunk:
    """MediaPipe's trunk as published, for features alone: its strided 5x5 kernel is complete, with TFLite's padding."""
    trunk = InvertedTrunk(previous_mask=False, published=True)
    take(trunk, kernels)
    weight, bias = next(kernel for kernel in kernels if kernel[0].shape[1:] == (1, 5, 5))
    width = len(weight)
    whole = convolve(width, width, kernel=5, stride=2, groups=width)
    whole.padding = (0, 0)
    with torch.no_grad():
        whole.weight.copy_(torch.from_numpy(weight.copy()))
        whole.bias.copy_(torch.from_numpy(bias.copy()))  # type: ignore[union-attr]
    trunk.stage16[0].depthwise = nn.Sequential(nn.ZeroPad2d((1, 2, 1, 2)), whole)
    return trunk.eval().requires_grad_(False)


class Watched:
    """The features of a trunk's last forward pass, by the name of their layer."""

    def __init__(self, trunk: InvertedTrunk) -> None:
        self.seen: dict[str, Tensor] = {}
        for name, layer in trunk.named_modules():
            if isinstance(layer, Inverted | Join):
                layer.register_forward_hook(partial(self._note, name))

    def _note(self, name: str, _layer: nn.Module, _inputs: tuple[Tensor, ...], out: Tensor) -> None:
        self.seen[name] = out


class MediaPipeFeatures:
    """The distance between the features of a trunk's last forward pass and the original's of the same picture."""

    def __init__(self, trunk: InvertedTrunk, original: InvertedTrunk) -> None:
        self.ours, self.theirs = Watched(trunk), Watched(original)
        self._original = original

    def __call__(self, frame: Tensor, _prev_mask: Tensor) -> Tensor:
        """The mean over common layers of the squared difference, as a share of the original's variance there."""
        cuda = frame.device.type == "cuda"
        with torch.no_grad(), torch.autocast(frame.device.type, torch.bfloat16, enabled=cuda):
            self._original(frame, frame[:, :1])
        theirs = self.theirs.seen
        pairs = [(own, theirs[name].float()) for name, own in self.ours.seen.items() if name in theirs]
        return torch.stack([F.mse_loss(s.float(), t) / (t.var() + 1e-6) for s, t in pairs]).mean()
