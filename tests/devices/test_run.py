"""Running a plan: a failure ends its configuration alone, and what was measured is not measured again."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from converters.artifact import Artifact, Failure, Parity, Spec
from devices import job as jobs
from devices.contract import QUICK, Job, MeasurementFailed, Result
from devices.data import Data, prepare
from devices.plan import Options, Plan, Weights, make
from devices.run import Outcome, Share, Started, measure, run_all
from devices.session import remaining
from evaluation.clip import Clip, Dataset
from reports.record import Run, identity, record

TRAINED = {"s16-skip-plain": Weights(Path("s16.safetensors"), "16" * 32)}


def still(name: str, person: slice) -> Clip:
    picture = np.full((40, 60, 3), 90, np.uint8)
    label = np.zeros((40, 60), np.uint8)
    label[:, person] = 1
    return Clip(name, [name], lambda _: (picture, label))


FOOTAGE = Dataset("two", "Two made-up stills.", [still("left", slice(0, 30)), still("right", slice(30, 60))])


@pytest.fixture
def plan() -> Plan:
    return make(Options(variants="s16-skip-plain", resolution=(32, 64), counts=QUICK), TRAINED)


@pytest.fixture
def data(plan: Plan) -> Data:
    return prepare(FOOTAGE, plan.tasks)


def artifact(spec: Spec, **changes: object) -> Artifact:
    return replace(Artifact(spec, f"key of {spec.name}", Path(f"{spec.name}.model"), 10, "aa"), **changes)  # type: ignore[arg-type]


@dataclass
class Thresholder:
    """A device that answers at once: the left half of every frame is the person. `broken` formats fail on it."""

    broken: tuple[str, ...] = ()
    jobs: list[Job] = field(default_factory=list)

    def run(self, job: Job) -> Result:
        self.jobs.append(job)
        if job.config.format in self.broken:
            raise MeasurementFailed(f"{job.config.format} crashed")
        frames = jobs.read_frames(job)
        masks = np.zeros(frames.shape[:3], np.float32)
        masks[:, :, : frames.shape[2] // 2] = 1
        return Result(masks, "measured", model_ns=(1_000_000,) * 64, placement={"runtime": "Thresholder 1"})


def outcomes(
    plan: Plan, made: Mapping[Spec, Artifact | Failure], runner: Thresholder, data: Data
) -> dict[str, Outcome]:
    events = list(measure(plan.tasks, plan, made, runner, data))
    assert [type(e) for e in events] == [Started, Outcome] * len(plan.tasks)
    return {event.task.config.format: event for event in events if isinstance(event, Outcome)}


def test_each_configuration_is_scored_by_the_masks_its_device_returned(plan: Plan, data: Data) -> None:
    runner = Thresholder()
    done = outcomes(plan, {spec: artifact(spec) for spec in plan.specs}, runner, data)
    assert len(done) == 5
    for outcome in done.values():
        assert outcome.reason is None
        assert outcome.score is not None
        assert [round(iou) for _, iou, _ in outcome.score.per_image] == [1, 0]
    assert {job.model.name for job in runner.jobs} == {"s16.safetensors"} | {f"{s.name}.model" for s in plan.specs}
    assert all(
        job.sequences == (1, 1) and job.config.resolution == (32, 64) and job.counts == QUICK for job in runner.jobs
    )


def test_one_formats_crash_costs_only_its_configurations(plan: Plan, data: Data) -> None:
    done = outcomes(plan, {spec: artifact(spec) for spec in plan.specs}, Thresholder(broken=("onnx",)), data)
    assert {format: outcome.reason for format, outcome in done.items() if outcome.reason} == {"onnx": "onnx crashed"}


def test_what_could_not_be_made_or_exceeds_the_tolerance_never_reaches_the_device(plan: Plan, data: Data) -> None:
    made: dict[Spec, Artifact | Failure] = {spec: artifact(spec) for spec in plan.specs}
    for spec in plan.specs:
        if spec.format == "tflite":
            made[spec] = Failure(spec, "litert_torch is not installed")
        if spec.format == "openvino":
            made[spec] = artifact(spec, parity=Parity(30, 0.9, 0.5, 40.0, {"max_difference": 1e-3}, "exceeded by 0.9"))
    runner = Thresholder()
    done = outcomes(plan, made, runner, data)
    assert done["tflite"].reason == "litert_torch is not installed"
    assert done["openvino"].reason == "exceeded by 0.9"
    assert {job.config.format for job in runner.jobs} == {"pytorch", "onnx", "coreml"}


def test_a_variant_without_checkpoint_is_a_failed_configuration_that_says_so(data: Data) -> None:
    plan = make(Options(variants="s4-skip-plain", formats=("pytorch",), resolution=(32, 64)), TRAINED)
    assert "no checkpoint" in (outcomes(plan, {}, Thresholder(), data)["pytorch"].reason or "")


def test_what_has_a_row_is_not_left_and_what_failed_is(plan: Plan, data: Data) -> None:
    made = {spec: artifact(spec) for spec in plan.specs}
    done = outcomes(plan, made, Thresholder(broken=("onnx",)), data)
    rows = [record(outcome, QUICK, data, Run("run", 1)) for outcome in done.values()]
    finished = set(map(identity, rows))
    assert [task.config.format for task in remaining(plan, made, data, finished)] == ["onnx"]
    # Other frames, other counts, another artifact: another measurement.
    assert len(remaining(plan, made, replace(data, sha256="other"), finished)) == 5
    longer = replace(plan, options=replace(plan.options, counts=replace(QUICK, samples=65)))
    assert len(remaining(longer, made, data, finished)) == 5
    remade = {spec: artifact(spec, key="new") for spec in plan.specs}
    assert len(remaining(plan, remade, data, finished)) == 4


def test_the_hash_of_the_data_covers_pictures_and_truth(plan: Plan, data: Data) -> None:
    configurations = plan.tasks
    moved = Dataset("two", "", [FOOTAGE.clips[0], still("right", slice(31, 60))])
    assert prepare(moved, configurations).sha256 != data.sha256
    assert prepare(replace(FOOTAGE, description="in other words"), configurations).sha256 == data.sha256


def test_a_row_says_what_was_measured_where_and_on_what(plan: Plan, data: Data) -> None:
    made = {spec: artifact(spec) for spec in plan.specs}
    row = record(outcomes(plan, made, Thresholder(), data)["onnx"], QUICK, data, Run("run", 9))
    assert (row.status, row.evidence, row.reason) == ("ok", "measured", None)
    assert row.accuracy["iou"] == pytest.approx(0.5, abs=0.03)
    assert row.accuracy["data"] == "two"
    assert row.timing["model_ns"] == (1_000_000,) * 64
    assert row.artifact["key"].startswith("key of s16-skip-plain.onnx")
    assert row.environment["order_seed"] == 9
    assert row.network["parameters"] > 100_000
    *shared, worst = row.examples
    assert {one["frame"] for one in shared} == {"left", "right"}
    assert (worst["kind"], worst["frame"], round(worst["iou"])) == ("worst", "right", 0)
    assert worst["jpeg"]


def test_emulated_configurations_come_last_and_timed_ones_have_the_machine_to_themselves(
    plan: Plan, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    made = {spec: artifact(spec) for spec in plan.specs}
    busy: list[str] = []
    alone: dict[str, bool] = {}
    together = threading.Barrier(2, timeout=60)

    class Watched(Thresholder):
        def run(self, job: Job) -> Result:
            busy.append(job.config.format)
            if job.config.format in ("onnx", "pytorch"):
                together.wait()  # Broken, and the test with it, unless both are running.
            alone[job.config.format] = len(busy) == 1
            result = super().run(job)
            busy.remove(job.config.format)
            return result

    events = list(measure(plan.tasks, plan, made, Watched(), data, emulated=("onnx", "pytorch")))
    done = [event.task.config.format for event in events if isinstance(event, Outcome)]
    assert done[:3] == ["tflite", "openvino", "coreml"]
    assert sorted(done[3:]) == ["onnx", "pytorch"]
    assert all(alone[format] for format in done[:3])
    assert sorted(event.position for event in events if isinstance(event, Outcome)) == [0, 1, 2, 3, 4]


def test_while_a_configuration_is_judged_the_next_timed_one_is_got_ready(plan: Plan, data: Data) -> None:
    made: dict[Spec, Artifact | Failure] = {spec: artifact(spec) for spec in plan.specs}
    made |= {spec: Failure(spec, "not made") for spec in plan.specs if spec.format == "tflite"}
    order: list[str] = []

    class Ahead(Thresholder):
        def run(self, job: Job) -> Result:
            order.append(f"run {job.config.format}")
            return super().run(job)

        def prefetch(self, job: Job) -> None:
            order.append(f"expect {job.config.format}")

        def close(self) -> None:
            order.append("close")

    for event in measure(plan.tasks, plan, made, Ahead(), data, emulated=("coreml",)):
        if isinstance(event, Outcome):
            order.append(f"judged {event.task.config.format}")
    assert [task.config.format for task in plan.tasks] == ["pytorch", "onnx", "tflite", "openvino", "coreml"]
    pytorch, onnx = ["run pytorch", "expect onnx", "judged pytorch"], ["run onnx", "judged onnx"]
    openvino, coreml = ["run openvino", "judged openvino"], ["run coreml", "judged coreml"]
    assert order == [*pytorch, *onnx, "judged tflite", *openvino, *coreml, "close"]


def share(plan: Plan, runner: object, data: Data, here: bool = False) -> Share:
    return Share(plan, plan.tasks, lambda: runner, data, here=here)  # type: ignore[arg-type, return-value]


def test_several_devices_go_on_at_once_and_one_that_fails_holds_up_nobody(plan: Plan, data: Data) -> None:
    made = {spec: artifact(spec) for spec in plan.specs}
    both = threading.Barrier(2, timeout=60)

    class Meeting(Thresholder):
        def run(self, job: Job) -> Result:
            if not self.jobs:
                both.wait()  # Broken, and the test with it, unless both devices are at work.
            return super().run(job)

    class Lost(Meeting):
        def run(self, job: Job) -> Result:
            super().run(job)
            lost = MeasurementFailed("it vanished (tried 2 times)")
            lost.retries = 1
            raise lost

    good, bad = share(plan, Meeting(), data), share(plan, Lost(), data)
    events = list(run_all([good, bad], made))
    ended = {id(s): [e for t, e in events if t is s and isinstance(e, Outcome)] for s in (good, bad)}
    assert len(ended[id(good)]) == len(ended[id(bad)]) == len(plan.tasks)
    assert all(outcome.reason is None for outcome in ended[id(good)])
    assert all(outcome.reason == "it vanished (tried 2 times)" for outcome in ended[id(bad)])
    row = record(ended[id(bad)][0], QUICK, data, Run("run", 1))
    assert (row.status, row.retries) == ("failed", 1)


def test_this_machine_is_timed_alone_after_the_others(plan: Plan, data: Data) -> None:
    made = {spec: artifact(spec) for spec in plan.specs}
    here, there = share(plan, Thresholder(), data, here=True), share(plan, Thresholder(), data)
    order = [s for s, event in run_all([here, there], made) if isinstance(event, Outcome)]
    assert order == [there] * len(plan.tasks) + [here] * len(plan.tasks)


def test_a_fault_of_ours_on_one_device_ends_the_run(plan: Plan, data: Data) -> None:
    class Broken(Thresholder):
        def run(self, job: Job) -> Result:
            raise AttributeError("a bug")

    made = {spec: artifact(spec) for spec in plan.specs}
    with pytest.raises(AttributeError, match="a bug"):
        list(run_all([share(plan, Broken(), data), share(plan, Thresholder(), data)], made))
