"""Channels made alike for int8: in float nothing changes, and what rounds them together loses less."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from converters.channel_equalization import Site, equalized, factors, rescale, sites, sizes
from models.hourglass import Hourglass
from models.inverted import Inverted
from models.segmenter import Floats
from models.variant import LIVE, Variant, get

SIDE = 48
MASK, LABELLED = LIVE, get("live-parts")


def network(variant: Variant = MASK) -> Any:
    """One whose every layer counts, the previous mask's too, and whose channels differ much."""
    torch.manual_seed(0)
    made: Any = Hourglass(variant).eval().requires_grad_(False)
    for parameter in made.trunk.parameters():
        if parameter.ndim == 1:
            parameter.normal_(0, 0.3)
    if variant.outputs > 1:
        made.head.context.weight.normal_()
    if made.trunk.mask is not None:
        made.trunk.mask.weight.normal_()
    made.trunk.stage4.widen.weight[3] *= 30
    made.trunk.stage8[0].narrow.weight[1] *= 30
    return made


def frames() -> list[tuple[Floats, Floats]]:
    rng = np.random.default_rng(0)
    return [(rng.random((1, SIDE, SIDE, 3), np.float32), rng.random((1, SIDE, SIDE, 1), np.float32)) for _ in range(3)]


def tensors() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for frame, mask in frames():
        yield torch.from_numpy(frame).permute(0, 3, 1, 2), torch.from_numpy(mask).permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("variant", "number"), [*((MASK, number) for number in range(len(sites(Hourglass(MASK))))), (LABELLED, -2)]
)
def test_any_factor_at_any_site_changes_nothing_and_half_of_a_site_would(variant: Variant, number: int) -> None:
    before = network(variant).double()
    frame, mask = (x.double() for x in next(tensors()))
    wanted = before.logits(frame, mask)

    def deviation(site: Site) -> float:
        after = deepcopy(before)
        named = dict(after.named_modules())
        names = {module: name for name, module in before.named_modules()}

        def same(modules: tuple[nn.Conv2d, ...]) -> tuple[nn.Conv2d, ...]:
            return tuple(named[names[module]] for module in modules)  # type: ignore[misc]

        width = sites(before)[number].writers[0].out_channels
        rescale(Site((), same(site.writers), same(site.readers)), torch.linspace(-2, 2, width).exp().double())
        return float((after.logits(frame, mask) - wanted).abs().max())

    site = sites(before)[number]
    assert deviation(site) < 1e-9
    for one in range(len(site.readers)):
        assert deviation(replace(site, readers=site.readers[:one] + site.readers[one + 1 :])) > 1e-6


@pytest.mark.parametrize(
    "variant", [MASK, replace(MASK, previous_mask=False), LABELLED], ids=["mask", "no previous mask", "labels"]
)
def test_the_copy_gives_the_same_masks_and_its_channels_are_more_alike(variant: Variant) -> None:
    before = network(variant)
    after = equalized(before, frames())
    assert after is not before
    for frame, mask in tensors():
        torch.testing.assert_close(after(frame, mask), before(frame, mask), rtol=1e-3, atol=1e-4)

    def spread(one: Any) -> list[float]:
        found = (sizes(one.trunk, site, tensors()).clamp_min(1e-2) for site in sites(one))
        return [float(reached.max() / reached.median()) for reached in found]

    earlier, later = spread(before), spread(after)
    assert max(earlier) > 10
    assert sum(later) < sum(earlier) / 2


def test_a_depthwise_reader_takes_all_of_the_difference_and_a_mixing_one_half() -> None:
    block = Inverted(24, 72, 24, kernel=3)
    reached = torch.exp(torch.linspace(-2, 2, block.widen.out_channels))
    depthwise, mixing = Site((), (), (block.depthwise,)), Site((), (), (block.narrow,))
    assert torch.allclose(reached / factors(depthwise, reached), torch.tensor(1.0))
    nn.init.constant_(block.narrow.weight, 0.1)
    assert torch.allclose(reached / factors(mixing, reached), reached.sqrt())


def test_a_silent_channel_is_no_reason_for_a_vast_factor() -> None:
    block = Inverted(24, 72, 24, kernel=3)
    reached = torch.ones(block.widen.out_channels)
    reached[0] = 0
    found = factors(Site((), (), (block.depthwise,)), reached)
    assert found.isfinite().all()
    assert found.min() >= 1 / 64


def test_a_squeezed_network_is_left_as_it_is() -> None:
    squeezed = Hourglass(get("s4-skip-light"))
    assert equalized(squeezed, []) is squeezed
