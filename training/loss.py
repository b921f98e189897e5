"""The losses: of a mask, binary cross-entropy, heavier near the contour, and soft Jaccard; of two in a row, dtSSD."""

from __future__ import annotations

from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor


def contour(target: Tensor, radius: int) -> Tensor:
    """1 within `radius` pixels of where the soft target (N, 1, H, W) changes, else towards 0."""
    return dilated(target, radius) + dilated(1 - target, radius) - 1


def dilated(values: Tensor, radius: int) -> Tensor:
    """The largest of `values` (N, 1, H, W), at least 0, in each square of 2 * radius + 1 pixels.

    Shifted maxima, because max_pool2d on one channel took a quarter of a training step.
    """
    for axis, padding in ((3, (radius, radius)), (2, (0, 0, radius, radius))):
        size, padded = values.shape[axis], F.pad(values, padding)
        values = reduce(torch.maximum, (padded.narrow(axis, i, size) for i in range(2 * radius + 1)))
    return values


def pixel_weights(target: Tensor, radius: int = 3, extra: float = 2.0) -> Tensor:
    """What pixels count in the cross-entropy, (N, 1, H, W): 1 + `extra` within `radius` of the contour of `target`.

    They depend on the truth alone, so that several networks can share them.
    """
    return 1 + extra * contour(target, radius)


def segmentation(logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Tensor:
    """Mean over the batch. logits and target (N, 1, H, W), target soft in [0, 1]; `weight` as by `pixel_weights`.

    Soft Jaccard is one minus intersection over union a picture; a picture without a person has no union to speak of
    and is left to the cross-entropy.
    """
    weight = pixel_weights(target) if weight is None else weight
    entropy = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).sum() / weight.sum()
    mask = torch.sigmoid(logits)
    overlap = (mask * target).sum((1, 2, 3))
    union = (mask + target).sum((1, 2, 3)) - overlap
    present = (target.sum((1, 2, 3)) > 0.002 * target[0].numel()).float()
    jaccard = ((1 - overlap / union.clamp(min=1e-6)) * present).sum() / present.sum().clamp(min=1)
    return entropy + jaccard


def unsteadiness(mask: Tensor, before: Tensor, target: Tensor, target_before: Tensor) -> Tensor:
    """Mean over the batch of how much more, or less, masks change from frame to frame than they should.

    All (N, 1, H, W) in [0, 1]. It is dtSSD (Erofeev et al., "Perceptually motivated benchmark for video matting", 2015)
    in 0 to 1, kept from the root's steep start at nothing.
    """
    change = (mask - before) - (target - target_before)
    return (change.square().mean((1, 2, 3)) + 1e-5).sqrt().mean()
