"""Two arms in one real process, and processes that lie, hang or die."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from devices import job as jobs
from devices import paired
from devices.contract import Config, Counts, Environment, Job, MeasurementFailed, Result
from devices.paired import BASELINE, CANDIDATE, CONTROL
from tests.conftest import ROOT
from tests.devices.shallow import configured

H, W = 32, 64
SEQUENCES = (3, 2)


def network(path: Path, weight: float, size: tuple[int, int] = (H, W)) -> Path:
    """mask = weight * prev_mask + (1 - weight) * red, so that the masks tell which artifact made them."""
    from onnx import TensorProto, helper, save

    first = helper.make_tensor("first", TensorProto.INT64, [1], [0])
    old = helper.make_tensor("old", TensorProto.FLOAT, [], [weight])
    new = helper.make_tensor("new", TensorProto.FLOAT, [], [1 - weight])
    nodes = [
        helper.make_node("Gather", ["frame", "first"], ["red"], axis=1),
        helper.make_node("Mul", ["red", "new"], ["a"]),
        helper.make_node("Mul", ["prev_mask", "old"], ["b"]),
        helper.make_node("Add", ["a", "b"], ["mask"]),
    ]
    tensor = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, *size])
        for name, channels in (("frame", 3), ("prev_mask", 1), ("mask", 1))
    }
    inputs = [tensor["frame"], tensor["prev_mask"]]
    graph = helper.make_graph(nodes, "tiny", inputs, [tensor["mask"]], [first, old, new])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Job:
    folder = tmp_path_factory.mktemp("tiny")
    network(folder / "baseline.onnx", 0.25)
    frames = np.random.default_rng(0).integers(0, 256, (sum(SEQUENCES), H, W, 3), np.uint8)
    shared = jobs.write_frames(folder / "frames.u8", frames)
    return Job(Config("tiny", "onnx", resolution=(H, W)), network(folder / "candidate.onnx", 0.5), shared, SEQUENCES)


def baseline(job: Job) -> Path:
    return job.model.with_name("baseline.onnx")


def test_each_arm_runs_its_own_artifact_in_the_order_said(job: Job) -> None:
    with paired.opened(baseline(job), job, seed=3) as pair:
        outputs = pair.run_once()
        blocks = [*pair.blocks(1), *pair.blocks(2)]
        process = pair.child.process
    assert process.poll() is not None
    red = jobs.read_frames(job)[..., 0] / np.float32(255)
    for arm, weight in ((BASELINE, 0.25), (CANDIDATE, 0.5)):
        masks = outputs.masks[arm]
        assert np.allclose(masks[0], (1 - weight) * red[0], atol=1e-6)
        assert np.allclose(masks[1], weight * masks[0] + (1 - weight) * red[1], atol=1e-6)
        assert np.allclose(masks[3], (1 - weight) * red[3], atol=1e-6), "a sequence begins with an empty mask"
        assert outputs.placement[arm]["runtime"].startswith("ONNX Runtime")
    # A network of microseconds: as many rounds as there may be.
    assert [block.order for block in blocks] == [paired.order_of(i, 3, paired.MOST_ROUNDS) for i in range(3)]
    for block in blocks:
        assert len(block.ns) == len(block.order)
        assert all(len(ns) >= paired.BURST.samples and min(ns) > 0 for ns in block.ns)


@pytest.mark.parametrize("rounds", [1, 4, 5])
def test_orders_are_balanced_and_not_always_the_same(rounds: int) -> None:
    def begun(seed: int) -> list[str]:
        blocks = [paired.order_of(index, seed, rounds) for index in range(40 // rounds)]
        assert all(block[-1] == CONTROL and len(block) == rounds * paired.ROUND + 1 for block in blocks)
        return [arm for block in blocks for arm in block[1 :: paired.ROUND]]

    firsts = begun(seed=1)
    assert len(firsts) == 40
    assert firsts.count(BASELINE) == 20
    assert len(set(zip(firsts[::2], firsts[1::2], strict=True))) == 2
    assert firsts != begun(seed=2)


def test_a_slow_network_gets_fewer_rounds() -> None:
    ms = 1e6
    assert [paired.rounds_for(of * ms) for of in (0.01, 3.7, 8, 30, 900)] == [paired.MOST_ROUNDS, 8, 4, 1, 1]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("import os; os.kill(os.getpid(), 9)", "died of SIGKILL"),
        ("import sys; sys.exit('no such runtime')", "ended with code 1 after saying: no such runtime"),
        ("pass", "ended with code 0"),
    ],
)
def test_a_process_that_ends_fails_its_configuration_with_the_reason(job: Job, script: str, said: str) -> None:
    worker = (sys.executable, "-c", textwrap.dedent(script))
    with paired.opened(baseline(job), job, 0, worker) as pair, pytest.raises(MeasurementFailed, match=said):
        pair.blocks(1)


def test_a_process_that_hangs_is_ended(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paired, "START_SECONDS", 0.2)
    monkeypatch.setattr(paired, "BLOCK_SECONDS", 0.0)
    worker = (sys.executable, "-c", "import time; time.sleep(600)")
    with (
        paired.opened(baseline(job), job, 0, worker) as pair,
        pytest.raises(MeasurementFailed, match="died of SIGKILL"),
    ):
        pair.blocks(1)


def test_another_unit_is_refused(job: Job) -> None:
    with (
        pytest.raises(MeasurementFailed, match="cpu only"),
        paired.opened(baseline(job), configured(job, unit="gpu"), 0),
    ):
        pass


class Recorded:
    """A runner that notes the models it was given and answers a time for each."""

    def __init__(self) -> None:
        self.given: list[str] = []

    def run(self, job: Job) -> Result:
        self.given.append(job.model.stem)
        assert job.counts == paired.VISIT
        masks = np.zeros((sum(job.sequences), *job.config.resolution), np.float32)
        times = (1000 + len(self.given),) * 3
        return Result(masks, "measured", times, placement={"runtime": "X"}, environment=Environment())


def test_on_a_device_each_visit_is_a_job_in_the_same_order(job: Job) -> None:
    runner = Recorded()
    with paired.on_device(runner, baseline(job), replace(job, counts=Counts()), seed=0) as pair:
        blocks = [*pair.blocks(1), *pair.blocks(1)]
        assert set(pair.run_once().masks) == {BASELINE, CANDIDATE}
    for index, block in enumerate(blocks):
        assert block.order == paired.order_of(index, 0)
        stems = runner.given[7 * index : 7 * index + 7]
        assert stems == [BASELINE if arm in (BASELINE, CONTROL) else CANDIDATE for arm in block.order]
        assert block.ns[6][0] == 1000 + 7 * (index + 1)


PARENT = """
import sys
from pathlib import Path
from devices import job as jobs, paired
folder = Path(sys.argv[1])
with paired.opened(folder / "baseline.onnx", jobs.read(folder / "job"), seed=0) as pair:
    print(pair.child.process.pid, flush=True)
    pair.blocks(60)
"""


def test_the_process_that_measures_ends_when_its_parent_is_killed(job: Job, tmp_path: Path) -> None:
    shutil.copy(baseline(job), tmp_path)
    jobs.write(tmp_path / "job", job, jobs.read_frames(job))
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout
    worker = psutil.Process(int(parent.stdout.readline()))
    time.sleep(1)
    assert worker.is_running()
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([worker], timeout=5)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
