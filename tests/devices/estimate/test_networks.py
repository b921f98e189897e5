"""The known networks are those of their papers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from devices.contract import CellFailed
from devices.estimate import references
from devices.estimate.networks import NETWORKS
from devices.estimate.published import published


def cost(network: nn.Module, size: tuple[int, int]) -> tuple[int, int, object]:
    """(multiply-accumulates, parameters, what comes out) of a frame; nothing is computed."""
    total = 0

    def count(module: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d)
        total += output.numel() * module.weight[0].numel()

    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    out = network(torch.empty(1, 3, *size))
    return total, sum(p.numel() for p in network.parameters()), out


def test_every_published_time_is_of_a_network_that_can_be_made_here() -> None:
    assert {name for phone in published().values() for name in phone.milliseconds} <= set(NETWORKS)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("mobilenet-v1", 4.2e6),
        ("mobilenet-v2", 3.5e6),
        ("mobilenet-v3-large", 5.4e6),
        ("mobilenet-v3-small", 2.5e6),
    ],
)
def test_a_mobilenet_costs_what_its_paper_says(name: str, parameters: float) -> None:
    known = NETWORKS[name]
    with torch.device("meta"):
        macs, values, out = cost(known.make().eval(), known.size)
    assert known.macs
    assert macs == pytest.approx(known.macs * 1e6, rel=0.015)
    assert values == pytest.approx(parameters, rel=0.02)
    assert isinstance(out, torch.Tensor)
    assert out.numel() == 1001


def test_posenet_has_its_heads_at_stride_16() -> None:
    known = NETWORKS["posenet"]
    with torch.device("meta"):
        _, _, out = cost(known.make().eval(), known.size)
    assert isinstance(out, tuple)
    assert [tuple(head.shape) for head in out] == [(1, 23, 17, channels) for channels in (17, 34, 32, 32)]


def test_a_network_that_cannot_be_timed_costs_its_cell(tmp_path: Path) -> None:
    (tmp_path / "broken.tflite").write_bytes(b"nothing")
    with pytest.raises(CellFailed, match="the known networks could not be made or timed here"):
        references.times([tmp_path / "broken.tflite"])
