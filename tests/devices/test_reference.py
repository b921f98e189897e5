"""Every way to a phone, on the trained reference network: the masks that come back are this machine's, and score alike.

What can go wrong on the way is tested with a smaller network, in the folders beside this file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from converters.artifact import Format, Spec
from converters.network import fold
from converters.registry import converter
from devices import instructions
from devices import job as jobs
from devices.android.adb import Adb
from devices.android.home import Limits
from devices.android.runner import AndroidPhone
from devices.catalog import phones
from devices.contract import Config, Job, Result, Unit
from devices.emulator import Arm64Emulator
from devices.estimate.phone import known
from devices.estimate.runner import Estimator
from devices.ios.runner import IPhone
from devices.ios.usbmux import Libimobiledevice, Pymobiledevice3
from evaluation.clip import Dataset
from evaluation.sample import embedded
from evaluation.score import predict, prepare, score
from models import checkpoint
from tests.conftest import need, need_coreml
from tests.devices.android.conftest import adb_server, make_phone
from tests.devices.ios.conftest import LIMITS, harness, link, phone, pymobile
from tests.devices.ios.harness import Harness
from tests.devices.shallow import COUNTS
from tests.devices.web.conftest import SOFTWARE_GPU, open_browser, packages
from tests.devices.web.test_chromium import measure, the_result

__all__ = ["adb_server", "harness", "link", "make_phone", "open_browser", "packages", "phone", "pymobile"]

NAME = "s16-skip-plain"
WEIGHTS = checkpoint.FOLDER / f"{NAME}.safetensors"
SIZE = (160, 160)
"""Less than what it was trained for, so that a frame under an emulator takes less time."""

Ask = Callable[..., Job]


@pytest.fixture(scope="module")
def footage() -> Dataset:
    """The beginning of a clip, and a still: of the sample, what the network finds at `SIZE`."""
    sample = embedded()
    clips = {clip.name: clip for clip in sample.clips}
    walk = replace(clips["walk"], frame_names=clips["walk"].frame_names[:2])
    return replace(sample, clips=[walk, clips["astronaut-close"]])


@pytest.fixture(scope="module")
def ask(footage: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Makes the job of the trained network in a format, which is converted once."""
    folder = tmp_path_factory.mktemp("reference")
    prepared, sequences = prepare(footage, SIZE)
    frames = jobs.write_frames(folder / "frames.u8", prepared)

    @cache
    def model(format: Format) -> Path:
        module = converter(format)
        need_coreml() if format == "coreml" else need(module.available())
        spec = Spec(NAME, WEIGHTS, checkpoint.sha256(WEIGHTS), format, "fp32", SIZE)
        network = fold(checkpoint.load(WEIGHTS).network())
        return module.convert(network, spec, folder / f"{NAME}{module.SUFFIX}", None)

    def make(format: Format, device: str, unit: Unit = "cpu") -> Job:
        return Job(Config(NAME, format, "fp32", SIZE, device, unit), model(format), frames, sequences, COUNTS)

    return make


def check(result: Result, job: Job, footage: Dataset, close: float = 1e-5) -> None:
    """The masks of `result` are those that this machine makes of the same artifact, and they show the person."""
    frames = jobs.read_frames(job)
    session = converter(cast("Format", job.config.format)).load(job.model)
    here = predict(session, frames, job.sequences)
    assert np.abs(result.masks - here).max() < close
    assert np.abs(predict(session, frames, job.sequences, prev="empty") - here).max() > 100 * close, "not fed back"
    there = score(result.masks, footage)
    assert there.iou == pytest.approx(score(here, footage).iou, abs=1e-3)
    assert there.iou > 0.7


def test_the_real_adb_pushes_runs_and_pulls(
    make_phone: Callable, adb_server: str, qemu: str, ask: Ask, footage: Dataset
) -> None:
    job = ask("tflite", "pixel2")
    result = AndroidPhone(Adb(make_phone().serial, adb_server), limits=Limits(nominal=0, come_back=5)).run(job)
    check(result, job, footage)
    assert result.evidence == "measured"
    assert result.placement["delegated"] == result.placement["ops"] > 50
    assert len(result.model_ns) >= job.counts.samples


def test_the_emulator_counts_the_same_instructions_every_time(
    qemu: str, ask: Ask, footage: Dataset, tmp_path: Path
) -> None:
    job = ask("tflite", "arm64-emulator")
    result = Arm64Emulator().run(job)
    check(result, job, footage)
    assert result.from_host["max_difference"] < 1e-5
    assert result.environment.facts["instructions_spread"] == 0
    last = replace(job, frames=jobs.write_frames(tmp_path / "last.u8", jobs.read_frames(job)[-1:]), sequences=(1,))
    count = Arm64Emulator().run(last).instructions_per_frame
    assert count == result.instructions_per_frame
    assert count
    assert count > 10_000_000


def test_libimobiledevice_pushes_starts_and_pulls(link: Libimobiledevice, ask: Ask, footage: Dataset) -> None:
    job = ask("coreml", "iphone7")
    result = IPhone(link, 15, LIMITS).run(job)
    check(result, job, footage)
    assert result.environment.facts["launch"] == "idevicedebug, under the debugserver"


def test_pymobiledevice3_pushes_and_pulls_while_the_app_is_opened_by_hand(
    pymobile: Pymobiledevice3, harness: Harness, ask: Ask, footage: Dataset
) -> None:
    """The loopback has no instruments server, through which pymobiledevice3 starts apps."""
    job = ask("coreml", "iphone7")
    harness.patience = 120
    harness.launch()
    result = IPhone(pymobile, 15, replace(LIMITS, pull=60, push=60, start=60), attempts=1).run(job)
    check(result, job, footage)
    assert result.environment.facts["launch"] == "opened by hand"


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(("format", "unit"), [("tflite", "cpu"), ("onnx", "cpu"), ("tflite", "gpu")])
def test_chromium_runs_it(open_browser: Callable, ask: Ask, footage: Dataset, format: Format, unit: Unit) -> None:
    job = ask(format, "web", unit)
    browser = open_browser(*(SOFTWARE_GPU if unit == "gpu" else ()))
    result = the_result(measure(browser, [job]))
    check(result, job, footage, close=1e-4 if unit == "gpu" else 1e-5)
    assert result.placement["actual"].startswith("WebGPU" if unit == "gpu" else "XNNPACK" if format == "tflite" else "")


def test_an_estimate_follows_from_the_count(qemu: str, ask: Ask, footage: Dataset) -> None:
    phone = phones()["pixel2"]
    job = ask("tflite", "estimate:pixel2")
    result = Estimator(phone).run(job)
    check(result, job, footage)
    assert result.evidence == "estimated"
    assert result.model_ns == result.pipeline_ns == ()
    counted = instructions.count(job.model, instructions.PLAIN)
    assert result.instructions_per_frame == result.estimate["instructions"] == counted
    found = known("pixel2", "fp32")
    assert found
    assert result.estimate["milliseconds"] == found.estimate(counted).milliseconds
