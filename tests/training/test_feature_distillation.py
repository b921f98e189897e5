from copy import deepcopy

import pytest
import torch
from torch import nn

from models.hourglass import Hourglass
from models.variant import get
from training.feature_distillation import STAGES, FeatureDistillation, FeatureTeacher, distance


def test_the_distance_is_a_share_of_the_teachers_variance():
    torch.manual_seed(0)
    theirs = [torch.randn(8, 4, 8, 8), 100 + 30 * torch.randn(8, 4, 8, 8)]
    assert distance(theirs, theirs) == 0
    means = [t.mean().expand_as(t) for t in theirs]
    assert distance(means, theirs).item() == pytest.approx(1, abs=0.01)
    assert distance([theirs[0], means[1]], theirs).item() == pytest.approx(0.5, abs=0.01)


def test_networks_of_other_squeeze_skips_and_head_are_compared_stage_by_stage():
    torch.manual_seed(0)
    teacher = Hourglass(get("s4-skip-plain"))
    network = Hourglass(get("s32-noskip-dense")).train()
    features = FeatureDistillation(network, FeatureTeacher(teacher))
    picture = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    network.logits(*picture)
    features(*picture).backward()
    for stage in STAGES:
        assert any(p.grad is not None and p.grad.any() for p in network.get_submodule(stage).parameters()), stage
    assert not any(p.requires_grad for p in teacher.parameters())


def test_a_network_that_equals_its_teacher_has_no_distance_to_it():
    torch.manual_seed(0)
    network = Hourglass(get("s16-skip-plain")).eval()
    features = FeatureDistillation(network, FeatureTeacher(deepcopy(network)))
    picture = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
    network.logits(*picture)
    assert features(*picture) == 0
    with torch.no_grad():
        network.logits(1 - picture[0], picture[1])
    assert features(*picture) > 0


def test_the_teacher_is_judged_in_evaluation_mode_and_stays_as_it_is():
    teacher = Hourglass(get("s4-skip-plain")).train()
    before = deepcopy(teacher.state_dict())
    network = Hourglass(get("s16-skip-plain")).train()
    features = FeatureDistillation(network, FeatureTeacher(teacher))
    picture = torch.rand(2, 3, 64, 64), torch.rand(2, 1, 64, 64)
    network.logits(*picture)
    features(*picture)
    assert all(torch.equal(v, before[k]) for k, v in teacher.state_dict().items())
    assert not any(m.training for m in teacher.modules() if isinstance(m, nn.BatchNorm2d))


def test_kept_features_stay_where_they_are_and_follow_what_the_tensors_hold():
    torch.manual_seed(0)
    teacher = FeatureTeacher(Hourglass(get("s16-skip-plain")))
    frame, mask = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
    teacher.keep(frame, mask)
    kept = teacher.features(frame, mask)
    first = [one.clone() for one in kept]
    frame.copy_(1 - frame)
    teacher.keep(frame, mask)
    assert all(one is other for one, other in zip(teacher.features(frame, mask), kept, strict=True))
    fresh = FeatureTeacher(teacher._network).features(frame.clone(), mask.clone())
    assert all(torch.equal(one, other) for one, other in zip(kept, fresh, strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(kept, first, strict=True))
