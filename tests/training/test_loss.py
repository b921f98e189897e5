import numpy as np
import pytest
import torch

from evaluation.temporal import dtssd_step
from training.loss import segmentation, unsteadiness


def masks(seed, count=2):
    return torch.rand((count, 1, 24, 24), generator=torch.Generator().manual_seed(seed))


def test_unsteadiness_is_dtssd():
    mask, before = masks(0), masks(1)
    target, target_before = (masks(2) > 0.5).float(), (masks(3) > 0.5).float()
    steps = [
        dtssd_step(*(np.asarray(values[i, 0], dtype) for values, dtype in pairs))
        for i in range(2)
        for pairs in [((before, np.float32), (target_before, np.uint8), (mask, np.float32), (target, np.uint8))]
    ]
    assert float(unsteadiness(mask, before, target, target_before)) == pytest.approx(np.mean(steps) / 100, rel=1e-3)


def test_masks_that_move_with_the_truth_are_steady_and_what_stands_still_has_a_gradient():
    target, target_before = masks(0), masks(1)
    wrong = 0.2 * masks(2)
    assert float(unsteadiness(target + wrong, target_before + wrong, target, target_before)) < 0.004
    still = torch.full((1, 1, 8, 8), 0.5, requires_grad=True)
    unsteadiness(still, still.detach(), still.detach(), still.detach()).backward()
    assert still.grad is not None
    assert torch.isfinite(still.grad).all()


def test_the_better_mask_costs_less_and_the_contour_more_than_the_middle():
    target = torch.zeros((1, 1, 32, 32))
    target[..., 8:24, 8:24] = 1
    right = (target - 0.5) * 20

    def cost(change):
        logits = right.clone()
        logits[..., change, 8:24] *= -1
        return float(segmentation(logits, target))

    assert float(segmentation(right, target)) < 0.01 < cost(slice(15, 17)) < cost(slice(8, 10))
