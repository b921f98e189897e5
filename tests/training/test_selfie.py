"""MediaPipe's network in PyTorch beside the published file in LiteRT."""

import numpy as np
import pytest
import torch

from evaluation.sample import embedded
from models.segmenter import no_mask, stretch, to_input
from training import answers, selfie
from training.options import TEACHER
from training.teacher import looking_twice, teacher


@pytest.fixture(scope="module")
def network():
    return selfie.published()


@pytest.fixture(scope="module")
def pictures():
    return [clip.read(0)[0] for clip in embedded().clips[:6]]


def test_it_answers_as_litert_does(network, pictures):
    from devices.open_model import open_model

    step, resolution = open_model(TEACHER)
    assert resolution == selfie.RESOLUTION
    frames = np.concatenate([to_input(stretch(picture, resolution)) for picture in pictures])
    theirs = np.concatenate([step(frame[None], no_mask(resolution)).copy() for frame in frames])
    with torch.inference_mode():
        ours = network(torch.from_numpy(frames).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert theirs.max() > 0.9
    assert np.abs(ours - theirs).max() < 1e-3


def test_its_weights_travel(network):
    again = selfie.opened(network.state_dict())
    frame = torch.rand(1, 3, 64, 64)
    assert torch.equal(again(frame), network(frame))


def test_it_labels_pictures_as_the_other_teacher_does(network, pictures):
    ours = answers.of_network(network, selfie.RESOLUTION, torch.device("cpu")).label(pictures)
    teach = teacher(TEACHER)
    for mask, picture in zip(ours, pictures, strict=True):
        assert mask.shape == picture.shape[:2]
        assert np.abs(mask.astype(int) - teach(picture)).max() <= 1


def test_a_batch_is_answered_at_its_own_size(network):
    teach = answers.of_network(network, selfie.RESOLUTION, torch.device("cpu"))
    frames = torch.rand(3, 3, 96, 80)
    masks = teach(frames)
    assert masks.shape == (3, 1, 96, 80)
    assert torch.allclose(masks[1:2], teach(frames[1:2]), atol=1e-5)


def test_a_second_look_is_the_mean_with_the_mirror_images_answer(network):
    cpu = torch.device("cpu")
    frames = torch.rand(2, 3, 64, 64)
    first = answers.of_network(network, selfie.RESOLUTION, cpu)(frames)
    mirrored = answers.of_network(network, (96, 96), cpu)(frames.flip(3)).flip(3)
    both = answers.of_network(network, selfie.RESOLUTION, cpu, second_look=96)(frames)
    assert torch.allclose(both, (first + mirrored) / 2, atol=1e-6)
    assert (both - first).abs().max() > 0.01


def test_a_second_look_beside_the_samples_answers_as_on_the_device(network, pictures):
    beside = looking_twice(teacher(TEACHER, mirrored=False), 320)
    device = answers.of_network(network, selfie.RESOLUTION, torch.device("cpu"), second_look=320)
    for picture in pictures:
        frame = stretch(picture, selfie.RESOLUTION)
        batch = torch.from_numpy(to_input(frame)).permute(0, 3, 1, 2)
        assert np.abs(beside(frame).astype(float) - 255 * device(batch)[0, 0].numpy()).max() <= 1.5
