from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.hourglass import Hourglass
from models.inverted import Gate, Inverted, InvertedTrunk, Join
from models.variant import LIVE, Variant


def test_features_are_at_a_quarter_of_sizes_that_are_multiples_of_16():
    features = InvertedTrunk(previous_mask=True)(torch.rand(2, 3, 48, 80), torch.rand(2, 1, 48, 80))
    assert features.shape == (2, 16, 12, 20)


def test_a_fresh_trunk_does_not_heed_the_previous_mask_and_can_learn_to():
    trunk = InvertedTrunk(previous_mask=True)
    frame, masks = torch.rand(1, 3, 32, 32), torch.eye(2).repeat_interleave(512, 1).view(2, 1, 32, 32)
    before = [trunk(frame, mask[None]) for mask in masks]
    torch.testing.assert_close(*before)
    sum(before).sum().backward()
    assert trunk.mask.weight.grad.abs().max() > 0


def test_without_a_previous_mask_there_is_nothing_to_hear_it():
    network = Hourglass(replace(LIVE, previous_mask=False)).eval()
    frame, mask = torch.rand(1, 3, 32, 32), torch.rand(1, 1, 32, 32)
    assert network.trunk.mask is None
    torch.testing.assert_close(network(frame, mask), network(frame, 1 - mask))


def test_a_gate_is_one_factor_a_channel_from_the_mean():
    gate = Gate(4, 2)
    x = torch.randn(1, 4, 6, 6)
    factors = gate(x)
    assert factors.shape == (1, 4, 1, 1)
    assert 0 < factors.min() <= factors.max() < 1
    torch.testing.assert_close(gate(x.mean((2, 3), keepdim=True)), factors)


def test_a_block_is_added_to_its_input_where_the_shapes_agree():
    x = torch.randn(1, 8, 6, 6)
    for block, added in ((Inverted(8, 16, 8, kernel=5, gate=4), True), (Inverted(8, 16, 12, kernel=5), False)):
        nn.init.zeros_(block.narrow.weight)
        nn.init.zeros_(block.narrow.bias)
        torch.testing.assert_close(block(x), x if added else torch.zeros(1, 12, 6, 6))


def test_a_join_projects_before_it_doubles_with_the_same_result():
    join, x, skipped = Join(8, 4), torch.randn(1, 8, 3, 5), torch.randn(1, 4, 6, 10)
    doubled = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
    y = join.project(doubled)
    y = F.relu(join.mix(y + skipped * join.gate(y + skipped)))
    torch.testing.assert_close(join(x, skipped), y + F.relu(join.refine(y)))


@pytest.mark.parametrize("change", [{"entry": "concat"}, {"skips": False}])
def test_what_the_trunk_has_not_is_refused(change):
    with pytest.raises(ValueError, match="inverted trunk adds the previous mask and has skips"):
        Variant(**{"trunk": "inverted", "entry": "add", **change})
