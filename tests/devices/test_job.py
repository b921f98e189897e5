"""Job and result folders: what goes in comes out, and what is not whole is refused in a sentence."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices import job as jobs
from devices.contract import Config, Counts, Environment, Job, MeasurementFailed, Result

H, W, N = 4, 6, 5


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (N, H, W, 3), np.uint8)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    model = tmp_path / "made" / "model.xml"
    model.parent.mkdir()
    model.write_text("graph")
    model.with_suffix(".bin").write_text("weights")
    return Job(
        Config("tiny", "openvino", resolution=(H, W), threads=2), model, Path("frames.u8"), (2, 3), Counts(seconds=0.5)
    )


@pytest.fixture
def folder(tmp_path: Path, job: Job, frames: np.ndarray) -> Path:
    return jobs.write(tmp_path / "job", job, frames)


@pytest.fixture
def result() -> Result:
    return Result(
        masks=np.random.default_rng(1).random((N, H, W), np.float32),
        evidence="measured",
        model_ns=(12, 2**40),
        pipeline_ns=(34,),
        load_ns=5,
        warm_up={"iterations": 41, "converged": True},
        placement={"actual": "XNNPACK", "cpus": [1]},
        environment=Environment({"cpu": "one"}, ("battery",)),
    )


def test_a_job_folder_is_complete_in_itself(folder: Path, job: Job, frames: np.ndarray) -> None:
    read = jobs.read(folder)
    assert read.model.parent == folder
    assert read.model.with_suffix(".bin").read_text() == "weights"
    assert np.array_equal(jobs.read_frames(read), frames)
    assert replace(read, model=job.model, frames=job.frames) == job


def test_its_paths_survive_being_moved(folder: Path, tmp_path: Path) -> None:
    moved = folder.rename(tmp_path / "elsewhere")
    assert jobs.read(moved).model.read_text() == "graph"
    assert str(tmp_path) not in (moved / "job.json").read_text()


def test_a_described_job_leaves_model_and_frames_where_they_lie(tmp_path: Path, job: Job, frames: np.ndarray) -> None:
    shared = replace(job, frames=jobs.write_frames(tmp_path / "shared.u8", frames))
    folder = jobs.describe(tmp_path / "described", shared)
    assert [path.name for path in folder.iterdir()] == ["job.json"]
    assert jobs.read(folder) == shared


@pytest.mark.parametrize("sequences", [(2, 2), (N, 1)])
def test_frames_that_do_not_fit_their_sequences_are_refused(
    tmp_path: Path, job: Job, frames: np.ndarray, sequences: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="sequences add up to"):
        jobs.write(tmp_path / "bad", replace(job, sequences=sequences), frames)


def test_a_result_comes_back_as_it_was(folder: Path, result: Result) -> None:
    jobs.write_result(folder, result)
    assert jobs.read_result(folder) == result


def test_results_differ_when_one_mask_or_one_time_does(result: Result) -> None:
    masks = result.masks.copy()
    assert replace(result, masks=masks) == result
    masks[1, 2, 3] += 0.5
    assert replace(result, masks=masks) != result
    assert replace(result, masks=masks[1:]) != result
    assert replace(result, load_ns=6) != result


def test_the_end_marker_is_the_last_key(folder: Path, result: Result) -> None:
    text = jobs.write_result(folder, result).read_text()
    assert text.endswith('"end": "done"}\n')


def test_masks_in_eight_bits_are_scaled(folder: Path, result: Result) -> None:
    jobs.write_result(folder, result)
    (folder / "masks.f32").unlink()
    np.full((N, H, W), 51, np.uint8).tofile(folder / "masks.u8")
    assert jobs.read_result(folder).masks == pytest.approx(0.2)


def test_a_small_runner_may_leave_out_what_it_does_not_know(folder: Path, result: Result) -> None:
    jobs.write_result(folder, result)
    (folder / "result.json").write_text('{"evidence": "measured", "model_ns": [1, 2], "end": "done"}')
    back = jobs.read_result(folder)
    assert (back.model_ns, back.pipeline_ns, back.environment.hazards) == ((1, 2), (), ())


def test_no_result_at_all(folder: Path) -> None:
    with pytest.raises(MeasurementFailed, match=r"left no result\.json"):
        jobs.read_result(folder)


def test_every_cut_of_a_result_is_refused(folder: Path, result: Result) -> None:
    path = jobs.write_result(folder, result)
    whole = path.read_bytes().rstrip()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(MeasurementFailed, match="not whole"):
            jobs.read_result(folder)


@pytest.mark.parametrize("end", [{}, {"end": "begun"}, {"end": "done", "retries": 0}])
def test_a_result_without_its_end_marker_is_refused(folder: Path, result: Result, end: dict[str, str]) -> None:
    path = jobs.write_result(folder, result)
    values = json.loads(path.read_text())
    del values["end"], values["retries"]
    path.write_text(json.dumps(values | end))
    with pytest.raises(MeasurementFailed, match="no end marker"):
        jobs.read_result(folder)


def test_half_a_mask_file_is_refused(folder: Path, result: Result) -> None:
    jobs.write_result(folder, result)
    masks = folder / "masks.f32"
    masks.write_bytes(masks.read_bytes()[: masks.stat().st_size // 2])
    with pytest.raises(MeasurementFailed, match=r"masks\.f32 holds 240 bytes where 5 masks take 480"):
        jobs.read_result(folder)


def test_missing_masks_are_refused(folder: Path, result: Result) -> None:
    jobs.write_result(folder, result)
    (folder / "masks.f32").unlink()
    with pytest.raises(MeasurementFailed, match="left no masks"):
        jobs.read_result(folder)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -0.5, 1.5])
def test_masks_that_are_no_masks_are_refused(folder: Path, result: Result, wrong: float) -> None:
    masks = result.masks.copy()
    masks[3, 2, 1] = wrong
    jobs.write_result(folder, replace(result, masks=masks))
    with pytest.raises(MeasurementFailed, match="outside"):
        jobs.read_result(folder)


def test_a_result_with_fields_nobody_agreed_on_is_refused(folder: Path, result: Result) -> None:
    jobs.write_result(folder, result)
    (folder / "result.json").write_text('{"evidence": "measured", "fps": 100, "end": "done"}')
    with pytest.raises(MeasurementFailed, match="fps"):
        jobs.read_result(folder)
