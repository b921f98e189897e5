from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from models.cost import macs, parameters
from models.hourglass import Bottleneck, Hourglass, LabelsHead, SeparableDenseHead, Stem, SubpixelHead
from models.variant import CANDIDATES, REFERENCE, VARIANTS, Variant, get, with_head


def inputs(height, width, batch=1):
    return torch.rand(batch, 3, height, width), torch.rand(batch, 1, height, width)


@pytest.mark.parametrize("name", [*VARIANTS, *CANDIDATES])
def test_what_is_returned_has_the_previous_masks_size_and_range(name):
    frame, prev = inputs(64, 96)
    mask = Hourglass(get(name)).eval()(frame, prev)
    assert mask.shape == (1, get(name).outputs, 64, 96)
    assert mask.min() >= 0
    assert mask.max() <= 1


def test_the_probabilities_of_the_labels_sum_to_one_and_follow_the_previous_mask():
    torch.manual_seed(0)
    network = Hourglass(get("live-parts")).eval()
    nn.init.normal_(network.trunk.mask.weight)
    frame, prev = inputs(64, 96, batch=2)
    given = network(frame, prev)
    torch.testing.assert_close(given.sum(1), torch.ones(2, 64, 96))
    assert not torch.allclose(given, network(frame, 1 - prev))


def test_the_previous_mask_is_listened_to_only_where_the_variant_says_so():
    frame, prev = inputs(64, 64)
    for variant in (get("s16-skip-plain"), get("s16-skip-plain-noprev")):
        network = Hourglass(variant).eval()
        moved = not torch.equal(network(frame, prev), network(frame, 1 - prev))
        assert moved == variant.previous_mask


def test_a_stem_that_adds_the_mask_is_a_convolution_of_both_stacked():
    stem = Stem(8, kernel=8).eval()
    frame, prev = inputs(64, 64)
    kernel = torch.zeros(8, 4, 8, 8)
    kernel[:, :3] = stem.frame[0].weight
    kernel[:, 3:, 2:6, 2:6] = stem.mask[0].weight
    scale = (1 + stem.frame[1].eps) ** -0.5  # batch normalisation before it has seen anything
    stacked = torch.nn.functional.conv2d(torch.cat([frame, prev], 1), kernel * scale, stride=4, padding=2)
    torch.testing.assert_close(stem(frame, prev), torch.relu(stacked), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("entry", ["add", "concat"])
@pytest.mark.parametrize("kernel", [4, 12])
def test_the_stem_strides_by_four_whatever_its_kernel(kernel, entry):
    variant = replace(get("s4-skip-light"), kernel=kernel, entry=entry)
    frame, prev = inputs(64, 96)
    network = Hourglass(variant).eval()
    assert network(frame, prev).shape == prev.shape
    size = (64, 96)
    per_output = 16 * 16 * 24 * (4 if entry == "concat" else 3)  # 16 channels of (64 / 4) x (96 / 4) pixels
    assert macs(variant, size) - macs(replace(variant, kernel=8), size) == per_output * (kernel**2 - 64)


def test_without_skips_the_decoder_sees_the_deepest_features_alone():
    frame, prev = inputs(64, 64)
    for skips in (True, False):
        network = Hourglass(replace(get("s16-skip-plain"), skips=skips)).eval()
        deepest = torch.zeros(1, 256, 2, 2)
        network.stage32.register_forward_hook(lambda *_, deepest=deepest: deepest)
        # The head sees the picture itself, so that the features are compared.
        same = torch.allclose(network._features(frame, prev), network._features(1 - frame, prev), atol=1e-7)
        assert same != skips


@pytest.mark.parametrize(
    ("sibling", "head"), [(Variant(head="plain"), "dense"), (get("s16-skip-plain"), "dense-separable")]
)
def test_a_dense_head_begins_as_its_plain_sibling(sibling, head):
    plain = Hourglass(sibling).eval()
    dense = Hourglass(with_head(plain.variant, head)).eval()
    missing, unexpected = dense.load_state_dict(plain.state_dict(), strict=False)
    assert not unexpected
    assert all(key.startswith("head.") for key in missing)
    frame, prev = inputs(64, 64)
    torch.testing.assert_close(dense(frame, prev), plain(frame, prev))


def test_a_separable_dense_head_is_densenet_layers_over_a_concatenation():
    """The same numbers by CONCAT and one 1x1 convolution a layer, which shares its first columns with the others."""
    torch.manual_seed(0)
    head = SeparableDenseHead(16, 3, growth=8, layers=3).eval()
    for last in head.final:
        nn.init.normal_(last.weight)
    features, picture = torch.rand(1, 16, 6, 6), torch.rand(1, 3, 24, 24)
    scale = (1 + 1e-5) ** -0.5  # batch normalisation before it has seen anything
    base = [head.carried[0].weight * scale, head.pixels[0].weight * scale]
    x = torch.cat([F.interpolate(features, scale_factor=4.0, mode="bilinear", align_corners=False), picture], dim=1)
    logits = SubpixelHead.forward(head, features, picture)
    for i, last in enumerate(head.final):
        kernel = torch.cat([*base, *(mix.weight for mix in head.earlier[i])], dim=1)
        layer = F.relu(head.dense[i](F.relu(F.conv2d(x, kernel))))
        logits = logits + last(layer)
        x = torch.cat([x, layer], dim=1)
    torch.testing.assert_close(head(features, picture), logits, rtol=1e-4, atol=1e-4)


def test_a_subpixel_head_lays_its_logits_out_as_the_pixels_of_their_square():
    head = SubpixelHead(8, 3).eval()
    with torch.no_grad():
        head.logits.weight.zero_()
        head.logits.bias.copy_(torch.arange(16.0))
    logits = head(torch.rand(2, 8, 3, 5), torch.rand(2, 3, 12, 20))
    assert logits.shape == (2, 1, 12, 20)
    assert torch.equal(logits, torch.arange(16.0).reshape(4, 4).repeat(3, 5).expand(2, 1, -1, -1))


def test_a_subpixel_head_sees_the_picture_no_further_than_the_next_square():
    torch.manual_seed(0)
    head = SubpixelHead(8, 3)
    nn.init.ones_(head.refine[1].weight)
    features, picture = torch.rand(1, 8, 5, 5), torch.rand(1, 3, 20, 20)
    changed = picture.clone()
    changed[..., 8:12, 8:12] = 0
    touched = (head.eval()(features, changed) != head(features, picture))[0, 0]
    assert touched[8:12, 8:12].all()
    assert touched[4:16, 4:16].any(0).sum() > 4
    touched[4:16, 4:16] = False
    assert not touched.any()


def test_a_head_of_labels_lays_its_logits_out_as_the_pixels_of_their_square():
    head = LabelsHead(8, 4, 3, labels=9).eval()
    with torch.no_grad():
        head.logits.weight.zero_()
        head.logits.bias.copy_(torch.arange(36.0))
    logits = head(torch.rand(2, 8, 8, 12), torch.rand(2, 4, 2, 3), torch.rand(2, 3, 32, 48))
    assert logits.shape == (2, 9, 16, 24)
    square = torch.arange(36.0).reshape(2, 2, 9).permute(2, 0, 1)
    assert torch.equal(logits, square.repeat(1, 8, 12).expand(2, -1, -1, -1))


def test_every_residual_branch_starts_at_zero():
    block = Bottleneck(64, 4).eval()
    x = torch.rand(2, 64, 8, 8)
    torch.testing.assert_close(block(x), x)


def test_kernels_are_even_where_they_stride_and_channels_come_in_fours():
    for variant in (*REFERENCE.values(), Variant()):
        for module in Hourglass(variant).modules():
            if isinstance(module, nn.Conv2d):
                if module.stride[0] > 1:
                    assert module.kernel_size[0] % 2 == 0
                    assert module.padding[0] == (module.kernel_size[0] - module.stride[0]) // 2
                assert module.out_channels % 4 == 0 or module.out_channels in (1, 7)


def test_a_smaller_squeeze_costs_more_and_a_dense_head_most():
    size = (256, 256)
    costs = [macs(get(f"s{s}-skip-plain"), size) for s in (32, 16, 4)]
    assert costs == sorted(costs)
    assert len(set(costs)) == 3
    assert macs(get("s16-skip-dense"), size) > 1.2 * macs(get("s16-skip-plain"), size)
    assert parameters(get("s4-skip-plain")) > parameters(get("s16-skip-plain"))


def test_macs_of_a_known_convolution():
    variant = get("s16-noskip-plain")
    stem = 16 * 3 * 8 * 8 * (64 // 4) * (64 // 4)
    network = Hourglass(variant)
    rest = macs(variant, (64, 64)) - stem
    assert rest > 0
    assert network.stem.frame[0].weight.numel() * 16 * 16 == stem


@pytest.mark.parametrize("variant", [Variant(), get("s16-skip-dense")])
def test_gradients_reach_every_parameter(variant):
    network = Hourglass(variant).train()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1 and "weight" in name:
                parameter.fill_(0.5)
        for final in network.head.final.modules():
            if isinstance(final, nn.Conv2d):
                nn.init.normal_(final.weight, std=0.1)
    network.logits(*inputs(64, 64, batch=2)).square().sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
