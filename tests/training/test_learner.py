import pytest
import torch

from models.variant import get
from training.learner import Learner, Lesson
from training.options import parse

CPU = torch.device("cpu")


def learner(tmp_path, *more, name="s16-skip-dense"):
    options = parse([name, "--data", str(tmp_path), "--out", str(tmp_path / "run"), "--teacher", "none", *more])
    made = Learner(name, get(name), (64, 64), options)
    made.ready(CPU)
    return made


def lesson():
    torch.manual_seed(0)
    target = (torch.rand(4, 1, 64, 64) > 0.5).float()
    return Lesson([torch.rand(4, 3, 64, 64)], [target], torch.zeros_like(target))


def test_bfloat16_learns_as_float32_does(tmp_path):
    exact, half = learner(tmp_path), learner(tmp_path, "--bf16")
    for step in range(3):
        for one in (exact, half):
            one.step(lesson(), 1e-3, step)
    assert half.mean_loss() == pytest.approx(exact.mean_loss(), rel=5e-3)
    assert all(parameter.dtype == torch.float32 for parameter in half.network.parameters())


def test_the_features_weigh_less_as_the_rate_falls(tmp_path):
    one = learner(tmp_path, "--feature-weight", "1", "--rate", "1e-3", name="live")
    weights = []
    for rate in (1e-3, 5e-4, 0.0):
        one.set_rate(rate)
        weights.append(one._feature_weight())
    assert weights == pytest.approx([1, 0.5, 0])


def test_a_rate_in_the_devices_memory_moves_the_weights_as_a_number_does():
    from training.muon import Muon
    from training.state import set_rate, use_tensor_rates

    ends = []
    for held in (False, True):
        weight = torch.nn.Parameter(torch.ones(16, 8, 1, 1))
        muon = Muon([weight], decay=0.1)
        if held:
            use_tensor_rates([muon])
        set_rate([muon], 1e-2)
        torch.manual_seed(0)
        weight.grad = torch.randn(16, 8, 1, 1)
        muon.step()
        ends.append(weight.detach())
    torch.testing.assert_close(*ends)
    assert not torch.equal(ends[0], torch.ones(16, 8, 1, 1))
