"""A network with labels on a device: its nine channels arrive, and are judged where the data tell labels.

Its weights are drawn from a seed and never trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from devices import job as jobs
from devices.contract import Config, Counts, Job, MeasurementFailed, Result
from devices.data import prepare
from devices.desktop.runner import Desktop
from devices.plan import Options, Plan, Weights, make
from devices.run import Outcome, Started, measure
from evaluation.clip import Clip, Dataset
from models.checkpoint import save, sha256
from models.labels import LABELS, person
from models.variant import VARIANTS
from reports.record import Run, record
from reports.rows import from_json, to_json

H = W = 32


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from models.hourglass import Hourglass

    variant = replace(VARIANTS["live-parts"], resolution=(H, W))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = Hourglass(variant).state_dict()
    path = tmp_path_factory.mktemp("labels") / "live-parts.safetensors"
    save(path, "live-parts", variant, state, {"note": "untrained"})
    return path


@pytest.fixture
def job(weights: Path, tmp_path: Path) -> Job:
    frames = np.random.default_rng(0).integers(0, 256, (5, H, W, 3), np.uint8)
    shared = jobs.write_frames(tmp_path / "frames.u8", frames)
    counts = Counts(warm_up_least=3, warm_up_seconds=0.1, samples=5, seconds=0.01)
    return Job(Config("live-parts", "pytorch", resolution=(H, W)), weights, shared, (3, 2), counts)


@pytest.fixture
def plan(weights: Path) -> Plan:
    asked = Options(variants="live-parts", formats=("pytorch",), resolution=(H, W))
    return make(asked, {"live-parts": Weights(weights, sha256(weights))})


def test_the_desktop_hands_over_nine_channels_and_the_person(job: Job) -> None:
    from devices.baseline import open_checkpoint
    from evaluation.score import predict_labels

    runner = Desktop()
    try:
        result = runner.run(job)
    finally:
        runner.close()
    masks, labels = predict_labels(open_checkpoint(job.model, 1), jobs.read_frames(job), job.sequences)
    assert result.labels is not None
    assert result.labels.shape == (5, H, W, 9)
    assert np.abs(result.labels.astype(int) - labels.astype(int)).max() <= 1
    assert result.masks == pytest.approx(masks, abs=1e-4)
    assert result.masks == pytest.approx(person(result.labels.astype(np.float32) / np.float32(255))[..., 0], abs=0.01)
    assert result.model_ns
    assert result.pipeline_ns


def test_labels_come_back_from_a_job_folder_and_of_the_wrong_size_are_refused(job: Job, tmp_path: Path) -> None:
    folder = jobs.describe(tmp_path / "job", job)
    labels = np.random.default_rng(1).integers(0, 256, (5, H, W, 9), np.uint8)
    result = Result(np.zeros((5, H, W), np.float32), "measured", labels=labels)
    jobs.write_result(folder, result)
    assert jobs.read_result(folder) == result
    assert jobs.read_result(folder) != replace(result, labels=None)
    assert jobs.read_result(folder) != replace(result, labels=255 - labels)
    with (folder / "labels.u8").open("ab") as file:
        file.write(b"1")
    with pytest.raises(MeasurementFailed, match=r"labels\.u8 holds 46081 bytes where 5 frames take 46080"):
        jobs.read_result(folder)


@dataclass
class Halves:
    """A device that answers at once: hair on the left, clothes on the right, of everybody."""

    takes_labels: bool = True

    def run(self, job: Job) -> Result:
        count = sum(job.sequences)
        labels = np.zeros((count, H, W, 9), np.uint8)
        labels[:, :, : W // 2, LABELS.index("hair")] = 255
        labels[:, :, W // 2 :, LABELS.index("clothes")] = 255
        return Result(np.ones((count, H, W), np.float32), "measured", labels=labels, model_ns=(10**6,) * 64)


def stills(truths: bool) -> Dataset:
    picture = np.full((40, 40, 3), 90, np.uint8)
    truth = np.full((40, 40), LABELS.index("hair"), np.uint8)
    clips = [
        Clip(name, [name], lambda _: (picture, np.ones_like(truth)), read_truth=(lambda _: truth) if truths else None)
        for name in "ab"
    ]
    return Dataset("two", "Two made-up stills.", clips)


def outcomes(plan: Plan, runner: Halves, dataset: Dataset) -> Iterator[Outcome]:
    for event in measure(plan.tasks, plan, {}, runner, prepare(dataset, plan.tasks)):
        if not isinstance(event, Started):
            assert isinstance(event, Outcome)
            yield event


def test_a_row_has_the_figures_of_its_labels_where_the_data_tell_them(plan: Plan) -> None:
    dataset = stills(truths=True)
    (outcome,) = outcomes(plan, Halves(), dataset)
    row = record(outcome, Counts(), prepare(dataset, plan.tasks), Run("r", 0))
    assert row.accuracy["iou"] == 1
    assert row.accuracy["labels"]["labels"]["hair"]["iou"] == pytest.approx(0.5)
    assert row.accuracy["labels"]["mean_iou"] == pytest.approx(0.5)
    assert row.accuracy["labels"]["confusion"] == {"hair": {"hair": 1600, "clothes": 1600}}
    assert row.network["labels"] == list(LABELS)
    assert all(example["labels_jpeg"] for example in row.examples)
    assert from_json(to_json(row)).accuracy["labels"] == row.accuracy["labels"]


def test_data_of_the_person_alone_leave_the_labels_out_of_a_row(plan: Plan) -> None:
    dataset = stills(truths=False)
    (outcome,) = outcomes(plan, Halves(), dataset)
    row = record(outcome, Counts(), prepare(dataset, plan.tasks), Run("r", 0))
    assert row.accuracy["iou"] == 1
    assert "labels" not in row.accuracy
    assert all(example["labels_jpeg"] for example in row.examples)


def test_a_device_without_labels_says_so_in_one_sentence(plan: Plan) -> None:
    (outcome,) = outcomes(plan, Halves(takes_labels=False), stills(truths=True))
    assert outcome.result is None
    assert outcome.reason == (
        "live-parts gives labels, and those are not supported on desktop yet; the desktop measures it"
    )
