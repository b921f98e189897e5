"""A small network whose masks depend on what it sees, and frames to show it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from converters.artifact import Format, Precision, Spec
from converters.cache import Cache
from converters.calibration_data import CalibrationData, prepare
from converters.parity import eager, masks
from evaluation.sample import embedded
from models import checkpoint
from models.segmenter import Floats
from models.variant import Variant

RESOLUTION = (64, 64)
TINY = Variant(stem=8, widths=(16, 16, 16), depths=(0, 1, 0), decoder=(8, 8, 8), dense_layers=1)

MakeSpec = Callable[[Format, Precision], Spec]


@pytest.fixture(scope="session")
def calibration_data() -> CalibrationData:
    return prepare(embedded(), RESOLUTION)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, calibration_data: CalibrationData) -> Path:
    """A checkpoint of TINY: drawn at random, its statistics set by real frames, its logits spread about zero."""
    import torch
    from torch import nn

    from models.hourglass import DenseHead, Hourglass

    torch.manual_seed(0)
    network = Hourglass(TINY)
    x = torch.from_numpy(calibration_data.clip[::8]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.3)
                module.momentum = None
        assert isinstance(network.head, DenseHead)
        final = network.head.final
        assert final.bias is not None
        final.weight.normal_()
        prev_mask = torch.rand(4, 1, *RESOLUTION)
        network.train()(x, prev_mask)
        # The previous mask counts, but not so much that a rounding feeds itself until it is all there is.
        weights = dict(network.named_parameters())
        weights["stem.0.weight"][:, 3] *= 0.1
        weights["head.layers.0.0.weight"][:, 11] *= 0.1
        final.weight[:, 11] *= 0.1
        logits = network.eval().logits(x, prev_mask)
        final.weight /= logits.std()
        final.bias -= logits.mean() / logits.std()
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    checkpoint.save(path, "tiny", TINY, network.state_dict(), {})
    return path


@pytest.fixture(scope="session")
def reference(tiny: Path, calibration_data: CalibrationData) -> Floats:
    """What the checkpoint itself makes of the clip."""
    made = masks(eager(checkpoint.load(tiny).network()), calibration_data.clip)
    assert 0.1 < float((made > 0.5).mean()) < 0.9, "anything would agree with a network that sees nothing"
    return made


@pytest.fixture(scope="session")
def spec(tiny: Path) -> MakeSpec:
    sha = checkpoint.sha256(tiny)
    return lambda format, precision: Spec("tiny", tiny, sha, format, precision, RESOLUTION)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")
