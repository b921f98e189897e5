"""A network with labels in the AArch64 runner: nine channels as this machine makes them, the person fed back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters import tflite
from devices.android import benchmark_model
from devices.android.adb import Adb
from devices.android.home import Home, Limits
from devices.android.runner import AndroidPhone
from devices.contract import Job, MeasurementFailed
from devices.emulator import Arm64Emulator
from evaluation.score import predict_labels
from models.variant import VARIANTS
from tests.devices.shallow import RESOLUTION, configured, convert

SHALLOW = replace(VARIANTS["live-parts"], depths=(1, 1, 1), resolution=RESOLUTION)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(tmp_path_factory.mktemp("parts"), "tflite", variant=SHALLOW)


@pytest.fixture
def asked(parts: Path, job: Job) -> Job:
    return configured(replace(job, model=parts), variant="live-parts")


@pytest.mark.parametrize("device", ["emulator", "phone"])
def test_labels_are_this_machines_and_the_person_is_fed_back(
    qemu: str, adb: Adb, asked: Job, frames: np.ndarray, device: str
) -> None:
    runner = Arm64Emulator() if device == "emulator" else AndroidPhone(adb, limits=Limits(nominal=0, come_back=5))
    result = runner.run(asked)
    session = tflite.load(asked.model)
    masks, labels = predict_labels(session, frames, asked.sequences)
    alone, _ = predict_labels(session, frames, asked.sequences, prev="empty")
    assert result.labels is not None
    assert result.labels.shape == (3, *RESOLUTION, 9)
    assert np.abs(result.labels.astype(int) - labels.astype(int)).max() <= 1
    assert np.abs(result.masks - masks).max() < 1e-5
    assert np.abs(result.masks[1] - alone[1]).max() > 1e-3, "the person is not fed back"
    assert bool(result.model_ns) == (device == "phone")


def test_labels_of_an_int8_network_are_this_machines(qemu: str, asked: Job, frames: np.ndarray, tmp_path: Path) -> None:
    path = convert(tmp_path, "tflite", "int8", variant=SHALLOW)
    result = Arm64Emulator().run(replace(configured(asked, precision="int8"), model=path))
    masks, labels = predict_labels(tflite.load(path), frames, asked.sequences)
    assert np.ptp(labels, axis=-1).max() > 20, "labels that are all alike would agree by themselves"
    assert result.labels is not None
    assert np.abs(result.labels.astype(int) - labels.astype(int)).max() <= 2
    assert np.abs(result.masks - masks).max() <= 2.01 / 255


def test_gpu_and_npu_say_that_they_take_no_labels(adb: Adb, asked: Job, tmp_path: Path) -> None:
    with pytest.raises(MeasurementFailed, match="live-parts gives labels, and benchmark_model"):
        benchmark_model.measure(Home(adb, Limits()), configured(asked, unit="gpu"), tmp_path)
