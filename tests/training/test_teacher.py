"""The teacher on a network of our own: offline, and answering the samples themselves."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from models.checkpoint import save
from models.hourglass import Hourglass
from models.variant import Variant
from training import loader
from training.sampler import Law, Sampler
from training.split import split
from training.teacher import teacher

SMALL = Variant(stem=4, widths=(8, 8, 8), depths=(0, 0, 0), decoder=(4, 4, 4), head="plain")


@pytest.fixture
def larger(tmp_path):
    torch.manual_seed(0)
    network = Hourglass(SMALL)
    torch.nn.init.normal_(network.head.logit.weight, std=3)
    save(tmp_path / "larger.safetensors", "larger", SMALL, network.state_dict(), {})
    return tmp_path / "larger.safetensors"


def test_a_checkpoint_teaches_soft_masks_of_the_pictures_size(larger):
    picture = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    teach = teacher(larger)
    mask = teach(picture)
    assert mask.shape == (60, 90)
    assert mask.dtype == np.uint8
    assert mask.std() > 0
    mirrored = teach(np.ascontiguousarray(picture[:, ::-1]))[:, ::-1]
    assert np.abs(mask.astype(int) - mirrored).max() <= 2


def test_samples_are_answered_as_they_were_drawn_but_for_turned_ones_and_empty_scenes(larger, store):
    law = Law(size=64, turned=0.3)
    sampler = Sampler(store, split(store).train, replace(law, weights={**law.weights, "scenes": 0.5}), seed=0)
    drawn = [sampler(i) for i in range(24)]
    asked = [sample.upright and sample.targets.any() for sample in drawn]
    assert 0 < sum(asked) < 24
    assert not all(sample.upright for sample in drawn)
    assert not all(sample.targets.any() for sample in drawn)
    teach = teacher(larger, mirrored=False)
    batch = next(loader.batches(sampler, 24, 0, 1, teacher=loader.Answering(str(larger))))
    assert batch.asked.tolist() == asked
    for sample, was_asked, answers in zip(drawn, asked, batch.answers.numpy(), strict=True):
        assert np.array_equal(answers[0], teach(sample.frames[0]) if was_asked else sample.targets[0])


def test_workers_do_not_change_what_a_step_sees(store):
    sampler = Sampler(store, split(store).train, Law(size=32), seed=0)
    one, three = (list(loader.batches(sampler, 4, 2, 9, workers=workers)) for workers in (1, 3))
    assert len(one) == 7
    for a, b in zip(one, three, strict=True):
        assert torch.equal(a.frames, b.frames)
        assert torch.equal(a.previous, b.previous)
