"""Channel equalization before int8 quantization, where all channels of an activation tensor share one scale.

After SmoothQuant (Xiao et al., 2023) and "Data-free quantization through weight equalization and bias correction"
(Nagel et al., 2019). ReLU, addition and multiplication by a gate commute with a positive factor per channel. So the
weights that write a channel are divided by a factor and those that read it are multiplied by it; float masks are equal
up to rounding. Hard-swish does not commute with it: the inner channels of the blocks at stride 16 are not changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from converters.artifact import Format
from models.hourglass import LabelsHead
from models.inverted import Inverted

if TYPE_CHECKING:
    from converters.registry import Calibration
    from models.hourglass import Hourglass
    from models.inverted import InvertedTrunk, Join

FORMATS: tuple[Format, ...] = ("onnx", "tflite", "coreml")
"""Not OpenVINO: NNCF gives the input of a depthwise convolution a scale per channel. On an AMD EPYC (AVX2), the mean
difference of `live`'s masks is 0.0132 with equalization and 0.0115 without, and `live-fast`'s 0.0185 and 0.0190."""
SHARE = 0.5
"""The exponent of SmoothQuant (its alpha): how much of the activations' range moves into weights that mix channels.
Depthwise weights take all of it, as each of their channels has its own scale in int8."""
LARGEST = 64.0
"""The largest factor: a channel that is almost always zero needs no finer steps."""


@dataclass(frozen=True)
class Site:
    """Channels that share factors: the modules whose outputs give their range, the convolutions that write them, and
    those that read them. `rectified`: a ReLU follows, so only positive values count."""

    shown: tuple[nn.Module, ...]
    writers: tuple[nn.Conv2d, ...]
    readers: tuple[nn.Conv2d, ...]
    rectified: bool = False


def sites(network: Hourglass) -> list[Site]:
    """Every place in an inverted trunk where a factor per channel does not change the network's function."""
    trunk: Any = network.trunk
    # A head of labels reads what the decoder begins with, too.
    labels = (network.head.context,) if isinstance(network.head, LabelsHead) else ()
    stage8, stage16 = cast(list[Inverted], list(trunk.stage8)), cast(list[Inverted], list(trunk.stage16))
    masks = () if trunk.mask is None else (trunk.mask,)
    return [
        Site((trunk.stem,), (trunk.stem,), (trunk.stage4.widen,), rectified=True),
        *(site for block in (trunk.stage4, *stage8) for site in _inside(block)),
        _stream([trunk.stage4], masks, stage8[0], trunk.join4),
        _stream(stage8, (), stage16[0], trunk.join8),
        Site(
            tuple(stage16),
            tuple(block.narrow for block in stage16),
            (*(block.widen for block in stage16[1:]), trunk.context, trunk.context_gate),
        ),
        Site((trunk.context,), (trunk.context,), (trunk.join8.project, *labels), rectified=True),
        # The refining convolution reads and writes the same channels: of it only the bias changes.
        Site((trunk.join8,), (trunk.join8.mix, trunk.join8.refine), (trunk.join8.refine, trunk.join4.project)),
    ]


def _inside(block: Inverted) -> Iterator[Site]:
    yield Site((block.widen,), (block.widen,), (block.depthwise,), rectified=True)
    gate = () if block.gate is None else (block.gate.squeeze,)
    yield Site((block.depthwise,), (block.depthwise,), (*gate, block.narrow), rectified=True)


def _stream(blocks: list[Inverted], more: tuple[nn.Conv2d, ...], following: Inverted, join: Join) -> Site:
    """The output of a stage, which the next stage and the decoder read."""
    return Site(
        (*blocks, join.project),
        (*(block.narrow for block in blocks), *more, join.project),
        (*(block.widen for block in blocks[1:]), following.widen, join.gate.squeeze, join.mix),
    )


def equalized(network: Hourglass, calibration: Calibration) -> Hourglass:
    """A copy of `network` whose trunk is rescaled by the ranges in `calibration`; `network` itself for other trunks."""
    if network.variant.trunk != "inverted":
        return network
    alike = deepcopy(network)
    trunk: Any = alike.trunk
    batches = [(_nchw(frame), _nchw(mask)) for frame, mask in calibration]
    for site in sites(alike):
        rescale(site, factors(site, sizes(trunk, site, batches)))
    return alike


def _nchw(pixels: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


def factors(site: Site, reached: Tensor) -> Tensor:
    """(C,): the divisor of each channel, from its largest value `reached` (C,); their geometric mean is 1."""
    weights = torch.stack([_inputs(reader).abs().amax((1, 2, 3)) for reader in site.readers]).amax(0)
    share = 1.0 if all(reader.groups > 1 for reader in site.readers) else SHARE
    wanted = reached.clamp_min(1e-6) ** share / weights.clamp_min(1e-6) ** (1 - share)
    return (wanted / wanted.log().mean().exp()).clamp(1 / LARGEST, LARGEST)


@torch.no_grad()
def sizes(trunk: InvertedTrunk, site: Site, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """(C,): the largest value of each channel of a site over all batches."""
    largest: list[Tensor] = []
    with _watching(site, largest):
        for frame, mask in batches:
            trunk(frame, mask)
    return torch.stack(largest).amax(0)


@contextmanager
def _watching(site: Site, largest: list[Tensor]) -> Iterator[None]:
    def note(_module: nn.Module, _inputs: tuple[Tensor], output: Tensor) -> None:
        largest.append((output if site.rectified else output.abs()).amax((0, 2, 3)))

    hooks = [module.register_forward_hook(note) for module in site.shown]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def rescale(site: Site, by: Tensor) -> None:
    """Divide the writers' output channels by `by` (C,), and multiply the readers' input channels by it."""
    for writer in site.writers:
        writer.weight /= by[:, None, None, None]
        assert writer.bias is not None
        writer.bias /= by
    for reader in site.readers:
        _inputs(reader).mul_(by[:, None, None, None])


def _inputs(reader: nn.Conv2d) -> Tensor:
    """A convolution's weights with the input channel as the first axis."""
    return reader.weight.data if reader.groups > 1 else reader.weight.data.transpose(0, 1)
