"""Bilinear enlargement as two matrix products, for training on a GPU.

PyTorch's kernel computes in float32 under autocast, and its backward pass adds with atomics. The products take bfloat16
and are as fast backwards. What comes out is that of `F.interpolate` up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

INTERPOLATE = F.interpolate


@cache
def weights(size: int, factor: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """(size * factor, size): what each pixel of a line gets from each of the smaller one."""
    return INTERPOLATE(torch.eye(size)[None], scale_factor=float(factor), mode="linear")[0].T.to(device, dtype)


def enlarged(x: Tensor, factor: int) -> Tensor:
    """(N, C, H, W) to (N, C, H * factor, W * factor), both channels-last in memory."""
    count, channels, height, width = x.shape
    down = weights(height, factor, x.dtype, x.device)
    across = weights(width, factor, x.dtype, x.device)
    lines = x.permute(0, 2, 3, 1).reshape(count, height, width * channels)
    lines = torch.bmm(down.expand(count, -1, -1), lines).view(-1, width, channels)
    whole = torch.bmm(across.expand(len(lines), -1, -1), lines)
    return whole.view(count, height * factor, width * factor, channels).permute(0, 3, 1, 2)


@contextmanager
def by_products() -> Iterator[None]:
    """`F.interpolate` of whole factors, bilinear, goes by `enlarged` meanwhile."""

    def interpolate(x: Tensor, *args: Any, **options: Any) -> Tensor:
        factor = options.get("scale_factor")
        if args or factor is None or options.get("mode") != "bilinear" or factor != int(factor) or x.ndim != 4:
            return INTERPOLATE(x, *args, **options)
        return enlarged(x, int(factor))

    F.interpolate = interpolate  # type: ignore[assignment]
    try:
        yield
    finally:
        F.interpolate = INTERPOLATE
