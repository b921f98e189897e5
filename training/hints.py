"""What a peer's network sees on its way, as hints for a trunk that began with its weights.

After FitNets (Romero et al., 2015). A trunk trained on answers alone soon knew less of selfies than the weights that it
began with (`training.begin`); what hints are worth by themselves was not measured (docs/experiments.md).
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.inverted import Inverted, InvertedTrunk, Join, convolve
from training.begin import Kernel, take


def original(kernels: list[Kernel]) -> InvertedTrunk:
    """MediaPipe's trunk as it was published, for features alone: its 5x5 kernel that strides is whole, and padded as
    TFLite does."""
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
    """The features inside a trunk of the picture that it was last given, by the name of their layer."""

    def __init__(self, trunk: InvertedTrunk) -> None:
        self.seen: dict[str, Tensor] = {}
        for name, layer in trunk.named_modules():
            if isinstance(layer, Inverted | Join):
                layer.register_forward_hook(partial(self._note, name))

    def _note(self, name: str, _layer: nn.Module, _inputs: tuple[Tensor, ...], out: Tensor) -> None:
        self.seen[name] = out


class Hints:
    """How far a trunk's features of the picture that it was last given are from the original's."""

    def __init__(self, trunk: InvertedTrunk, original: InvertedTrunk) -> None:
        self.ours, self.theirs = Watched(trunk), Watched(original)
        self._original = original

    def __call__(self, frame: Tensor, _prev_mask: Tensor) -> Tensor:
        """The mean over common layers of the squared difference, as a share of the original's variance there."""
        with torch.no_grad():
            self._original(frame, frame[:, :1])
        theirs = self.theirs.seen
        pairs = [(own, theirs[name]) for name, own in self.ours.seen.items() if name in theirs]
        return torch.stack([F.mse_loss(s.float(), t) / (t.var() + 1e-6) for s, t in pairs]).mean()
