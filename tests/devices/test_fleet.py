"""Several devices behind one name: each measures every configuration, and its rows carry its own name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from converters.artifact import Artifact, Failure, Spec
from devices.contract import QUICK, Job, MeasurementFailed
from devices.fleet import DeviceJoined, JobEnded, JobStarted
from devices.plan import Options, Plan, make
from devices.run import DeviceAdded, Outcome, Started, measure
from tests.devices.test_run import TRAINED, Thresholder, artifact, data  # noqa: F401 - data is a fixture


@dataclass
class Pair:
    """Two phones, the second of which loses what it was given in ONNX; with no `names`, nobody comes."""

    names: tuple[str, ...] = ("Pixel 8", "iPhone")

    def run_all(self, asked: Sequence[Job]) -> Iterator[DeviceJoined | JobStarted | JobEnded]:
        if not self.names:
            raise MeasurementFailed("no phone came")
        for name in self.names:
            yield DeviceJoined(name)
            for index, job in enumerate(asked):
                yield JobStarted(name, index)
                lost = job.config.format == "onnx" and name == self.names[-1]
                yield JobEnded(name, index, MeasurementFailed("lost") if lost else Thresholder().run(job))


@pytest.fixture
def plan() -> Plan:
    options = Options("web", variants="s16-skip-plain", formats=("onnx", "tflite"), resolution=(32, 64), counts=QUICK)
    return make(options, TRAINED)


@pytest.fixture
def made(plan: Plan) -> dict[Spec, Artifact | Failure]:
    return {spec: artifact(spec) for spec in plan.specs}


def test_every_device_has_a_row_a_configuration_under_its_own_name(plan, made, data) -> None:  # noqa: F811
    events = list(measure(plan.tasks, plan, made, Pair(), data))
    done = {event.task.config.name: event for event in events if isinstance(event, Outcome)}
    assert [name.split("/")[4] for name in done] == ["web:Pixel 8", "web:Pixel 8", "web:iPhone", "web:iPhone"]
    assert [event.reason for event in done.values()] == [None, None, "lost", None]
    assert [event.position for event in done.values()] == [0, 1, 0, 1]
    assert all(event.score is not None and event.artifact for event in done.values() if not event.reason)
    # What was counted before anybody came is the first device's.
    assert [event for event in events if isinstance(event, DeviceAdded)] == [
        DeviceAdded("Pixel 8", 0),
        DeviceAdded("iPhone", 2),
    ]
    assert sum(isinstance(event, Started) for event in events) == 4


def test_what_could_not_be_made_reaches_no_device(plan, made, data) -> None:  # noqa: F811
    onnx = next(spec for spec in made if spec.format == "onnx")
    made[onnx] = Failure(onnx, "onnxscript is not installed")
    done = [event for event in measure(plan.tasks, plan, made, Pair(), data) if isinstance(event, Outcome)]
    assert [event.task.config.device for event in done] == ["web", "web:Pixel 8", "web:iPhone"]
    assert done[0].reason == "onnxscript is not installed"


def test_when_nobody_comes_every_configuration_says_so(plan, made, data) -> None:  # noqa: F811
    done = [event for event in measure(plan.tasks, plan, made, Pair(names=()), data) if isinstance(event, Outcome)]
    assert [event.reason for event in done] == ["no phone came"] * 2


def test_a_model_path_is_that_of_the_artifact(plan, made, data) -> None:  # noqa: F811
    paths: list[Path] = []

    class Looker(Pair):
        def run_all(self, asked):
            paths.extend(job.model for job in asked)
            return super().run_all(asked)

    list(measure(plan.tasks, plan, made, Looker(), data))
    assert {path.suffix for path in paths} == {".model"}
