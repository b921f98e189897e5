"""The small network that every device is given, and what it is given with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Format, Precision, Spec
from devices.contract import Counts, Job
from models.variant import Variant

if TYPE_CHECKING:
    from converters.registry import Calibration
    from models.hourglass import Hourglass

RESOLUTION = (64, 64)
SEQUENCES = (2, 1)
COUNTS = Counts(warm_up_least=1, warm_up_seconds=0.01, samples=3, seconds=0.01)
SHALLOW = Variant(depths=(1, 1, 1))
"""Of every kind of operator, and quick to convert."""


def network(variant: Variant = SHALLOW) -> Hourglass:
    """A network of the family with random weights."""
    import torch

    from models.hourglass import DenseHead, Hourglass
    from models.inverted import InvertedTrunk

    torch.manual_seed(0)
    network = Hourglass(variant).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
        # Inverted blocks begin blind to the mask before; these see it.
        if isinstance(module, InvertedTrunk) and module.mask is not None:
            torch.nn.init.normal_(module.mask.weight)
    # A dense head begins as a pass-through; this one looks at the picture and at the mask before.
    if isinstance(network.head, DenseHead):
        torch.nn.init.normal_(network.head.final.weight)
    return network


def convert(folder: Path, format: Format, precision: Precision = "fp32", variant: Variant = SHALLOW) -> Path:
    """The network as an artifact in `folder`, int8 calibrated with noise."""
    from converters.registry import converter

    module = converter(format)
    spec = Spec("shallow", folder, "", format, precision, RESOLUTION)
    noise = _noise() if precision == "int8" else None
    return module.convert(network(variant), spec, folder / f"{precision}{module.SUFFIX}", noise)


def _noise() -> Calibration:
    random = np.random.default_rng(0)
    sides = (1, *RESOLUTION)
    return [(random.random((*sides, 3), np.float32), random.random((*sides, 1), np.float32)) for _ in range(3)]


def waves() -> NDArray[np.uint8]:
    """Three frames (3, H, W, 3) with large shapes in them: masks of noise would all look alike."""
    y, x = np.mgrid[: RESOLUTION[0], : RESOLUTION[1]]
    planes = [128 + 127 * np.sin(x / (5 + i) + c) * np.cos(y / (7 - i)) for i in range(3) for c in range(3)]
    return np.stack(planes, -1).reshape(*RESOLUTION, 3, 3).transpose(2, 0, 1, 3).astype(np.uint8)


def configured(job: Job, **changes: Any) -> Job:
    """The same job with its configuration changed."""
    return replace(job, config=replace(job.config, **changes))
