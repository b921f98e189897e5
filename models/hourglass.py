"""The network: an hourglass from (RGB frame, previous mask) to a one-channel mask, or to the nine labels.

After "Mobile Real-time Video Segmentation" (Google AI blog, 2018): large strided kernels on the full-resolution
input, residual bottlenecks squeezed by 16 or 32, skip connections, DenseNet layers on top in full resolution. The
lowering rules it keeps (even kernels where it strides, so that TFLite needs no PAD; skips by ADD; widths in fours;
no flags in `forward`) are each checked by a test that converts it and lists the operators.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.inverted import STEM, WIDEST, InvertedTrunk
from models.variant import Variant


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, dilation: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias whose output is the input's size divided by `stride`."""
    padding = (kernel - stride) // 2 if stride > 1 else dilation * (kernel - 1) // 2
    return nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)


def unit(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU: one fused operator after export."""
    return nn.Sequential(conv(inputs, outputs, kernel, stride, dilation), nn.BatchNorm2d(outputs), nn.ReLU(True))


def linear(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> nn.Sequential:
    """Convolution and batch normalisation without an activation."""
    return nn.Sequential(conv(inputs, outputs, kernel, stride), nn.BatchNorm2d(outputs))


def depthwise(width: int) -> nn.Sequential:
    """A depthwise 3x3 convolution and batch normalisation without an activation."""
    return nn.Sequential(conv(width, width, kernel=3, groups=width), nn.BatchNorm2d(width))


def start_at_zero(branch: nn.Module) -> None:
    """Let the batch normalisation that ends a residual branch scale it by zero, so that training begins from x."""
    *_, last = branch.modules()
    assert isinstance(last, nn.BatchNorm2d)
    nn.init.zeros_(last.weight)


class Bottleneck(nn.Module):
    """y = relu(x + expand(middle(squeeze(x)))); the branch starts at zero. (N, width, H, W) to the same."""

    def __init__(self, width: int, middle: int, dilation: int = 1) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            unit(width, middle), unit(middle, middle, kernel=3, dilation=dilation), linear(middle, width)
        )
        start_at_zero(self.branch[-1])

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.branch(x))


class DownBottleneck(nn.Module):
    """A bottleneck that halves the picture: (N, inputs, H, W) to (N, width, H/2, W/2)."""

    def __init__(self, inputs: int, width: int, middle: int) -> None:
        super().__init__()
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), linear(inputs, width))
        self.branch = nn.Sequential(
            unit(inputs, middle), unit(middle, middle, kernel=4, stride=2), linear(middle, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.shortcut(x) + self.branch(x))


class Up(nn.Module):
    """One decoder step: project, double bilinearly, ADD the skip, refine by a residual 3x3 convolution, which may be
    separable: depthwise 3x3, then 1x1.

    (N, inputs, H, W) and, with skips, (N, skip, 2H, 2W) to (N, width, 2H, 2W).
    """

    def __init__(self, inputs: int, width: int, skip: int | None, separable: bool = False) -> None:
        super().__init__()
        self.project = linear(inputs, width)
        self.skip = linear(skip, width) if skip else None
        if separable:
            self.refine = nn.Sequential(conv(width, width, kernel=3, groups=width), *linear(width, width))
        else:
            self.refine = linear(width, width, kernel=3)
        start_at_zero(self.refine)

    def forward(self, x: Tensor, skipped: Tensor) -> Tensor:
        x = F.interpolate(self.project(x), scale_factor=2.0, mode="bilinear", align_corners=False)
        x = F.relu(x if self.skip is None else x + self.skip(skipped))
        return F.relu(x + self.refine(x))


class PlainHead(nn.Module):
    """One logit a stride-4 pixel, enlarged bilinearly."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.logit = nn.Conv2d(features, 1, 1)

    def forward(self, features: Tensor, _picture: Tensor) -> Tensor:
        return F.interpolate(self.logit(features), scale_factor=4.0, mode="bilinear", align_corners=False)


class Stem(nn.Module):
    """A convolution of the picture plus a 4x4 one of the previous mask, both with stride 4, added.

    Beside an 8x8 convolution of both stacked, its kernel reaches 2 pixels less far into the mask. It needs no CONCAT
    and half of the 4-channel convolution's time (costs: docs/experiments.md).
    (N, 3, H, W) and (N, 1, H, W) to (N, width, H/4, W/4).
    """

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.frame = linear(3, width, kernel=kernel, stride=4)
        self.mask = linear(1, width, kernel=4, stride=4)

    def forward(self, frame: Tensor, prev_mask: Tensor) -> Tensor:
        return F.relu(self.frame(frame) + self.mask(prev_mask))


class LightHead(nn.Module):
    """One depthwise refining step in half resolution, fed by the picture through a 2x2 convolution."""

    def __init__(self, features: int, inputs: int, width: int = 8) -> None:
        super().__init__()
        self.project = linear(features, width)
        self.detail = linear(inputs, width, kernel=2, stride=2)
        self.refine = depthwise(width)
        start_at_zero(self.refine)
        self.logit = nn.Conv2d(width, 1, 1)

    def forward(self, features: Tensor, picture: Tensor) -> Tensor:
        x = F.interpolate(self.project(features), scale_factor=2.0, mode="bilinear", align_corners=False)
        x = F.relu(x + self.detail(picture))
        logit = self.logit(F.relu(x + self.refine(x)))
        return F.interpolate(logit, scale_factor=2.0, mode="bilinear", align_corners=False)


class SubpixelHead(nn.Module):
    """Sixteen logits a stride-4 pixel, laid out as the 4x4 pixels that it stands for.

    After "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural network"
    (Shi et al., 2016): all arithmetic stays in a quarter of the resolution, the picture's own pixels come in through
    a 4x4 convolution, and the mask grows by moving numbers alone.
    """

    def __init__(self, features: int, inputs: int, width: int = 16) -> None:
        super().__init__()
        self.project = linear(features, width)
        self.detail = linear(inputs, width, kernel=4, stride=4)
        self.refine = depthwise(width)
        start_at_zero(self.refine)
        self.logits = nn.Conv2d(width, 16, 1)

    def forward(self, features: Tensor, picture: Tensor) -> Tensor:
        x = F.relu(self.project(features) + self.detail(picture))
        return F.pixel_shuffle(self.logits(F.relu(x + self.refine(x))), 4)


class SeparableDenseHead(SubpixelHead):
    """DenseNet layers in full resolution whose outputs are added to the sub-pixels' logits.

    All layers share one base: the features' 1x1 convolution, enlarged, plus one of the picture's own pixels. Layer i
    sees the base plus a 1x1 convolution of every layer before it and ends with a depthwise 3x3 convolution:
    x_i = relu(depthwise_i(relu(base + sum over j < i of mix_ij(x_j)))). The sum takes the place of a concatenation,
    which would copy every full-resolution tensor. The last convolutions start at zero: the head begins as its plain
    sibling, whose tensors it has under the same names.
    """

    def __init__(self, features: int, inputs: int, growth: int, layers: int) -> None:
        super().__init__(features, inputs)
        self.carried = linear(features, growth)
        self.pixels = linear(inputs, growth)
        self.earlier = nn.ModuleList(nn.ModuleList(conv(growth, growth) for _ in range(i)) for i in range(layers))
        self.dense = nn.ModuleList(depthwise(growth) for _ in range(layers))
        self.final = nn.ModuleList(conv(growth, 1) for _ in range(layers))
        for last in self.final:
            nn.init.zeros_(last.weight)  # type: ignore[arg-type]

    def forward(self, features: Tensor, picture: Tensor) -> Tensor:
        logits = super().forward(features, picture)
        base = F.interpolate(self.carried(features), scale_factor=4.0, mode="bilinear", align_corners=False)
        base = base + self.pixels(picture)
        seen: list[Tensor] = []
        for earlier, dense, last in zip(self.earlier, self.dense, self.final, strict=True):
            x = base
            for before, mix in zip(seen, earlier, strict=True):  # type: ignore[call-overload]
                x = x + mix(before)
            seen.append(F.relu(dense(F.relu(x))))
            logits = logits + last(seen[-1])
        return logits


class LabelsHead(nn.Module):
    """Logits of the labels, four a stride-4 pixel: of the 2x2 pixels in half resolution that it stands for.

    A softmax in full resolution would take four times as many instructions, and a mask that is enlarged from half
    resolution is as good (docs/experiments.md). The channels are ordered (row, column, label), so that they are moved
    a row of labels at a time; a pixel shuffle's order moves them one by one. The decoder's few features were chosen for
    a mask: what the trunk knows at stride 16 comes in beside them.
    """

    def __init__(self, features: int, context: int, inputs: int, labels: int, width: int = 16) -> None:
        super().__init__()
        self.project = linear(features, width)
        self.context = nn.Conv2d(context, width, 1)
        nn.init.zeros_(self.context.weight)
        self.detail = linear(inputs, width, kernel=4, stride=4)
        self.refine = depthwise(width)
        start_at_zero(self.refine)
        self.logits = nn.Conv2d(width, 4 * labels, 1)

    def forward(self, features: Tensor, context: Tensor, picture: Tensor) -> Tensor:
        """(N, features, H/4, W/4), (N, context, H/16, W/16) and the picture to (N, labels, H/2, W/2)."""
        parts = F.interpolate(self.context(context), scale_factor=4.0, mode="bilinear", align_corners=False)
        x = F.relu(self.project(features) + self.detail(picture) + parts)
        x = self.logits(F.relu(x + self.refine(x))).permute(0, 2, 3, 1)
        # (N, H, W, 2, 2 * labels) to (N, H, 2, W, 2 * labels) to (N, 2H, W, 2 * labels) to (N, 2H, 2W, labels).
        x = x.unflatten(3, (2, -1)).permute(0, 1, 3, 2, 4).flatten(1, 2)
        return x.unflatten(3, (2, -1)).flatten(2, 3).permute(0, 3, 1, 2)


class HalfHead(nn.Module):
    """One refining step in half resolution, fed by the picture through a 2x2 convolution."""

    def __init__(self, features: int, inputs: int, width: int = 8) -> None:
        super().__init__()
        self.up = Up(features, width, skip=width)
        self.detail = unit(inputs, width, kernel=2, stride=2)
        self.logit = nn.Conv2d(width, 1, 1)

    def forward(self, features: Tensor, picture: Tensor) -> Tensor:
        logit = self.logit(self.up(features, self.detail(picture)))
        return F.interpolate(logit, scale_factor=2.0, mode="bilinear", align_corners=False)


class DenseHead(nn.Module):
    """DenseNet layers in full resolution over the enlarged features and the picture itself.

    The first enlarged channel is the plain head's logit, and the last convolution starts by passing it through:
    a dense head begins as its plain sibling and can only be trained away from it.
    """

    def __init__(self, features: int, inputs: int, growth: int, layers: int, carried: int = 8) -> None:
        super().__init__()
        self.logit = nn.Conv2d(features, 1, 1)
        self.carry = nn.Conv2d(features, carried - 1, 1)
        widths = [carried + inputs + growth * i for i in range(layers + 1)]
        self.layers = nn.ModuleList(unit(width, growth, kernel=3) for width in widths[:-1])
        self.final = nn.Conv2d(widths[-1], 1, 1)
        with torch.no_grad():
            self.final.weight.zero_()
            self.final.weight[:, 0] = 1.0
            nn.init.zeros_(self.final.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor, picture: Tensor) -> Tensor:
        carried = torch.cat([self.logit(features), self.carry(features)], dim=1)
        x = F.interpolate(carried, scale_factor=4.0, mode="bilinear", align_corners=False)
        x = torch.cat([x, picture], dim=1)
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return self.final(x)


class Hourglass(nn.Module):
    """The reference network of a `Variant`.

    Convention: `frame` is (N, 3, H, W) float RGB in [0, 1]; `prev_mask` is (N, 1, H, W) float in [0, 1], zeros when
    there is none; the mask returned has the shape and range of `prev_mask`. With `outputs` of 9, what is returned is
    (N, 9, H, W), the probabilities of models/labels.py, and `prev_mask` is the person's mask in them. H and W are
    multiples of the variant's `stride`. Pixels enter as they are: what the first convolution does with them is the
    only normalisation. The network is stateless: `models.segmenter.Segmenter` feeds the mask back.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        self.variant = variant
        inputs = 4 if self._stacked else 3
        d4 = variant.decoder[2]
        if variant.trunk == "inverted":
            v = variant
            self.trunk = InvertedTrunk(v.previous_mask, stem2=v.stem2, middles=v.middles, kernel16=v.kernel16)
            d4 = STEM
        else:
            self._squeezed(variant, inputs)
        self.head: nn.Module
        if variant.outputs > 1:
            self.head = LabelsHead(d4, WIDEST, inputs, variant.outputs)
        elif variant.head == "plain":
            self.head = PlainHead(d4)
        elif variant.head == "light":
            self.head = LightHead(d4, inputs)
        elif variant.head == "subpixel":
            self.head = SubpixelHead(d4, inputs)
        elif variant.head == "half":
            self.head = HalfHead(d4, inputs)
        elif variant.head == "dense-separable":
            self.head = SeparableDenseHead(d4, inputs, variant.growth, variant.dense_layers)
        else:
            self.head = DenseHead(d4, inputs, variant.growth, variant.dense_layers)

    def _squeezed(self, variant: Variant, inputs: int) -> None:
        w8, w16, w32 = variant.widths
        d16, d8, d4 = variant.decoder
        added = variant.previous_mask and not self._stacked
        width, kernel = variant.stem, variant.kernel
        self.stem: nn.Module = Stem(width, kernel) if added else unit(inputs, width, kernel=kernel, stride=4)
        self.stage8 = self._stage(variant.stem, w8, variant.depths[0])
        self.stage16 = self._stage(w8, w16, variant.depths[1])
        self.stage32 = self._stage(w16, w32, variant.depths[2], dilations=(1, 2))
        separable = variant.refine == "separable"
        self.up16 = Up(w32, d16, w16 if variant.skips else None, separable)
        self.up8 = Up(d16, d8, w8 if variant.skips else None, separable)
        self.up4 = Up(d8, d4, variant.stem if variant.skips else None, separable)

    def _stage(self, inputs: int, width: int, depth: int, dilations: tuple[int, ...] = (1, 2, 4)) -> nn.Sequential:
        middle = self.variant.middle(width)
        blocks = (Bottleneck(width, middle, dilation=dilations[i % len(dilations)]) for i in range(depth))
        return nn.Sequential(DownBottleneck(inputs, width, middle), *blocks)

    @property
    def _stacked(self) -> bool:
        return self.variant.previous_mask and self.variant.entry == "concat"

    def logits(self, frame: Tensor, prev_mask: Tensor) -> Tensor:
        """The mask before the sigmoid: (N, 1, H, W), unbounded; or the labels before the softmax, (N, 9, H/2, W/2)."""
        if self.variant.outputs > 1:
            return self.head(*self.trunk.with_context(frame, prev_mask), frame)
        picture = torch.cat([frame, prev_mask], dim=1) if self._stacked else frame
        return self.head(self._features(picture, prev_mask), picture)

    def _features(self, picture: Tensor, prev_mask: Tensor) -> Tensor:
        """(N, C, H/4, W/4)."""
        if self.variant.trunk == "inverted":
            return self.trunk(picture, prev_mask)
        x4 = self.stem(picture, prev_mask) if isinstance(self.stem, Stem) else self.stem(picture)
        x8 = self.stage8(x4)
        x16 = self.stage16(x8)
        x32 = self.stage32(x16)
        return self.up4(self.up8(self.up16(x32, x16), x8), x4)

    def forward(self, frame: Tensor, prev_mask: Tensor) -> Tensor:
        logits = self.logits(frame, prev_mask)
        if self.variant.outputs == 1:
            return torch.sigmoid(logits)
        return F.interpolate(F.softmax(logits, dim=1), scale_factor=2.0, mode="bilinear", align_corners=False)
