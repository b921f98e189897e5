"""The photo network is the published one, by its counts, and its person is the class that it says."""

import pytest
import torch
from torch import nn

from models import photo, reference
from models.cost import convolution_macs

# torchvision's documented figures of deeplabv3_mobilenet_v3_large, its auxiliary classifier included.
PARAMETERS, GIGA_MACS = 11_029_328, 10.452
AUXILIARY = 40 * 10 * 9 + 2 * 10 + 10 * 21 + 21
AUXILIARY_MACS = (40 * 10 * 9 + 10 * 21) * 65 * 65


def test_its_parameters_and_multiply_accumulates_are_those_published():
    with torch.device("meta"):
        network = photo.DeepLab().eval()
        macs = convolution_macs(network, (torch.empty(1, 3, 520, 520),))
    assert sum(p.numel() for p in network.parameters()) + AUXILIARY == PARAMETERS
    assert round((macs + AUXILIARY_MACS) / 1e9, 3) == GIGA_MACS


def test_the_person_is_one_class_of_all():
    network = photo.DeepLab().eval()
    picture = torch.rand(1, 64, 32, 3)
    last = network.head[-1]
    assert isinstance(last, nn.Conv2d)
    with torch.inference_mode():
        last.weight.zero_()
        last.bias.zero_()
        assert photo.Person(network)(picture).shape == (1, 64, 32, 1)
        assert photo.Person(network)(picture).mean().item() == pytest.approx(1 / 21)
        last.bias[15] = 9.0
        assert photo.Person(network)(picture).min() > 0.99


def test_its_entry_pins_what_is_made_here():
    found = reference.read()
    for name in ("deeplabv3-mobilenetv3", "deeplabv3-mobilenetv3-513"):
        assert found[name].sha256 == photo.digest()
        assert found[name].speed_only
        assert (found[name].mean, found[name].std) == (photo.MEAN, photo.STD)


def test_a_star_leaves_out_what_has_a_speed_alone():
    assert not any(one.speed_only for one in reference.match("*"))
    assert [one.name for one in reference.match("deeplabv3-*")] == [
        "deeplabv3-mobilenetv3",
        "deeplabv3-mobilenetv3-513",
    ]
