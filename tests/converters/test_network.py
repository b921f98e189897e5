from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from converters.network import Nhwc, fold
from models.checkpoint import load
from tests.converters.conftest import RESOLUTION


def test_folding_leaves_no_normalisation_and_the_same_masks(tiny: Path) -> None:
    network = load(tiny).network()
    folded = fold(network)
    assert not [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    assert [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)], "the network given is left as it was"
    frame, prev_mask = torch.rand(1, 3, *RESOLUTION), torch.rand(1, 1, *RESOLUTION)
    with torch.no_grad():
        assert torch.allclose(folded(frame, prev_mask), network(frame, prev_mask), atol=1e-5)
        assert torch.equal(fold(folded)(frame, prev_mask), folded(frame, prev_mask))


def test_nhwc_wrapper_is_the_network_in_another_layout(tiny: Path) -> None:
    network = load(tiny).network()
    frame, prev_mask = torch.rand(1, 3, *RESOLUTION), torch.rand(1, 1, *RESOLUTION)
    with torch.no_grad():
        mask = Nhwc(network)(frame.permute(0, 2, 3, 1), prev_mask.permute(0, 2, 3, 1))["mask"]
        assert torch.allclose(mask.permute(0, 3, 1, 2), network(frame, prev_mask), atol=1e-5)
    assert network.variant.previous_mask
