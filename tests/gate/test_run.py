"""The gate with two real artifacts in a real process, a FAIL confirmed in new processes, different runtimes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from bench import app
from devices.contract import Config, MeasurementFailed
from devices.paired import BASELINE, CANDIDATE, Block, Outputs
from evaluation.sample import embedded
from gate import artifacts, command, run
from gate.decision import FIRST, FRESH, FRESH_BLOCKS, Outcome
from gate.run import job_of
from gate.verdict import Finding, Speed, speed_words
from tests.devices.test_paired import H, W, network
from tests.gate.test_gate import measured


def comparison(folder: Path, *weights: float) -> run.Comparison:
    made = [artifacts.of_file(network(folder / f"{weight}.onnx", weight), "onnx") for weight in weights]
    return run.Comparison(Config("tiny", "onnx", resolution=(H, W)), made[0], made[-1])


@pytest.fixture
def dataset() -> Any:
    from dataclasses import replace

    whole = embedded()
    return replace(whole, clips=whole.clips[:1])


def test_two_real_artifacts_are_compared(tmp_path: Path, dataset: Any) -> None:
    (verdict,) = run.run([comparison(tmp_path, 0.25, 0.5)], dataset, seconds=0.1)
    assert verdict.reason is None
    assert verdict.speed
    assert len(verdict.speed.first) == FIRST
    assert verdict.speed.estimate
    said = {f.metric: f.outcome for f in verdict.findings}
    assert said["size"] is said["macs"] is said["graph"] is said["placement"] is Outcome.PASS
    assert said["parity"] is said["instructions"] is None
    assert said["IOU"] is not None


@pytest.mark.long
def test_each_side_is_measured_and_judged_at_its_own_resolution(tmp_path: Path, dataset: Any) -> None:
    """A network that has grown is slower, however fast it would be at its former size."""
    small = artifacts.of_file(network(tmp_path / "small.onnx", 0.25, (64, 64)), "onnx")
    large = artifacts.of_file(network(tmp_path / "large.onnx", 0.25, (512, 512)), "onnx")
    grown = run.Comparison(Config("tiny", "onnx", resolution=(512, 512)), small, large, before=(64, 64))
    (verdict,) = run.run([grown], dataset, seconds=5)
    assert verdict.reason is None
    assert verdict.outcome is Outcome.FAIL
    assert verdict.speed
    assert verdict.speed.outcome is Outcome.FAIL
    said = {f.metric: f for f in verdict.findings}
    assert (
        said["resolution"].words == "The input is 512x512, 64x64 before: each side is measured and judged at its own."
    )
    assert said["IOU"].outcome is not None


def test_an_artifact_that_does_not_load_is_not_measured_and_costs_itself_alone(tmp_path: Path, dataset: Any) -> None:
    from dataclasses import replace

    good = comparison(tmp_path, 0.25, 0.25)
    broken = comparison(tmp_path, 0.25, 0.5)
    assert isinstance(broken.candidate, artifacts.GateArtifact)
    broken.candidate.path.write_bytes(b"not a network")
    one, other = run.run([replace(broken, label="broken"), good], dataset)
    assert one.outcome is Outcome.NOT_MEASURED
    assert one.reason
    assert other.equal


def test_artifacts_run_by_different_runtimes_are_refused(tmp_path: Path, dataset: Any) -> None:
    asked = comparison(tmp_path, 0.25, 0.5)
    assert isinstance(asked.baseline, artifacts.GateArtifact)
    assert isinstance(asked.candidate, artifacts.GateArtifact)
    job = run.job_of(asked, asked.candidate, dataset, tmp_path)
    ready = run._Ready(asked, asked.baseline, asked.candidate, job, seed=0)
    masks = np.zeros((sum(job.sequences), H, W), np.float32)

    def seen(one: str, other: str) -> list[Finding]:
        placed = {BASELINE: {"actual": "CPU", "runtime": one}, CANDIDATE: {"actual": "CPU", "runtime": other}}
        return run._compare_outputs(ready, Outputs({BASELINE: masks, CANDIDATE: masks}, placed), dataset)

    assert {f.outcome for f in seen("one 1.0", "one 1.0")} == {Outcome.PASS}
    with pytest.raises(MeasurementFailed, match=r"different runtimes, one 1\.0 and one 1\.1"):
        seen("one 1.0", "one 1.1")


@dataclass
class Played:
    """Stands for a comparison whose new processes measure what was made beforehand; one that is None dies."""

    processes: list[list[Block] | None]
    opened: list[int] = field(default_factory=list)

    @contextmanager
    def pair(self, again: int = 0) -> Iterator[Played]:
        self.opened.append(again)
        self.left = self.processes[again - 1]
        yield self

    def blocks(self, count: int) -> list[Block]:
        if self.left is None:
            raise MeasurementFailed("it died.")
        taken, self.left = self.left[:count], self.left[count:]
        return taken


def confirmed(first: list[Block], *processes: list[Block] | None, seconds: float = 60.0) -> tuple[Any, Played]:
    ready = Played(list(processes))
    speed = Speed(0.02, Outcome.FAIL, tuple(first), seconds=5.0)
    found = run._confirm(run._Measured(ready, (), tuple(first), 5.0, ()), speed, seconds)  # type: ignore[arg-type]
    return found, ready


def slow(seed: int, count: int = 10) -> list[Block]:
    return measured(0.06, count, seed=seed)


def test_a_fail_is_measured_again_by_fresh_processes_of_as_many_blocks_and_not_too_few() -> None:
    (speed, reason), ready = confirmed(slow(0, 20), slow(1, 50), slow(2, 50), slow(3, 50))
    assert reason is None
    assert speed.outcome is Outcome.FAIL
    assert ready.opened == [1, 2, 3] == list(range(1, FRESH + 1)), "each has its own seed"
    assert [len(process) for process in speed.fresh] == [20, 20, 20]
    (speed, _), _ = confirmed(slow(0, FIRST), slow(1, 50), slow(2, 50), slow(3, 50))
    assert [len(process) for process in speed.fresh] == [FRESH_BLOCKS] * 3
    assert "3 new processes confirmed it" in speed_words(speed)


@pytest.mark.long
def test_one_process_that_disagrees_ends_it_in_doubt_or_in_a_pass() -> None:
    (speed, _), ready = confirmed(slow(0), slow(1), measured(0.0, 10, seed=2), slow(3))
    assert ready.opened == [1, 2], "a third would change nothing"
    assert speed.outcome is Outcome.INCONCLUSIVE
    assert "a new process did not confirm it" in speed_words(speed)
    (speed, _), _ = confirmed(measured(0.03, 6), measured(-0.1, 30, seed=1)[:6])
    assert speed.outcome is not Outcome.FAIL


def test_time_that_is_up_leaves_each_process_a_few_blocks() -> None:
    (speed, _), _ = confirmed(slow(0), slow(1), slow(2), slow(3), seconds=0.0)
    assert [len(process) for process in speed.fresh] == [run.LEAST] * 3


def test_no_blocks_are_begun_that_will_not_be_done_by_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow:
        """Takes 2 s for a block, on a clock of its own."""

        now = 100.0

        def blocks(self, count: int) -> list[Block]:
            self.now += 2.0 * count
            return slow(0, count)

    pair = Slow()
    monkeypatch.setattr("time.monotonic", lambda: pair.now)
    assert len(run._as_many(pair, 50, end=120.0)) == 9  # type: ignore[arg-type]
    assert pair.now == 118.0, "three more would have taken until 124"
    assert len(run._as_many(pair, 2, end=200.0)) == 2  # type: ignore[arg-type]


def test_a_process_that_dies_leaves_the_regression_unconfirmed() -> None:
    (speed, reason), _ = confirmed(slow(0), slow(1), None)
    assert speed is None
    assert reason == "a regression was measured and could not be confirmed: it died"


def test_on_the_emulator_instructions_that_were_not_counted_are_no_pass() -> None:
    run._counted([Finding("instructions", Outcome.PASS, ""), Finding("macs", None, "")])
    with pytest.raises(MeasurementFailed, match="no emulator"):
        run._counted([Finding("instructions", None, "no emulator")])


def test_the_emulator_is_shown_a_few_frames_and_other_devices_all(tmp_path: Path) -> None:
    from dataclasses import replace

    asked = comparison(tmp_path, 0.25, 0.5)
    assert run._dataset_for(asked, embedded()) is embedded()
    few = run._dataset_for(replace(asked, config=replace(asked.config, device="arm64-emulator")), embedded())
    assert few.frames == 4
    assert isinstance(asked.candidate, artifacts.GateArtifact)
    jobs = [run.job_of(asked, asked.candidate, shown, tmp_path) for shown in (few, embedded())]
    assert [sum(job.sequences) for job in jobs] == [4, embedded().frames]
    assert [job.frames.stat().st_size for job in jobs] == [n * H * W * 3 for n in (4, embedded().frames)]


def test_a_fault_of_ours_never_looks_like_a_regression(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> int:
        raise AttributeError("a bug")

    monkeypatch.setattr(command, "self_test", broken)
    assert [CliRunner().invoke(app, ["gate", word]).exit_code for word in ("self-test", "--self-test")] == [3, 3]


@pytest.mark.parametrize("flag", ["--configurations", "--cells"])
def test_the_file_of_configurations_has_its_former_flag_too(flag: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("")
    done = CliRunner().invoke(app, ["gate", "--baseline", str(tmp_path), flag, str(tmp_path / "mine.toml")])
    assert done.exit_code == 64
    assert "mine.toml: declares no configuration" in done.output
    help_text = CliRunner().invoke(app, ["gate", "--help"]).output
    assert "--configurations" in help_text
    assert "--cells" not in help_text


def test_the_change_of_a_regression_is_what_all_processes_say() -> None:
    (speed, _), _ = confirmed(slow(0), slow(1), slow(2), slow(3))
    assert speed.estimate.blocks == 40
    assert speed.estimate.effect == pytest.approx(math.log(1.06), abs=0.003)


def test_more_arm_instructions_are_a_regression_whatever_the_clock_says(qemu: str, tmp_path: Path) -> None:
    """Two real TFLite networks, counted: the one has a convolution more."""
    from dataclasses import replace

    from devices.estimate.graph import Graph

    def artifact(convolutions: int) -> artifacts.GateArtifact:
        graph = Graph(32, 32)
        x = graph.input
        for _ in range(convolutions):
            x = graph.conv(x, 8, kernel=3)
        path = tmp_path / f"{convolutions}.tflite"
        path.write_bytes(graph.tflite([x]))
        return artifacts.of_file(path, "tflite")

    one, two = artifact(1), artifact(2)
    asked = run.Comparison(Config("tiny", "tflite", resolution=(32, 32)), one, two)
    ready = run._Ready(asked, one, two, job_of(asked, two, embedded(), tmp_path), 0)
    (worse,) = run._instructions(ready)
    assert worse.outcome is Outcome.FAIL
    assert "M ARM instructions an inference (no dot products)" in worse.words
    (better,) = run._instructions(replace(ready, baseline=two, candidate=one))
    assert better.outcome is Outcome.PASS
    both = run._instructions(replace(ready, asked=replace(asked, config=replace(asked.config, precision="int8"))))
    assert ["no dot products" in f.words for f in both] == [True, False]
