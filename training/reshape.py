"""The weights of one inverted trunk in another of fewer channels, smaller kernels or more blocks.

The middle of a block keeps the channels that explain most of its output, and what reads them is fitted again by least
squares on pictures, as in `training.inherit`. Without pictures it keeps those that are read with the largest norm.
A depthwise kernel keeps its centre. A block that the parent lacks starts as the identity.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.inverted import Gate, Inverted, InvertedTrunk
from training.inherit import Patches, chosen, refitted
from training.state import adopt

Statistics = tuple[Tensor, Tensor]
"""Mean (I,) and covariance (I, I) of the I channels that a 1x1 convolution reads."""


@torch.no_grad()
def reshape(trunk: InvertedTrunk, parent: InvertedTrunk, pictures: Sequence[tuple[Tensor, Tensor]] = ()) -> list[str]:
    """Give `trunk` the weights of `parent`; the names of the tensors that remain fresh.

    `pictures` are batches of frames (N, 3, H, W) and previous masks (N, 1, H, W). ValueError where `trunk` has more
    channels than `parent`.
    """
    fresh = set(adopt(trunk, parent.state_dict()))
    ours = {name: block for name, block in trunk.named_modules() if isinstance(block, Inverted)}
    theirs = {name: block for name, block in parent.named_modules() if isinstance(block, Inverted)}
    for name in ours.keys() - theirs.keys():
        nn.init.zeros_(ours[name].narrow.weight)
        nn.init.zeros_(ours[name].narrow.bias)  # type: ignore[arg-type]
    changed = sorted(name for name in ours.keys() & theirs.keys() if any(key.startswith(f"{name}.") for key in fresh))
    seen = _statistics(parent, [c for name in changed for c in (theirs[name].widen, theirs[name].narrow)], pictures)
    for name in changed:
        new, old = ours[name], theirs[name]
        if new.narrow.in_channels > old.narrow.in_channels or new.widen.in_channels > old.widen.in_channels:
            raise ValueError(f"{name} is wider than its parent's")
        weight, bias, inputs = fewer(old.widen, new.widen.in_channels, seen.get(old.widen))
        if new is trunk.stage4:
            _rows(trunk.stem, parent.stem, inputs)
        narrow, offset, kept = fewer(old.narrow, new.narrow.in_channels, seen.get(old.narrow))
        _set(new.narrow, narrow, offset)
        _set(new.widen, weight[kept], bias[kept])
        _rows(new.depthwise, old.depthwise, kept)
        if new.gate and old.gate:
            _gate(new.gate, old.gate, kept)
    done = ("stem.", *(f"{name}." for name in changed))
    return sorted(key for key in fresh if not key.startswith(done))


def fewer(convolution: nn.Conv2d, count: int, seen: Statistics | None) -> tuple[Tensor, Tensor, list[int]]:
    """Kernel (O, count, 1, 1) and bias (O,) that come nearest to a 1x1 convolution's from `count` of its inputs, and
    which inputs these are, in order."""
    weight, bias = convolution.weight, convolution.bias
    assert bias is not None
    if count == convolution.in_channels:
        return weight, bias, list(range(count))
    norms = weight.flatten(1).norm(dim=0)
    # Where no more inputs than that are read, these are exact, which a fit is only up to its ridge.
    if seen is None or norms.count_nonzero() <= count:
        kept = sorted(norms.topk(count).indices.tolist())
        return weight[:, kept], bias, kept
    mean, covariance = seen
    kernel = weight.double().flatten(2)
    kept = chosen(kernel, covariance, count)
    fitted = refitted(kernel, covariance, kept)
    moved = kernel[:, :, 0] @ mean - fitted[:, :, 0] @ mean[kept]
    return fitted[..., None].to(weight.dtype), bias + moved.to(bias.dtype), kept


def centre(kernel: Tensor, side: int) -> Tensor:
    """The middle `side` x `side` taps of (..., h, w)."""
    start = (kernel.shape[-1] - side) // 2
    return kernel[..., start : start + side, start : start + side]


def _statistics(
    parent: InvertedTrunk, convolutions: Sequence[nn.Conv2d], pictures: Sequence[tuple[Tensor, Tensor]]
) -> dict[nn.Conv2d, Statistics]:
    if not pictures:
        return {}
    patches = {convolution: Patches(convolution) for convolution in convolutions}
    for frame, previous in pictures:
        parent(frame, previous)
    return {convolution: (found.mean(), found.covariance()) for convolution, found in patches.items()}


def _gate(new: Gate, old: Gate, kept: Sequence[int]) -> None:
    """The gate of the channels `kept`, its own middle the channels that are read with the largest norm."""
    count = new.squeeze.out_channels
    rows = sorted(old.excite.weight.flatten(1).norm(dim=0).topk(count).indices.tolist())
    _set(new.squeeze, old.squeeze.weight[rows][:, kept], old.squeeze.bias[rows])  # type: ignore[index]
    _set(new.excite, old.excite.weight[kept][:, rows], old.excite.bias[kept])  # type: ignore[index]


def _rows(new: nn.Conv2d, old: nn.Conv2d, kept: Sequence[int]) -> None:
    _set(new, centre(old.weight[kept], new.kernel_size[0]), old.bias[kept])  # type: ignore[index]


def _set(convolution: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    convolution.weight.copy_(weight)
    convolution.bias.copy_(bias)  # type: ignore[union-attr]
