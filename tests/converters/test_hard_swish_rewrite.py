"""Hard-swish in other operators: the same masks, and nothing left of it."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from converters.hard_swish_rewrite import hard_swish_times_six, without_hard_swish
from models.hourglass import Hourglass
from models.variant import LIVE, get


def test_it_is_six_times_a_hard_swish() -> None:
    x = torch.linspace(-9, 9, 361)
    torch.testing.assert_close(hard_swish_times_six(x), 6 * F.hardswish(x))


def test_the_copy_gives_the_same_masks_without_one(monkeypatch) -> None:
    torch.manual_seed(0)
    before = Hourglass(LIVE).eval().requires_grad_(False)
    for parameter in before.parameters():
        parameter.mul_(1.5)
    frame, mask = torch.rand(2, 3, 48, 64), torch.rand(2, 1, 48, 64)
    wanted = before.double().logits(frame.double(), mask.double())
    after = without_hard_swish(before)
    torch.testing.assert_close(after.logits(frame.double(), mask.double()), wanted)
    assert wanted.std() > 0.01

    def refuse(_: torch.Tensor) -> torch.Tensor:
        raise AssertionError("a hard-swish is left")

    monkeypatch.setattr(F, "hardswish", refuse)
    after.logits(frame.double(), mask.double())


def test_a_squeezed_network_has_none() -> None:
    squeezed = Hourglass(get("s4-skip-light"))
    assert without_hard_swish(squeezed) is squeezed
