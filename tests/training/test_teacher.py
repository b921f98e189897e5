"""The teacher on a network of our own: what it says of a picture and of its mirror image is the same."""

import numpy as np
import torch

from models.checkpoint import save
from models.hourglass import Hourglass
from models.variant import Variant
from training.teacher import teacher

SMALL = Variant(stem=4, widths=(8, 8, 8), depths=(0, 0, 0), decoder=(4, 4, 4), head="plain")


def test_a_checkpoint_teaches_soft_masks_of_the_pictures_size(tmp_path):
    torch.manual_seed(0)
    network = Hourglass(SMALL)
    torch.nn.init.normal_(network.head.logit.weight, std=3)
    save(tmp_path / "larger.safetensors", "larger", SMALL, network.state_dict(), {})
    picture = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    teach = teacher(tmp_path / "larger.safetensors")
    mask = teach(picture)
    assert mask.shape == (60, 90)
    assert mask.dtype == np.uint8
    assert mask.std() > 0
    mirrored = teach(np.ascontiguousarray(picture[:, ::-1]))[:, ::-1]
    assert np.abs(mask.astype(int) - mirrored).max() <= 2
