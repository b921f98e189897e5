"""The networks whose times on phones were published, from their papers, with random weights: speed needs no others.

MobileNet v1 (Howard et al. 2017, arXiv 1704.04861, table 1), v2 (Sandler et al. 2018, arXiv 1801.04381, table 2), v3
(Howard et al. 2019, arXiv 1905.02244, tables 1 and 2), each 1.0 at 224x224 with 1001 classes; and PoseNet as
TensorFlow's multi_person_mobilenet_v1_075_float: MobileNet v1 0.75 at output stride 16 on 353x257 with four heads
(Papandreou et al. 2018, arXiv 1803.08225). Normalisation is folded into the convolutions, as it is in the files that
were timed. The PADs before convolutions of stride 2 are those of the conversion; XNNPACK folds them into the
convolutions. Input (1, H, W, 3) float32, as those files take it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

CLASSES = 1001


@dataclass(frozen=True)
class Known:
    """A network that others timed; `macs` are the multiply-accumulates in millions that its paper tells."""

    make: Callable[[], nn.Module]
    size: tuple[int, int]
    macs: int | None = None


def conv(inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, dilation * (kernel // 2), dilation, groups)


def depthwise(channels: int, kernel: int, stride: int, dilation: int = 1) -> nn.Conv2d:
    return conv(channels, channels, kernel, stride, channels, dilation)


class Pool(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3), keepdim=True)


def v1_body(width: float, output_stride: int = 32) -> nn.Sequential:
    """Table 1 of v1 up to its pooling; beyond `output_stride`, dilation stands in for stride, as in PoseNet."""
    plan = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1)]
    channels = int(32 * width)
    layers: list[nn.Module] = [conv(3, channels, 3, 2), nn.ReLU6()]
    reached, dilation = 2, 1
    for outputs, stride in plan:
        rate = dilation
        if reached == output_stride:
            dilation *= stride
            stride = 1
        reached *= stride
        outputs = int(outputs * width)
        layers += [depthwise(channels, 3, stride, rate), nn.ReLU6(), conv(channels, outputs), nn.ReLU6()]
        channels = outputs
    return nn.Sequential(*layers)


class PoseNet(nn.Module):
    """Heat maps, offsets, and displacements both ways: 17, 34, 32 and 32 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.body = v1_body(0.75, output_stride=16)
        self.heads = nn.ModuleList(conv(768, channels) for channels in (17, 34, 32, 32))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        features = self.body(x)
        heat, *rest = (head(features).permute(0, 2, 3, 1) for head in self.heads)
        return heat.sigmoid(), *rest


class Squeeze(nn.Module):
    """Squeeze and excite of v3: the bottleneck is a quarter of the expansion in eights, its gate a hard sigmoid."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        middle = max(8, (channels // 4 + 4) // 8 * 8)
        self.gate = nn.Sequential(Pool(), conv(channels, middle), nn.ReLU(), conv(middle, channels), nn.Hardsigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class Inverted(nn.Module):
    """An inverted residual of v2 and v3: expand, depthwise, perhaps squeeze, project."""

    def __init__(
        self,
        inputs: int,
        middle: int,
        outputs: int,
        kernel: int,
        stride: int,
        act: type[nn.Module] = nn.ReLU6,
        squeeze: bool = False,
    ) -> None:
        super().__init__()
        expand = [conv(inputs, middle), act()] if middle != inputs else []
        gate = [Squeeze(middle)] if squeeze else []
        self.layers = nn.Sequential(*expand, depthwise(middle, kernel, stride), *gate, act(), conv(middle, outputs))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def v1() -> nn.Module:
    return nn.Sequential(v1_body(1.0), Pool(), conv(1024, CLASSES))


def v2() -> nn.Module:
    # Expansion, channels, repeats, first stride.
    plan = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    layers: list[nn.Module] = [conv(3, 32, 3, 2), nn.ReLU6()]
    channels = 32
    for factor, outputs, repeats, stride in plan:
        for i in range(repeats):
            layers.append(Inverted(channels, channels * factor, outputs, 3, stride if i == 0 else 1))
            channels = outputs
    return nn.Sequential(*layers, conv(320, 1280), nn.ReLU6(), Pool(), conv(1280, CLASSES))


RELU, SWISH = nn.ReLU, nn.Hardswish
Block = tuple[int, int, int, bool, type[nn.Module], int]
"""Kernel, expansion, channels, squeeze, activation, stride: a line of the paper's tables."""

LARGE: list[Block] = [
    (3, 16, 16, False, RELU, 1),
    (3, 64, 24, False, RELU, 2),
    (3, 72, 24, False, RELU, 1),
    (5, 72, 40, True, RELU, 2),
    (5, 120, 40, True, RELU, 1),
    (5, 120, 40, True, RELU, 1),
    (3, 240, 80, False, SWISH, 2),
    (3, 200, 80, False, SWISH, 1),
    (3, 184, 80, False, SWISH, 1),
    (3, 184, 80, False, SWISH, 1),
    (3, 480, 112, True, SWISH, 1),
    (3, 672, 112, True, SWISH, 1),
    (5, 672, 160, True, SWISH, 2),
    (5, 960, 160, True, SWISH, 1),
    (5, 960, 160, True, SWISH, 1),
]
SMALL: list[Block] = [
    (3, 16, 16, True, RELU, 2),
    (3, 72, 24, False, RELU, 2),
    (3, 88, 24, False, RELU, 1),
    (5, 96, 40, True, SWISH, 2),
    (5, 240, 40, True, SWISH, 1),
    (5, 240, 40, True, SWISH, 1),
    (5, 120, 48, True, SWISH, 1),
    (5, 144, 48, True, SWISH, 1),
    (5, 288, 96, True, SWISH, 2),
    (5, 576, 96, True, SWISH, 1),
    (5, 576, 96, True, SWISH, 1),
]


def v3(blocks: list[Block], last: int, hidden: int) -> nn.Module:
    layers: list[nn.Module] = [conv(3, 16, 3, 2), SWISH()]
    channels = 16
    for kernel, middle, outputs, squeeze, act, stride in blocks:
        layers.append(Inverted(channels, middle, outputs, kernel, stride, act, squeeze))
        channels = outputs
    head = [conv(channels, last), SWISH(), Pool(), conv(last, hidden), SWISH(), conv(hidden, CLASSES)]
    return nn.Sequential(*layers, *head)


NETWORKS = {
    "mobilenet-v1": Known(v1, (224, 224), 569),
    "mobilenet-v2": Known(v2, (224, 224), 300),
    "mobilenet-v3-large": Known(lambda: v3(LARGE, 960, 1280), (224, 224), 219),
    "mobilenet-v3-small": Known(lambda: v3(SMALL, 576, 1024), (224, 224), 56),
    "posenet": Known(PoseNet, (353, 257)),
}


class Nhwc(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x.permute(0, 3, 1, 2))


def tflite(name: str) -> bytes:
    """The network as a float32 TFLite file. ValueError when there is none of that name."""
    import litert_torch

    known = NETWORKS[name]
    torch.manual_seed(0)
    network = known.make().eval()
    for module in network.modules():
        # Activations keep their scale through all layers: numbers near zero would be slow for another reason.
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return litert_torch.convert(Nhwc(network).eval(), (torch.rand(1, *known.size, 3),)).model_content()


def main(folder: Path, names: list[str]) -> None:
    """Write each network to `folder`, whole or not at all."""
    for name in names:
        part = folder / f"{name}.{os.getpid()}"
        part.write_bytes(tflite(name))
        part.replace(folder / f"{name}.tflite")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
