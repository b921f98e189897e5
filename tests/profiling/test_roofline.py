"""A block's share of what the processor can do."""

import pytest
import torch

from models.arguments import WRONG_USAGE
from profiling import roofline
from profiling.blocks import Block
from profiling.roofline import Limits, Spot

LIMITS = Limits((1e9, 2e9), 1e9)


def test_the_larger_of_both_limits_counts():
    dense, thin = Spot("dense", 8_000_000, 1_000_000, (10.0, 8.0)), Spot("thin", 1_000_000, 4_000_000, (10.0, 8.0))
    assert (dense.least(LIMITS, 0), dense.bound(LIMITS, 0)) == (8.0, "arithmetic")
    assert (dense.least(LIMITS, 1), dense.share(LIMITS, 1)) == (4.0, 0.5)
    assert (thin.least(LIMITS, 0), thin.bound(LIMITS, 1)) == (4.0, "memory")
    assert thin.share(LIMITS, 0) == pytest.approx(0.4)


def test_bytes_are_those_of_inputs_weights_and_output():
    block = Block("one", torch.nn.Conv2d(3, 5, 1), (torch.rand(1, 3, 4, 8),))
    assert roofline.moved(block) == 4 * (3 * 32 + (3 * 5 + 5) + 5 * 32)


def test_a_copy_copies():
    copy = roofline.copying(4096)
    source, target = (cell.cell_contents for cell in copy.__closure__)
    assert target.sum() == 0
    copy()
    assert target.sum() == source.size == 1024


def test_the_table_and_the_picture_hold_every_block(tmp_path):
    spots = [Spot("stem", 8_000_000, 1_000_000, (10.0, 8.0)), Spot("up4", 1_000_000, 4_000_000, (10.0, 8.0))]
    table = roofline.markdown(LIMITS, spots)
    assert (
        "| stem | 8.0 | 1.00 | 8.0 | 10.000 | 8.000 | 80 % | arithmetic | 8.000 | 4.000 | 50 % | arithmetic |" in table
    )
    assert "LiteRT 1.0 G MACs/s, OpenVINO 2.0 G MACs/s; memory 1.0 GB/s" in table
    roofline.draw(LIMITS, spots, tmp_path / "r.png", "two")
    assert (tmp_path / "r.png").stat().st_size > 5000


def test_a_mistake_is_a_sentence(capsys):
    assert roofline.main(["s5"]) == WRONG_USAGE
    assert capsys.readouterr().err.startswith("profiling.roofline: no variant 's5'")
