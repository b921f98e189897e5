"""A photo-segmentation network of 2019, for its speed alone: DeepLabv3 on MobileNetV3-Large, weights as they are drawn.

python -m models.photo OUT.tflite HEIGHT WIDTH

After torchvision's `deeplabv3_mobilenet_v3_large` (BSD-3-Clause), layer for layer, without the auxiliary classifier
that only training uses: atrous pyramid and head of Chen et al. 2017 (arXiv:1706.05587), backbone of Howard et al. 2019
(arXiv:1905.02244) with its last stage dilated by 2 instead of strided, 21 classes as in PASCAL VOC. torchvision itself
is not asked for, because its wheels go with one build of PyTorch each and do not load beside another.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES, PERSON = 21, 15
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What ImageNet backbones take off their pictures, and divide them by."""

# kernel, expanded channels, output channels, squeeze-and-excitation, hard swish, stride, dilation
BACKBONE = (
    (3, 16, 16, False, False, 1, 1),
    (3, 64, 24, False, False, 2, 1),
    (3, 72, 24, False, False, 1, 1),
    (5, 72, 40, True, False, 2, 1),
    (5, 120, 40, True, False, 1, 1),
    (5, 120, 40, True, False, 1, 1),
    (3, 240, 80, False, True, 2, 1),
    (3, 200, 80, False, True, 1, 1),
    (3, 184, 80, False, True, 1, 1),
    (3, 184, 80, False, True, 1, 1),
    (3, 480, 112, True, True, 1, 1),
    (3, 672, 112, True, True, 1, 1),
    (5, 672, 160, True, True, 1, 2),
    (5, 960, 160, True, True, 1, 2),
    (5, 960, 160, True, True, 1, 2),
)


def unit(
    inputs: int, outputs: int, kernel: int = 1, stride: int = 1, dilation: int = 1, groups: int = 1, act: bool = True
) -> nn.Sequential:
    """Convolution, batch normalisation and, with `act`, ReLU."""
    padding = dilation * (kernel - 1) // 2
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, dilation, groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs), *([nn.ReLU()] if act else []))


def swish(layers: nn.Sequential) -> nn.Sequential:
    """The same unit with a hard swish where its ReLU was."""
    conv, norm, _ = layers
    return nn.Sequential(conv, norm, nn.Hardswish())


class Excitation(nn.Module):
    """Each channel times what the means of all say of it. (N, channels, H, W) to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        # A quarter, to the nearest multiple of 8 that takes off no more than a tenth (torchvision's rule).
        quarter = channels // 4
        middle = (quarter + 4) // 8 * 8
        middle += 8 if middle < 0.9 * quarter else 0
        self.squeeze, self.expand = nn.Conv2d(channels, middle, 1), nn.Conv2d(middle, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.expand(F.relu(self.squeeze(F.adaptive_avg_pool2d(x, 1))))
        return x * F.hardsigmoid(scale)


class Inverted(nn.Module):
    """Expand, filter each channel, excite, project; the input is added where shapes allow."""

    def __init__(
        self, inputs: int, kernel: int, wide: int, outputs: int, excite: bool, hard: bool, stride: int, dilation: int
    ) -> None:
        super().__init__()
        act = swish if hard else nn.Identity()
        layers: list[nn.Module] = [act(unit(inputs, wide))] if wide != inputs else []
        layers.append(act(unit(wide, wide, kernel, stride, dilation, groups=wide)))
        layers += [Excitation(wide)] if excite else []
        self.block = nn.Sequential(*layers, unit(wide, outputs, act=False))
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x) if self.adds else self.block(x)


class Pyramid(nn.Module):
    """Looks at one place: alone, at three distances, at the whole picture. (N, inputs, h, w) to (N, width, h, w)."""

    def __init__(self, inputs: int, width: int = 256) -> None:
        super().__init__()
        self.looks = nn.ModuleList(
            [unit(inputs, width), *(unit(inputs, width, 3, dilation=rate) for rate in (12, 24, 36))]
        )
        self.whole = unit(inputs, width)
        self.project = unit(5 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.whole(F.adaptive_avg_pool2d(x, 1))
        # Not `expand`: LiteRT refuses the BROADCAST_TO that comes of it.
        mean = F.interpolate(mean, size=x.shape[2:], mode="bilinear", align_corners=False)
        return self.project(torch.cat([*(look(x) for look in self.looks), mean], dim=1))


class DeepLab(nn.Module):
    """(N, 3, H, W) of pictures less MEAN over STD to the classes' logits (N, 21, H, W)."""

    def __init__(self) -> None:
        super().__init__()
        inputs, blocks = 16, []
        for kernel, wide, outputs, excite, hard, stride, dilation in BACKBONE:
            blocks.append(Inverted(inputs, kernel, wide, outputs, excite, hard, stride, dilation))
            inputs = outputs
        self.backbone = nn.Sequential(swish(unit(3, 16, 3, 2)), *blocks, swish(unit(inputs, 960)))
        self.head = nn.Sequential(Pyramid(960), unit(256, 256, 3), nn.Conv2d(256, CLASSES, 1))

    def forward(self, picture: Tensor) -> Tensor:
        logits = self.head(self.backbone(picture))
        return F.interpolate(logits, size=picture.shape[2:], mode="bilinear", align_corners=False)


class Person(nn.Module):
    """(1, H, W, 3) as `DeepLab` takes it to the person's probability (1, H, W, 1), as TFLite has them.

    The softmax is taken before the enlargement, and of 21 channels one is enlarged: what somebody would ship who wants
    a mask.
    """

    def __init__(self, network: DeepLab) -> None:
        super().__init__()
        self.network = network

    def forward(self, picture: Tensor) -> Tensor:
        chw = picture.permute(0, 3, 1, 2)
        logits = self.network.head(self.network.backbone(chw))
        person = torch.softmax(logits, dim=1)[:, PERSON : PERSON + 1]
        return F.interpolate(person, size=chw.shape[2:], mode="bilinear", align_corners=False).permute(0, 2, 3, 1)


def drawn(seed: int = 0) -> DeepLab:
    """The network in eval mode, its weights drawn by `seed`, every batch normalisation as if it had seen data.

    Activations keep their size from layer to layer, as in a trained network: without that they fade into numbers so
    small that processors slow down on them.
    """
    torch.manual_seed(seed)
    network = DeepLab()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_in")
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.rand(2, 3, 128, 128))
    return network.eval()


def digest() -> str:
    """sha256 of the names and shapes of all its tensors: what references.toml pins of a network that is made here."""
    import hashlib

    with torch.device("meta"):
        shapes = {name: tuple(tensor.shape) for name, tensor in DeepLab().state_dict().items()}
    return hashlib.sha256(repr(shapes).encode()).hexdigest()


def export(path: Path, height: int, width: int) -> None:
    """Write it as a TFLite model of that input."""
    import litert_torch
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    torch.set_num_threads(1)
    network = drawn()
    for layers in network.modules():
        if isinstance(layers, nn.Sequential) and len(layers) > 1 and isinstance(layers[1], nn.BatchNorm2d):
            conv = layers[0]
            assert isinstance(conv, nn.Conv2d)
            layers[0], layers[1] = fuse_conv_bn_eval(conv, layers[1]), nn.Identity()
    litert_torch.convert(Person(network).eval(), (torch.zeros(1, height, width, 3),)).export(str(path))


def main() -> None:
    _, path, height, width = sys.argv
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
    export(Path(path), int(height), int(width))


if __name__ == "__main__":
    main()
