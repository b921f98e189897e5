import pytest
import torch
import torch.nn.functional as F

from models import variant
from models.hourglass import Hourglass
from training import enlarge


@pytest.mark.parametrize(("channels", "factor"), [(8, 4), (16, 2), (1, 4)])
def test_it_is_what_interpolate_gives_backwards_too(channels, factor):
    torch.manual_seed(0)
    x = torch.randn(2, channels, 6, 10, dtype=torch.float64).to(memory_format=torch.channels_last).requires_grad_()
    given = torch.randn(2, channels, 6 * factor, 10 * factor, dtype=torch.float64)
    theirs = F.interpolate(x, scale_factor=float(factor), mode="bilinear", align_corners=False)
    ours = enlarge.enlarged(x, factor)
    torch.testing.assert_close(ours, theirs)
    expected = torch.autograd.grad(theirs, x, given)
    torch.testing.assert_close(torch.autograd.grad(ours, x, given), expected)


def test_a_network_gives_the_same_logits_by_products():
    torch.manual_seed(0)
    network = Hourglass(variant.get("s16-skip-dense")).eval()
    network.head.final[0].weight.data.normal_()
    frame, mask = torch.rand(1, 3, 64, 96), torch.rand(1, 1, 64, 96)
    plain = network.logits(frame, mask)
    with enlarge.by_products():
        assert F.interpolate is not enlarge.INTERPOLATE
        torch.testing.assert_close(network.logits(frame, mask), plain, rtol=1e-4, atol=1e-4)
    assert F.interpolate is enlarge.INTERPOLATE
