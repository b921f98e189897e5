"""The AArch64 runner under qemu: this machine's answers, and the same instructions every time."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters.references import open_reference
from devices import emulator
from devices.contract import Job, MeasurementFailed
from devices.emulator import Arm64Emulator, per_frame
from evaluation.score import predict
from models.reference import ReferenceModel
from tests.devices.shallow import RESOLUTION, configured, convert


def test_masks_are_this_machines_and_instructions_the_same_every_time(
    qemu: str, job: Job, wanted: np.ndarray, without_feedback: np.ndarray, tmp_path: Path
) -> None:
    first = Arm64Emulator().run(job)

    assert np.abs(first.masks - wanted).max() < 1e-5
    assert np.abs(first.masks[1] - without_feedback[1]).max() > 0.05, "the mask is not fed back"
    assert first.evidence == "emulated"
    assert first.model_ns == first.pipeline_ns == ()
    assert first.load_ns is None
    assert first.first_ns is None
    assert first.environment.hazards == ("emulator",)
    assert first.placement["delegated"] == first.placement["ops"]
    assert first.instructions_per_frame
    assert first.instructions_per_frame > 1_000_000
    assert first.environment.facts["instructions_spread"] == 0

    # Other pictures, in another order: the work is the same.
    (np.random.default_rng(0).integers(0, 256, (3, *RESOLUTION, 3), np.uint8)).tofile(tmp_path / "other.u8")
    again = Arm64Emulator().run(replace(job, frames=tmp_path / "other.u8", sequences=(1, 2)))
    assert again.instructions_per_frame == first.instructions_per_frame
    assert not np.array_equal(again.masks, first.masks)


def test_a_newer_core_takes_fewer_instructions_or_other_kernels(qemu: str, job: Job) -> None:
    old, new = (Arm64Emulator(cpu=cpu).run(job) for cpu in ("cortex-a57", "max"))
    assert old.environment.facts["emulated_cpu"] == "cortex-a57"
    assert old.instructions_per_frame != new.instructions_per_frame


def test_somebody_elses_model_runs_without_a_previous_mask(
    qemu: str, job: Job, frames: np.ndarray, somebody_elses: tuple[ReferenceModel, Path]
) -> None:
    reference, model = somebody_elses
    result = Arm64Emulator().run(replace(job, model=model, reference=reference))
    wanted = predict(open_reference(reference, model, 1), frames, job.sequences)
    assert np.ptp(wanted) > 0.1
    assert np.abs(result.masks - wanted).max() < 1e-5
    assert result.instructions_per_frame


@pytest.mark.parametrize(
    "usage",
    [
        {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.4), "colour": "BGR", "inverted": True},
        {"output": "logits", "mean": (0.485, 0.456, 0.406)},
        {"output": "pixels", "std": (1 / 255,) * 3},
    ],
    ids=["scale", "logits", "pixels"],
)
def test_a_description_is_followed_as_on_this_machine(
    qemu: str, job: Job, frames: np.ndarray, somebody_elses: tuple[ReferenceModel, Path], usage: dict[str, Any]
) -> None:
    reference, model = replace(somebody_elses[0], **usage), somebody_elses[1]
    wanted = predict(open_reference(reference, model, 1), frames, job.sequences)
    result = Arm64Emulator().run(replace(job, model=model, reference=reference))
    assert np.abs(wanted - predict(open_reference(somebody_elses[0], model, 1), frames, job.sequences)).max() > 0.1
    assert np.abs(result.masks - wanted).max() < 2e-5


@pytest.mark.parametrize("person", [{"channel": 0}, {"person_classes": (1,)}], ids=str)
def test_the_logits_of_two_classes(
    qemu: str, job: Job, frames: np.ndarray, two_classes: Path, person: dict[str, Any]
) -> None:
    described = {"output": "class-logits", "output_layout": "NHWC", **person}
    reference = ReferenceModel("two", two_classes.name, "0" * 64, "CC0", RESOLUTION, **described)
    wanted = predict(open_reference(reference, two_classes, 1), frames, job.sequences)
    result = Arm64Emulator().run(replace(job, model=two_classes, reference=reference))
    assert np.ptp(wanted) > 0.1
    assert np.abs(result.masks - wanted).max() < 1e-5


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NHWC in, the logits of two classes out, NHWC."""
    import litert_torch
    import torch

    class Two(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv = torch.nn.Conv2d(3, 2, 3, padding=1)

        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            return 4 * self.conv(picture.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    path = tmp_path_factory.mktemp("two") / "two.tflite"
    path.write_bytes(litert_torch.convert(Two().eval(), (torch.zeros(1, *RESOLUTION, 3),)).model_content())
    return path


def test_several_threads_are_refused(job: Job) -> None:
    with pytest.raises(MeasurementFailed, match="on one thread, not on 2"):
        Arm64Emulator().run(configured(job, threads=2))


def test_a_run_beyond_its_limit_costs_its_cell(qemu: str, job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "START_SECONDS", 0.05)
    with pytest.raises(MeasurementFailed, match=r"the emulated runner did not answer within 0\.05 s"):
        Arm64Emulator(seconds_a_frame=0.0).run(job)


def test_a_model_that_cannot_be_read_is_quoted(qemu: str, job: Job, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_bytes(b"\x18\0\0\0TFL3" + bytes(64))
    with pytest.raises(MeasurementFailed):
        Arm64Emulator().run(replace(job, model=tmp_path / "model.tflite"))


def test_without_qemu_it_is_said(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    with pytest.raises(MeasurementFailed, match="qemu-aarch64 is not installed"):
        Arm64Emulator().run(job)


@pytest.mark.parametrize(("text", "told"), [("7\n7\n7\n", (7, 0)), ("5\n9\n7\n", (7, 4)), ("5\n9\n7\n8\n", (7, 4))])
def test_the_plugins_file(text: str, told: tuple[int, int]) -> None:
    assert per_frame(text, len(text.split())) == told


def test_a_frame_that_was_not_counted_is_told() -> None:
    with pytest.raises(MeasurementFailed, match="2 of 3 frames"):
        per_frame("7\n7\n", 3)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_other_precisions_agree_too(qemu: str, job: Job, frames: np.ndarray, tmp_path: Path, precision: str) -> None:
    from converters import tflite
    from evaluation.score import predict

    path = convert(tmp_path, "tflite", precision)  # type: ignore[arg-type]
    result = Arm64Emulator().run(replace(configured(job, precision=precision), model=path))
    wanted = predict(tflite.load(path), frames, job.sequences)
    # One step of the mask's 8-bit code may fall the other way where a kernel rounds unlike this machine's.
    assert np.abs(result.masks - wanted).max() <= (1.01 / 256 if precision == "int8" else 1e-5)
    assert result.placement["delegated"] > 0
