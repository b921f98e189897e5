"""The same network with channels more alike in size, for int8, which gives all channels of a tensor one scale.

After SmoothQuant (Xiao et al., 2023) and "Data-free quantization through weight equalization and bias correction"
(Nagel et al., 2019): a ReLU, a sum and a gate do not mind a factor a channel, so what writes a channel is divided by
one, what reads it multiplied, and in float the masks stay what they were, up to rounding. Hard-swish minds: the middles
of the blocks at stride 16 stay as they are.
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
from models.inverted import Inverted

if TYPE_CHECKING:
    from converters.registry import Calibration
    from models.hourglass import Hourglass
    from models.inverted import InvertedTrunk, Join

FORMATS: tuple[Format, ...] = ("onnx", "tflite", "coreml")
"""Not OpenVINO: NNCF gives what a depthwise convolution reads a scale a channel. On an AMD EPYC (AVX2), the mean
difference of `live`'s masks is 0.0132 with this and 0.0115 without, and `live-fast`'s 0.0185 and 0.0190."""
SHARE = 0.5
"""How much of what its channels differ by a tensor hands on to weights that mix channels; depthwise ones take all,
for each channel of theirs has its own scale in int8."""
LARGEST = 64.0
"""No channel is changed by a larger factor: one that is all but silent needs no bits."""


@dataclass(frozen=True)
class Site:
    """Channels that take a factor: modules whose output shows how large they are, the convolutions that write them, and
    those that read them. `rectified` when only what is positive is kept of them."""

    shown: tuple[nn.Module, ...]
    writers: tuple[nn.Conv2d, ...]
    readers: tuple[nn.Conv2d, ...]
    rectified: bool = False


def sites(trunk: InvertedTrunk) -> list[Site]:
    """Every place where a factor a channel changes nothing."""
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
        Site((trunk.context,), (trunk.context,), (trunk.join8.project,), rectified=True),
        # The refining convolution reads and writes the same channels: of it only the bias changes.
        Site((trunk.join8,), (trunk.join8.mix, trunk.join8.refine), (trunk.join8.refine, trunk.join4.project)),
    ]


def _inside(block: Inverted) -> Iterator[Site]:
    yield Site((block.widen,), (block.widen,), (block.depthwise,), rectified=True)
    gate = () if block.gate is None else (block.gate.squeeze,)
    yield Site((block.depthwise,), (block.depthwise,), (*gate, block.narrow), rectified=True)


def _stream(blocks: list[Inverted], more: tuple[nn.Conv2d, ...], following: Inverted, join: Join) -> Site:
    """What a stage hands on, to the next stage and across to the decoder."""
    return Site(
        (*blocks, join.project),
        (*(block.narrow for block in blocks), *more, join.project),
        (*(block.widen for block in blocks[1:]), following.widen, join.gate.squeeze, join.mix),
    )


def equalised(network: Hourglass, calibration: Calibration) -> Hourglass:
    """A copy of `network`, its trunk rescaled by what `calibration` shows; itself where nothing can be rescaled."""
    if network.variant.trunk != "inverted":
        return network
    alike = deepcopy(network)
    trunk: Any = alike.trunk
    batches = [(_nchw(frame), _nchw(mask)) for frame, mask in calibration]
    for site in sites(trunk):
        rescale(site, factors(site, sizes(trunk, site, batches)))
    return alike


def _nchw(pixels: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


def factors(site: Site, reached: Tensor) -> Tensor:
    """(C,): what each channel that reaches `reached` (C,) is to be divided by; their geometric mean is 1."""
    weights = torch.stack([_inputs(reader).abs().amax((1, 2, 3)) for reader in site.readers]).amax(0)
    share = 1.0 if all(reader.groups > 1 for reader in site.readers) else SHARE
    wanted = reached.clamp_min(1e-6) ** share / weights.clamp_min(1e-6) ** (1 - share)
    return (wanted / wanted.log().mean().exp()).clamp(1 / LARGEST, LARGEST)


@torch.no_grad()
def sizes(trunk: InvertedTrunk, site: Site, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """(C,): the largest that each channel of a site reaches."""
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
    """Divide what is written by `by` (C,), and multiply where it is read."""
    for writer in site.writers:
        writer.weight /= by[:, None, None, None]
        assert writer.bias is not None
        writer.bias /= by
    for reader in site.readers:
        _inputs(reader).mul_(by[:, None, None, None])


def _inputs(reader: nn.Conv2d) -> Tensor:
    """A convolution's weights, by input channel first."""
    return reader.weight.data if reader.groups > 1 else reader.weight.data.transpose(0, 1)
