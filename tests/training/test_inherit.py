from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import nn

from models.hourglass import Bottleneck, DownBottleneck, Hourglass
from models.variant import get
from training.inherit import chosen, inherit, recalibrate, refitted, separated


def test_the_channels_chosen_are_those_that_explain_the_output():
    torch.manual_seed(0)
    kernel = torch.randn(6, 5, 1, dtype=torch.double)
    kernel[:, 3] = 0  # read by nobody
    covariance = torch.diag(torch.tensor([1.0, 1e-4, 1.0, 100.0, 1.0], dtype=torch.double))  # 1 hardly varies
    assert chosen(kernel, covariance, 3) == [0, 2, 4]


def test_of_two_channels_that_say_the_same_one_is_kept_and_takes_over_the_others_weight():
    torch.manual_seed(0)
    values = torch.randn(1000, 2, dtype=torch.double)
    read = torch.stack([values[:, 0], values[:, 1], 2 * values[:, 0]], dim=1)
    kernel = torch.randn(4, 3, 1, dtype=torch.double)
    covariance = torch.cov(read.T)
    kept = chosen(kernel, covariance, 2)
    assert 1 in kept
    fitted = refitted(kernel, covariance, kept)
    whole = read @ kernel[:, :, 0].T
    torch.testing.assert_close(read[:, kept] @ fitted[:, :, 0].T, whole, rtol=1e-3, atol=1e-3)


def test_taps_stay_with_their_channel():
    torch.manual_seed(0)
    kernel, rows = torch.randn(3, 4, 9, dtype=torch.double), torch.randn(500, 36, dtype=torch.double)
    fitted = refitted(kernel, torch.cov(rows.T), [0, 1, 2, 3])
    torch.testing.assert_close(fitted, kernel, rtol=1e-3, atol=1e-3)


def test_a_kernel_that_is_separable_is_separated_without_loss():
    torch.manual_seed(0)
    depthwise, pointwise = torch.randn(5, 1, 3, 3), torch.randn(7, 5, 1, 1)
    kernel = pointwise * depthwise.transpose(0, 1)
    found, mixed = separated(kernel)
    torch.testing.assert_close(mixed * found.transpose(0, 1), kernel)


def test_a_narrower_network_whose_parent_needs_no_more_gives_the_parents_masks():
    torch.manual_seed(0)
    variant = replace(get("s4-skip-plain"), squeeze=1, widths=(16, 16, 32), depths=(1, 1, 1))
    parent, child = _trained(variant), Hourglass(replace(variant, squeeze=4))
    for name, module in parent.named_modules():
        if isinstance(module, Bottleneck | DownBottleneck):
            count = child.get_submodule(name).branch[2][0].in_channels
            assert count < module.branch[2][0].in_channels
            module.branch[2][0].weight.data[:, count:] = 0
            module.branch[1][0].weight.data[:, count:] = 0
    pictures = [(torch.rand(4, 3, 128, 128), torch.rand(4, 1, 128, 128)) for _ in range(4)]
    recalibrate(parent, pictures)
    assert inherit(child, parent, pictures) == []
    torch.testing.assert_close(child(*pictures[0]), parent(*pictures[0]), rtol=1e-2, atol=1e-2)


def test_a_separable_decoder_takes_the_nearest_kernels_and_the_normalisation():
    parent = _trained(replace(get("s16-skip-plain"), refine="full"))
    child = Hourglass(get("s16-skip-plain"))
    assert inherit(child, parent, []) == []
    assert torch.equal(child.up8.refine[2].weight, parent.up8.refine[1].weight)
    depthwise, pointwise = separated(parent.up8.refine[0].weight)
    assert torch.equal(child.up8.refine[0].weight, depthwise)
    assert torch.equal(child.up8.refine[1].weight, pointwise)


def test_a_head_of_another_kind_begins_with_the_parents_masks():
    torch.manual_seed(0)
    parent = _trained(replace(get("s16-skip-plain"), head="light"))
    child = Hourglass(get("s16-skip-plain"))
    picture, empty = F.interpolate(torch.rand(8, 3, 6, 6), size=(64, 64), mode="bicubic"), torch.zeros(8, 1, 64, 64)
    with torch.no_grad():  # masks that say something, half of each batch being person
        parent.head.logit.weight *= 10 / parent.logits(picture, empty).std()
        parent.head.logit.bias -= parent.logits(picture, empty).median()
        truth = parent(picture, empty) > 0.5
        before = ((child.eval()(picture, empty) > 0.5) == truth).float().mean()
        assert inherit(child, parent, [(picture, empty)]) == []
        after = ((child(picture, empty) > 0.5) == truth).float().mean()
    assert before < 0.7
    assert after > 0.9
    own = child.state_dict()
    assert all(torch.equal(own[key], value) for key, value in parent.state_dict().items() if key[:5] != "head.")


def test_what_the_parent_lacks_is_named_as_fresh():
    parent = _trained(get("s16-noskip-plain"))
    fresh = inherit(Hourglass(get("s16-skip-plain")), parent, [])
    assert {name.split(".")[1] for name in fresh} == {"skip"}


def test_lean_networks_can_begin_from_the_one_with_all_it_might_take():
    parent = _trained(get("s4-skip-dense"))
    pictures = [(torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64))]
    for name in ("s32-noskip-dense", "s16-skip-plain", "s4-noskip-plain"):
        assert inherit(Hourglass(get(name)), parent, pictures) == [], name


def _trained(variant):
    """A network in eval mode whose residual branches and batch statistics say something."""
    network = Hourglass(variant)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1)
            nn.init.normal_(module.running_mean, std=0.1)
    return network.eval()
