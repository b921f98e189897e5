"""Bottlenecks made narrower: what is dropped is what weighs least."""

from dataclasses import replace

import pytest
import torch

from models import checkpoint
from models.hourglass import Hourglass
from models.variant import VARIANTS, Variant
from training import slim
from training.card import stages

WIDE = Variant(squeeze=4, entry="add", head="light", stem=16, widths=(32, 32, 64), depths=(1, 1, 1), decoder=(8, 8, 8))
NARROW = replace(WIDE, squeeze=8, narrowest=8)
"""Middles of 8, 8 and 16 become 8, 8 and 8."""


def trained(variant: Variant, dead: int = 0) -> Hourglass:
    """A network whose branches all count, the first `dead` channels of stride 32's middles excepted."""
    torch.manual_seed(0)
    network = Hourglass(variant).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.0)
            torch.nn.init.uniform_(module.bias, -0.2, 0.5)
    for name, parameter in network.named_parameters():
        if name.startswith("stage32") and (".branch.0.1" in name or ".branch.1.1" in name):
            torch.nn.init.zeros_(parameter[:dead])
    return network


def seen(network: Hourglass) -> torch.Tensor:
    torch.manual_seed(1)
    with torch.no_grad():
        return network(torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64))


def test_channels_that_say_nothing_are_dropped_and_nothing_changes():
    wide = trained(WIDE, dead=8)
    small = slim.slim(wide, NARROW)
    assert small.variant == NARROW
    assert small.get_parameter("stage32.0.branch.1.0.weight").shape == (8, 8, 4, 4)
    assert torch.allclose(seen(small), seen(wide), atol=1e-6)


def test_channels_that_say_something_are_missed():
    wide = trained(WIDE)
    assert (seen(slim.slim(wide, NARROW)) - seen(wide)).abs().max() > 1e-4


def test_a_channel_weighs_what_passes_the_relu_times_what_is_read_of_it():
    norm = torch.nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight[:] = torch.tensor([1.0, 1.0, 1.0, 0.1])
        norm.bias[:] = torch.tensor([0.0, -3.0, 3.0, 0.0])
    even, uneven = torch.ones(2, 4, 1, 1), torch.ones(2, 4, 1, 1)
    uneven[:, 3] = 100
    assert slim.strongest(norm, even, 2).tolist() == [0, 2]
    assert slim.strongest(norm, uneven, 2).tolist() == [2, 3]


def test_what_is_not_narrower_in_its_middles_alone_is_refused():
    with pytest.raises(ValueError, match="more than their bottlenecks"):
        slim.slim(trained(WIDE), replace(NARROW, depths=(1, 2, 1)))
    with pytest.raises(ValueError, match="a middle of 8 channels cannot become one of 16"):
        slim.slim(trained(WIDE), replace(WIDE, squeeze=2))


def test_the_command_writes_a_checkpoint_that_says_so(tmp_path, monkeypatch, capsys):
    for name, variant in (("wide", WIDE), ("narrow", NARROW)):
        monkeypatch.setitem(VARIANTS, name, variant)
    done = [{"samples": 640, "size": 64, "frames": 2, "seconds": 3}]
    checkpoint.save(tmp_path / "wide.safetensors", "wide", WIDE, trained(WIDE).state_dict(), {"training": done})
    out = tmp_path / "narrow.safetensors"
    assert slim.main([str(tmp_path / "wide.safetensors"), "narrow", "--out", str(out)]) == 0
    made = checkpoint.load(out)
    assert (made.name, made.variant) == ("narrow", NARROW)
    assert stages(made.card["training"]) == "640 @ 64 (2), middles of 8, 8, 16 slimmed to 8, 8, 8"
    assert slim.main([str(out), "wide", "--out", str(tmp_path / "x.safetensors")]) == 2
    assert capsys.readouterr().err == "training.slim: a middle of 8 channels cannot become one of 16\n"
