"""The loss: binary cross-entropy, heavier near the contour, and soft Jaccard."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contour(target: Tensor, radius: int) -> Tensor:
    """1 within `radius` pixels of where the soft target (N, 1, H, W) changes, else towards 0."""
    side = 2 * radius + 1
    return F.max_pool2d(target, side, 1, radius) + F.max_pool2d(-target, side, 1, radius)


def segmentation(logits: Tensor, target: Tensor, radius: int = 3, extra: float = 2.0) -> Tensor:
    """Mean over the batch. logits and target (N, 1, H, W), target soft in [0, 1].

    Pixels within `radius` of the contour count 1 + `extra` times in the cross-entropy. Soft Jaccard is one minus
    intersection over union a picture; a picture without a person has no union to speak of and is left to the first.
    """
    weight = 1 + extra * contour(target, radius)
    entropy = (F.binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).sum() / weight.sum()
    mask = torch.sigmoid(logits)
    overlap = (mask * target).sum((1, 2, 3))
    union = (mask + target).sum((1, 2, 3)) - overlap
    present = (target.sum((1, 2, 3)) > 0.002 * target[0].numel()).float()
    jaccard = ((1 - overlap / union.clamp(min=1e-6)) * present).sum() / present.sum().clamp(min=1)
    return entropy + jaccard
