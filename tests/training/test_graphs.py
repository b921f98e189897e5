"""Recorded steps against plain ones. They need a GPU: on a machine without one these tests are skipped, and say so."""

import pytest
import torch

from models.variant import get
from training.learner import Learner, Lesson
from training.options import parse

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="recorded steps need a GPU with CUDA")


def learners(names, data, speedup, device):
    arguments = [*names, "--data", str(data), "--out", str(data / "run"), "--teacher", "none", "--speedup", speedup]
    options = parse(arguments)
    made = [Learner(name, get(name), (64, 64), options) for name in names]
    for one in made:
        one.ready(device)
    return made


def test_recorded_steps_lead_where_plain_ones_do(tmp_path):
    from training.graphs import EAGER, Graphs

    device = torch.device("cuda", 0)
    torch.manual_seed(0)
    frame = torch.rand(8, 3, 64, 64, device=device).contiguous(memory_format=torch.channels_last)
    target = (torch.rand(8, 1, 64, 64, device=device) > 0.5).float()
    lesson = Lesson([frame], [target], torch.zeros_like(target))
    names = ["s16-skip-plain", "s16-noskip-dense"]
    plain, recorded = (learners(names, tmp_path, how, device) for how in ("none", "graphs"))
    graphs = Graphs(recorded)
    for step in range(EAGER + 5):
        for one in plain:
            one.step(lesson, 1e-3, step)
        graphs.step(lesson, 1e-3, step)
    graphs.settle()
    for one, other in zip(plain, recorded, strict=True):
        assert other.mean_loss() == pytest.approx(one.mean_loss(), rel=2e-2)
        assert other.network.state_dict()["stem.frame.1.num_batches_tracked"] == EAGER + 5


def test_recorded_steps_follow_the_features_of_each_batch(tmp_path):
    from models.hourglass import Hourglass
    from training.feature_distillation import FeatureDistillation, FeatureTeacher
    from training.graphs import EAGER, Graphs

    device = torch.device("cuda", 0)
    torch.manual_seed(0)
    teacher = FeatureTeacher(Hourglass(get("s4-skip-plain")).to(device))
    names = ["s16-skip-plain", "s16-noskip-plain"]
    plain, recorded = (learners(names, tmp_path, how, device) for how in ("none", "graphs"))
    for one in (*plain, *recorded):
        one.features = FeatureDistillation(one.network, teacher)
        one._feature_weight = lambda: 0.3
    graphs = Graphs(recorded)
    for step in range(EAGER + 5):
        frame = torch.rand(8, 3, 64, 64, device=device).contiguous(memory_format=torch.channels_last)
        target = (torch.rand(8, 1, 64, 64, device=device) > 0.5).float()
        lesson = Lesson([frame], [target], torch.zeros_like(target))
        for one in plain:
            one.step(lesson, 1e-3, step)
        graphs.step(lesson, 1e-3, step)
    graphs.settle()
    for one, other in zip(plain, recorded, strict=True):
        assert other.mean_loss() == pytest.approx(one.mean_loss(), rel=2e-2)
