"""The trunk of inverted residuals: wide middles, depthwise kernels and channel gates instead of squeezed bottlenecks.

After MobileNetV3 (Howard et al., 2019) in the arrangement and widths of MediaPipe's selfie network (Apache-2.0), so
that it can start from that network's weights (`training.init_from_mediapipe`). What differs: even kernels where it
strides, so that TFLite needs no PAD; a stem of 2x2 pixels, which costs a quarter of a 4x4 one's multiply-accumulates
where there are most pixels, and a plain ReLU behind it; and the previous mask, added at stride 4. There is no batch
normalisation: the weights it begins with have swallowed theirs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.variant import MIDDLES, Middles

STEM, WIDTHS, WIDEST = 16, (24, 32), 128
"""Channels at stride 4, and by default at stride 2; at strides 8 and 16; of what leaves stride 16."""


def convolve(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution with bias; an even `kernel` where it strides."""
    padding = (kernel - stride) // 2 if stride > 1 else kernel // 2
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups)


class Gate(nn.Module):
    """Squeeze-and-excitation (Hu et al., 2018): from the mean of (N, C, H, W), a factor in 0..1 a channel."""

    def __init__(self, width: int, middle: int) -> None:
        super().__init__()
        self.squeeze = convolve(width, middle)
        self.excite = convolve(middle, width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))


Activation = Callable[[Tensor], Tensor]


class Inverted(nn.Module):
    """Widen, a depthwise kernel, a gate, narrow; added to the input where the shapes agree.

    (N, inputs, H, W) to (N, outputs, H / stride, W / stride), not rectified.
    """

    def __init__(
        self,
        inputs: int,
        middle: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        gate: int | None = None,
        act: Activation = F.relu,
    ) -> None:
        super().__init__()
        self.widen = convolve(inputs, middle)
        self.depthwise = convolve(middle, middle, kernel, stride, groups=middle)
        self.gate = Gate(middle, gate) if gate else None
        self.narrow = convolve(middle, outputs)
        self.act = act
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.depthwise(self.act(self.widen(x))))
        y = self.narrow(y if self.gate is None else y * self.gate(y))
        return x + y if self.residual else y


class Join(nn.Module):
    """One decoder step: project, double bilinearly, ADD the gated skip, refine depthwise.

    MediaPipe's network doubles first. The result is the same, as each new pixel is a mean of old ones whose weights sum
    to 1, and costs a quarter of the multiply-accumulates.

    (N, inputs, H, W) and (N, width, 2H, 2W) to (N, width, 2H, 2W).
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.project = convolve(inputs, width)
        self.gate = Gate(width, width)
        self.mix = convolve(width, width)
        self.refine = convolve(width, width, kernel=3, groups=width)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        x = F.interpolate(self.project(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        x = F.relu(self.mix(x + skipped * self.gate(x + skipped)))
        return x + F.relu(self.refine(x))


class InvertedTrunk(nn.Module):
    """(N, 3, H, W) and (N, 1, H, W), or no mask, to features (N, STEM, H/4, W/4); H and W are multiples of 16.

    `stem2`, `middles` and `kernel16` are those of a `Variant`. `published`: with the stem that MediaPipe's network
    has, a hard-swish behind it, for features as it sees them.
    """

    def __init__(
        self,
        previous_mask: bool,
        published: bool = False,
        stem2: int = STEM,
        middles: Middles = MIDDLES,
        kernel16: int = 5,
    ) -> None:
        super().__init__()
        (w8, w16), ((m4,), (m8, *more8), (m16, *more16)) = WIDTHS, middles
        self.stem = convolve(3, stem2, kernel=4 if published else 2, stride=2)
        self.act: Activation = F.hardswish if published else F.relu
        self.stage4 = Inverted(stem2, m4, STEM, kernel=4, stride=2, gate=m4 // 2)
        self.mask = convolve(1, STEM, kernel=4, stride=4) if previous_mask else None
        self.stage8 = nn.Sequential(
            Inverted(STEM, m8, w8, kernel=4, stride=2), *(Inverted(w8, middle, w8, kernel=3) for middle in more8)
        )
        self.stage16 = nn.Sequential(
            Inverted(w8, m16, w16, kernel=4, stride=2, gate=m16 // 4, act=F.hardswish),
            *(Inverted(w16, middle, w16, kernel16, gate=middle // 4, act=F.hardswish) for middle in more16),
        )
        self.context = convolve(w16, WIDEST)
        self.context_gate = convolve(w16, WIDEST)
        self.join8 = Join(WIDEST, w8)
        self.join4 = Join(w8, STEM)
        if self.mask is not None:
            nn.init.zeros_(self.mask.weight)
            nn.init.zeros_(self.mask.bias)  # type: ignore[arg-type]

    def forward(self, frame: Tensor, prev_mask: Tensor) -> Tensor:
        return self.with_context(frame, prev_mask)[0]

    def with_context(self, frame: Tensor, prev_mask: Tensor) -> tuple[Tensor, Tensor]:
        """The features, and what the decoder begins with: (N, WIDEST, H/16, W/16)."""
        x4 = self.stage4(self.act(self.stem(frame)))
        if self.mask is not None:
            x4 = x4 + self.mask(prev_mask)
        x8 = self.stage8(x4)
        x16 = self.stage16(x8)
        seen = torch.sigmoid(self.context_gate(x16.mean((2, 3), keepdim=True)))
        x = F.relu(self.context(x16)) * seen
        return self.join4(self.join8(x, x8), x4), x
