"""The parts of a network that are timed alone: none is missing, none counted twice."""

import itertools

import numpy as np
import pytest
import torch

from models.arguments import WRONG_USAGE
from models.cost import macs
from models.hourglass import Hourglass
from models.variant import VARIANTS
from profiling import blocks
from profiling.blocks import fastest

SIZE = (64, 32)


def parts(name):
    return blocks.blocks(Hourglass(VARIANTS[name]).eval(), SIZE)


@pytest.mark.parametrize("name", ["s16-skip-dense", "s16-noskip-plain", "s16-skip-half", "s16-skip-plain-noprev"])
def test_the_blocks_costs_add_up_to_the_networks(name):
    *found, whole = parts(name)
    times = [int(block.name.partition(" × ")[2] or 1) for block in found]
    costs = [blocks.convolution_macs(block.module, block.inputs) for block in found]
    assert whole.name == "the whole network"
    assert sum(n * cost for n, cost in zip(times, costs, strict=True)) == macs(VARIANTS[name], SIZE)
    assert blocks.convolution_macs(whole.module, whole.inputs) == macs(VARIANTS[name], SIZE)


def test_equal_bottlenecks_are_timed_once():
    names = [block.name for block in parts("s16-skip-plain")]
    assert "stage16, bottleneck plain × 2" in names
    assert "stage16, bottleneck dilated by 4 × 2" in names
    assert len(names) == len(set(names))


def test_a_block_computes_alone_what_it_computes_inside(tmp_path):
    block = next(b for b in parts("s16-skip-plain") if b.name == "up16")
    infer = blocks.openvino(block, tmp_path)
    infer()
    with torch.inference_mode():
        wanted = block.module(*block.inputs).numpy()
    (output,) = infer.__self__.get_output_tensor(0).data[None]
    assert np.abs(output - wanted).max() < 1e-4


@pytest.mark.slow
def test_a_block_runs_in_litert(tmp_path):
    block = next(b for b in parts("s16-skip-plain") if b.name == "up16")
    blocks.litert(block, tmp_path)()
    assert (tmp_path / "block.tflite").stat().st_size > 1000


def test_the_fastest_counts_and_all_take_turns():
    told = []
    ticks = itertools.count(0, 1_000_000)
    infer = [lambda: told.append("a"), lambda: [told.append("b"), next(ticks)]]
    assert fastest(infer, 2, lambda: next(ticks)).tolist() == [1.0, 2.0]
    assert "".join(told) == ("a" * blocks.RUNS + "b" * blocks.RUNS) * 2


class Machine:
    """A clock, and runs that take so many milliseconds of it; the first `lost` are switched out."""

    def __init__(self, lost=0):
        self.now = self.ran = 0
        self.lost = lost

    def __call__(self):
        return self.now

    def switches(self):
        return min(self.ran, self.lost)

    def run(self, ms):
        self.now += round(ms * 1_000_000)
        self.ran += 1


def test_a_block_is_a_share_of_the_whole_network():
    machine = Machine()
    found = blocks.in_turns(lambda: machine.run(1), lambda: machine.run(4), 20, machine, machine.switches)
    assert found.milliseconds == 1
    assert (found.share, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_a_disturbed_block_has_no_time():
    machine = Machine(lost=1_000_000)
    assert blocks.in_turns(lambda: machine.run(1), lambda: machine.run(4), 20, machine, machine.switches) is None


def test_the_table_has_a_column_for_what_each_figure_is_of():
    cost = blocks.Cost("stem", "8×8×3", 2_000_000, (blocks.Time(0.5, 0.25, 0.24, 0.26), None))
    head, _, row = blocks.markdown([cost]).splitlines()
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells == ["stem", "8×8×3", "2.0", "0.500", "25.0 (24.0 to 26.0)", "disturbed", "", ""]
    assert head.count("|") == row.count("|")


def test_a_mistake_is_a_sentence(capsys):
    assert blocks.main(["s5"]) == WRONG_USAGE
    assert capsys.readouterr().err.startswith("profiling.blocks: no variant 's5'")
    assert blocks.main(["live", "--resolution", "30x32"]) == WRONG_USAGE
    assert "multiples of 16" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=str(WRONG_USAGE)):
        blocks.main(["live", "--rounds", "3"])
    assert capsys.readouterr().err.endswith("argument --rounds: '3' is no whole number from 10 to 48\n")
