"""A teacher counts where it agrees with the label."""

import pytest
import torch

from training.distill import RIGHT, WRONG, agreement, mixed, taught, trust


def blob(left, right):
    mask = torch.zeros(16, 16)
    mask[:, left:right] = 1
    return mask


def test_agreement_is_the_iou_of_sharp_masks_and_of_nothing_with_nothing_1():
    answers = torch.stack([blob(0, 8), blob(0, 8), blob(0, 0), blob(0, 4)])
    truths = torch.stack([blob(0, 8), blob(4, 12), blob(0, 0), blob(8, 12)])
    assert agreement(answers, truths).tolist() == pytest.approx([1, 1 / 3, 1, 0], abs=1e-6)
    assert agreement(answers[:, None], truths[:, None]).tolist() == agreement(answers, truths).tolist()


def test_a_fainter_answer_agrees_less():
    assert float(agreement(0.7 * blob(0, 8)[None], blob(0, 8)[None])) == pytest.approx(0.7)


def test_trust_rises_from_nothing_to_all():
    at = torch.tensor([0.0, WRONG, (WRONG + RIGHT) / 2, RIGHT, 1.0])
    assert trust(at).tolist() == pytest.approx([0, 0, 0.5, 1, 1], abs=1e-6)


def test_an_answer_is_mixed_in_where_it_is_right_and_asked_for():
    truths = torch.stack([blob(0, 10), blob(0, 10), blob(0, 10)])[:, None]
    near, far = blob(0, 11), blob(8, 16)
    answers = torch.stack([near, far, near])[:, None]
    asked = torch.tensor([True, True, False])
    got = taught(truths, answers, 0.5, asked)
    assert torch.equal(got[0, 0], mixed(blob(0, 10), near, 0.5))
    assert torch.equal(got[1], truths[1])
    assert torch.equal(got[2], truths[2])
    believed = taught(truths, answers, 0.5, asked, trust_all=True)
    assert torch.equal(believed[1, 0], (blob(0, 10) + far) / 2)
    assert torch.equal(believed[2], truths[2])
