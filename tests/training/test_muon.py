import copy

import pytest
import torch

from models import variant
from models.hourglass import Hourglass
from training.muon import Muon, is_matrix, orthogonal
from training.state import optimizers


@pytest.mark.parametrize("shape", [(3, 8, 20), (2, 20, 8), (1, 16, 16)])
def test_directions_are_nearly_orthogonal(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert values.min() > 0.3
    assert values.max() < 1.3


def test_a_direction_does_not_depend_on_the_size_of_the_gradient_nor_on_its_neighbours():
    torch.manual_seed(0)
    matrices = torch.randn(3, 8, 20)
    together = orthogonal(matrices)
    torch.testing.assert_close(orthogonal(matrices[1:2] * 1000), together[1:2], rtol=1e-3, atol=1e-3)


def test_every_parameter_has_one_optimizer_and_the_ends_are_left_to_adamw():
    network = Hourglass(variant.get("s4-skip-light"))
    adamw, muon = optimizers(network, muon=True)
    taken = [[p for group in one.param_groups for p in group["params"]] for one in (adamw, muon)]
    assert sorted(map(id, taken[0] + taken[1])) == sorted(map(id, network.parameters()))
    assert all(is_matrix(p) for p in taken[1])
    assert sum(p.numel() for p in taken[1]) > 0.9 * sum(p.numel() for p in network.parameters())
    assert not any(is_matrix(p) for p in (next(network.parameters()), list(network.parameters())[-1]))


def test_a_step_is_as_long_as_adamws_and_goes_downhill():
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(16, 8, 3, 3))
    goal = torch.randn(16, 8, 3, 3)
    muon = Muon([weight], decay=0.0)
    muon.param_groups[0]["lr"] = 0.05
    losses = []
    for _ in range(60):
        before = weight.detach().clone()
        loss = ((weight - goal) ** 2).mean()
        muon.zero_grad()
        loss.backward()
        muon.step()
        losses.append(loss.item())
        assert 0.1 * 0.05 < (weight - before).square().mean().sqrt() < 0.4 * 0.05
    assert losses[-1] < 0.7 * losses[0]


def test_a_saved_optimizer_goes_on_as_it_would_have():
    torch.manual_seed(0)
    goal = torch.randn(16, 8, 1, 1)

    def steps(weight, muon, count):
        muon.param_groups[0]["lr"] = 0.01
        for _ in range(count):
            muon.zero_grad()
            ((weight - goal) ** 2).sum().backward()
            muon.step()

    one = torch.nn.Parameter(torch.zeros(16, 8, 1, 1))
    first = Muon([one], decay=0.1)
    steps(one, first, 5)
    two = torch.nn.Parameter(one.detach().clone())
    second = Muon([two], decay=0.1)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    steps(one, first, 5)
    steps(two, second, 5)
    torch.testing.assert_close(one, two)
