import pytest
import torch
import torch.nn.functional as F

from models.inverted import InvertedTrunk
from models.variant import MIDDLES
from training.mediapipe_features import MediaPipeFeatures
from training.reshape import centre, reshape

NARROW = {"stem2": 8, "middles": ((8,), (40, 56), (64, 96, 96, 64, 64)), "kernel16": 3}


@pytest.fixture(scope="module")
def parent() -> InvertedTrunk:
    torch.manual_seed(0)
    return InvertedTrunk(previous_mask=True).eval()


@pytest.fixture(scope="module")
def picture() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return F.interpolate(torch.rand(4, 3, 8, 8), (64, 64)), torch.rand(4, 1, 64, 64)


def test_the_same_shape_has_the_same_features(parent, picture):
    same = InvertedTrunk(previous_mask=True)
    assert reshape(same, parent, [picture]) == []
    torch.testing.assert_close(same(*picture), parent(*picture))


def test_blocks_that_the_parent_lacks_change_nothing(parent, picture):
    deeper = InvertedTrunk(previous_mask=True, middles=(*MIDDLES[:2], (*MIDDLES[2], 128)))
    assert {name.rsplit(".", 2)[0] for name in reshape(deeper, parent)} >= {"stage16.5"}
    torch.testing.assert_close(deeper(*picture), parent(*picture))


def test_every_tensor_of_a_narrower_trunk_comes_from_its_parent(parent, picture):
    for pictures in ([], [picture]):
        trunk = InvertedTrunk(previous_mask=True, **NARROW)
        before = {name: tensor.clone() for name, tensor in trunk.state_dict().items()}
        assert reshape(trunk, parent, pictures) == []
        zeros = ("mask.weight", "mask.bias")
        assert not [k for k, v in trunk.state_dict().items() if torch.equal(v, before[k]) and k not in zeros]


def test_a_channel_that_says_nothing_is_the_one_to_go(picture):
    torch.manual_seed(2)
    parent = InvertedTrunk(previous_mask=True).eval()
    with torch.no_grad():
        for block, dead in ((parent.stage8[0], slice(0, 32)), (parent.stage4, slice(4, 12))):
            block.narrow.weight[:, dead] = 0
        parent.stage4.gate.excite.weight.zero_()
        parent.stage4.widen.weight[:, 8:] = 0
    for pictures in ([], [picture]):
        trunk = InvertedTrunk(previous_mask=True, stem2=8, middles=((8,), (40, 88), MIDDLES[2]))
        reshape(trunk, parent, pictures)
        torch.testing.assert_close(trunk(*picture), parent(*picture), rtol=1e-3, atol=1e-4)


def test_a_fit_on_pictures_is_nearer_than_the_largest_norm(parent, picture):
    middles = (MIDDLES[0], (40, 88), MIDDLES[2])
    errors, x4 = [], parent.stage4(F.relu(parent.stem(picture[0])))
    for pictures in ([], [picture]):
        trunk = InvertedTrunk(previous_mask=True, middles=middles)
        reshape(trunk, parent, pictures)
        errors.append(F.mse_loss(trunk.stage8[0](x4), parent.stage8[0](x4)).item())
    assert errors[1] < errors[0] / 2


def test_a_kernel_keeps_its_centre():
    kernel = torch.arange(25.0).reshape(1, 1, 5, 5)
    assert torch.equal(centre(kernel, 3), kernel[..., 1:4, 1:4])
    assert torch.equal(centre(kernel, 5), kernel)


def test_a_wider_trunk_is_refused(parent):
    with pytest.raises(ValueError, match=r"stage8\.0 is wider"):
        reshape(InvertedTrunk(previous_mask=True, middles=(MIDDLES[0], (80, 88), MIDDLES[2])), parent)


def test_hints_are_of_the_layers_that_both_trunks_have(parent, picture):
    deeper = InvertedTrunk(previous_mask=True, middles=(*MIDDLES[:2], (*MIDDLES[2], 128)))
    reshape(deeper, parent)
    distance = MediaPipeFeatures(deeper, parent)
    deeper(*picture)
    assert distance(*picture) >= 0
    assert set(distance.ours.seen) - set(distance.theirs.seen) == {"stage16.5"}
