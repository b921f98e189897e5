"""The real adb client against a phone on the loopback: push, run, pull, score, and everything that can go wrong."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from converters import tflite
from converters.artifact import Spec
from converters.build import convert_one
from converters.cache import Cache
from converters.references import fetch, open_reference
from devices import job as jobs
from devices import sustained
from devices.aarch64_runner import build
from devices.android import adb as adbs
from devices.android.adb import Adb
from devices.android.attached import find_all, find_one
from devices.android.home import HOME, Limits
from devices.android.runner import AndroidPhone
from devices.contract import Job, MeasurementFailed
from devices.transport import Unreachable
from evaluation.sample import portrait
from evaluation.score import predict
from models import checkpoint
from models import reference as references
from models.reference import ReferenceModel
from models.segmenter import stretch
from models.variant import Resolution, get
from tests.devices.android.adbd import MODERN, Adbd
from tests.devices.shallow import configured

TMP = "/data/local/tmp"
RUNS = "./runner"


@pytest.fixture
def android(adb: Adb, qemu: str) -> AndroidPhone:
    return AndroidPhone(adb, limits=Limits(nominal=0, come_back=5))


@pytest.mark.parametrize("features", [MODERN, "", "shell_v2,stat_v2"], ids=["modern", "old", "pixel2"])
def test_files_survive_the_trip_and_commands_print_both_streams(
    make_phone, adb_server: str, tmp_path: Path, features: str
) -> None:
    phone = make_phone(features=features)
    adb = Adb(phone.serial, adb_server)
    sent = [tmp_path / "small", tmp_path / "large and spaced"]
    sent[0].write_bytes(b"")
    sent[1].write_bytes(np.random.default_rng(0).bytes(700_001))

    adb.push(sent, TMP, 20)
    assert [phone.path(f"{TMP}/{path.name}").read_bytes() for path in sent] == [path.read_bytes() for path in sent]
    adb.pull(f"{TMP}/large and spaced", tmp_path / "back", 20)
    assert (tmp_path / "back").read_bytes() == sent[1].read_bytes()
    said = adb.run("echo out; echo err >&2; exit 3", 20)
    assert "out" in said
    assert "err" in said or not features, "shell v1 of the stand-in carries one stream"


def test_a_phone_is_listed_and_found_by_its_name(phone: Adbd, adb_server: str) -> None:
    listed = next(listed for listed in adbs.attached(adb_server) if listed.serial == phone.serial)
    assert listed.state == "device"
    assert listed.advice is None
    found = find_one("pixel2")
    assert found
    assert found.phone
    assert found.phone.key == "pixel2"
    assert found.runner().cpus == 0xF0
    assert find_one(f"adb:{phone.serial}") == found
    assert find_one("pixel9") is None
    assert phone.serial in {other.listed.serial for other in find_all()}


def test_a_configuration_is_measured_and_its_masks_are_this_machines(
    android: AndroidPhone, phone: Adbd, job: Job, wanted: np.ndarray, without_feedback: np.ndarray
) -> None:
    result = android.run(job)

    assert np.abs(result.masks - wanted).max() < 1e-5
    apart = [np.abs(a - b).max() for a, b in zip(result.masks, without_feedback, strict=True)]
    assert apart[1] > 0.05, "the second frame does not see the mask before"
    assert max(apart[0], apart[2]) < 1e-5, "a sequence does not begin with an empty mask"
    assert result.evidence == "measured"
    assert len(result.model_ns) >= job.counts.samples
    assert len(result.pipeline_ns) >= job.counts.samples
    assert min(result.model_ns) > 0
    assert result.load_ns
    assert result.first_ns
    assert result.peak_memory_bytes
    assert result.warm_up["iterations"] >= 1
    assert result.placement["actual"] == "XNNPACK"
    assert result.placement["delegated"] == result.placement["ops"] > 20
    assert result.retries == 0
    facts = result.environment.facts
    assert facts["fingerprint"].startswith("google/walleye/walleye:11/")
    assert facts["cpus"] == "f0", "the phone's clocks tell its fast cores"
    assert "thermal" not in result.environment.hazards


def test_minutes_of_load_come_back_in_bins(android: AndroidPhone, job: Job) -> None:
    bins = sustained.from_json(android.run(replace(job, counts=replace(job.counts, sustained=0.02))).sustained)
    assert len(bins) == 1
    assert bins[0].frames > 0
    assert bins[0].busy == pytest.approx(sustained.BIN_SECONDS, rel=0.5), "all but laying out the frames"


def test_the_kit_is_pushed_once(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    android.run(job)
    kit = phone.path(f"{HOME}/kit-{build.build().sha256}")
    times = {path.name: path.stat().st_mtime_ns for path in kit.iterdir()}
    phone.faults.room = 2_000_000  # Too little for another kit, enough for another job.
    android.run(job)
    assert times == {path.name: path.stat().st_mtime_ns for path in kit.iterdir()}


def test_hazards_of_before_and_after_reach_the_result(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    from tests.devices.android.conftest import transcript

    def heat(_: Path) -> None:
        if any(RUNS in command for command in phone.commands):
            phone.command("dumpsys", transcript("hot.thermal"), "thermalservice")
            phone.command("grep", transcript("hot.clocks"))

    phone.command("dumpsys", transcript("low.battery"), "battery")
    phone.faults.after = heat
    result = android.run(job)
    assert set(result.environment.hazards) == {"battery", "thermal", "throttled-clock"}
    assert result.environment.facts["thermal_status"] == "none"
    assert result.environment.facts["after_thermal_status"] == "moderate"


def test_a_phone_that_vanishes_once_costs_a_retry(
    android: AndroidPhone, adb_server: str, phone: Adbd, job: Job
) -> None:
    phone.faults.vanish_on = RUNS
    reconnect = threading.Timer(1.0, subprocess.run, [[adb_server, "connect", phone.serial]], {"timeout": 30})
    reconnect.start()
    result = android.run(job)
    reconnect.join()
    assert result.retries == 1
    assert result.masks.shape == (3, *job.config.resolution)


def test_a_run_that_ends_in_silence_costs_a_retry(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    phone.faults.cut_on = RUNS
    assert android.run(job).retries == 1


def test_a_phone_that_vanishes_for_good_costs_its_cell(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    phone.faults.vanish_on, phone.faults.stays_away = RUNS, True
    android = replace(android, limits=Limits(nominal=0, come_back=2, shell=3))
    with pytest.raises(MeasurementFailed, match=r"tried 2 times"):
        android.run(job)


def test_a_phone_that_locks_up_costs_its_configuration_in_bounded_time(
    android: AndroidPhone, phone: Adbd, job: Job
) -> None:
    phone.faults.stuck_on = RUNS
    android = replace(android, limits=Limits(nominal=0, shell=2, run=1), attempts=1)
    start = time.monotonic()
    with pytest.raises(MeasurementFailed, match="did not answer within 3 s"):
        android.run(job)
    assert time.monotonic() - start < 60, "the limit of three seconds was not kept"


def test_a_runner_that_hangs_is_ended_on_the_phone(make_phone, adb_server: str, qemu: str, job: Job) -> None:
    phone = make_phone(qemu=("sh", "-c", "'exec sleep 1000'"))
    android = AndroidPhone(Adb(phone.serial, adb_server), limits=Limits(nominal=0, run=1), attempts=1)
    with pytest.raises(MeasurementFailed, match=r"killed on the phone, at its time limit of 1 s"):
        android.run(job)


@pytest.mark.parametrize("room", [0, 9_000_000], ids=["at once", "in the middle of the kit"])
def test_a_full_disk_costs_its_configuration_at_once(android: AndroidPhone, phone: Adbd, job: Job, room: int) -> None:
    phone.faults.room = room
    with pytest.raises(MeasurementFailed, match="its disk is full") as failure:
        android.run(job)
    assert not isinstance(failure.value, Unreachable), "a full disk stays full: no retry"


def test_a_kit_that_was_cut_short_is_pushed_again(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    phone.faults.room = 9_000_000
    with pytest.raises(MeasurementFailed):
        android.run(job)
    phone.faults.room = None
    assert android.run(job).retries == 0


def _after_the_run(phone: Adbd, name: str, spoil) -> None:
    """Spoil the answer `name` as soon as the runner has written it."""

    def after(tmp: Path) -> None:
        path = tmp / "segmentation-bench" / "job" / name
        if path.exists():
            spoil(path)

    phone.faults.after = after


def test_half_a_mask_costs_its_cell(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    _after_the_run(phone, "masks.f32", lambda path: path.write_bytes(path.read_bytes()[: 64 * 64 * 4 * 2 + 100]))
    with pytest.raises(MeasurementFailed, match=r"masks\.f32 holds \d+ bytes where 3 masks take \d+ .*tried 2 times"):
        android.run(job)


def test_an_answer_without_its_end_marker_costs_its_cell(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    _after_the_run(phone, "result.json", lambda path: path.write_text(path.read_text().replace('"end"', '"und"')))
    with pytest.raises(MeasurementFailed, match="no end marker"):
        replace(android, attempts=1).run(job)


def test_a_runner_that_fails_is_quoted(android: AndroidPhone, phone: Adbd, job: Job) -> None:
    with pytest.raises(MeasurementFailed, match=r"the runner failed: runner: frames\.u8 does not hold 4 frames"):
        android.run(replace(job, sequences=(2, 2)))


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"format": "onnx"}, "runs tflite, not onnx"), ({"unit": "gpu"}, "needs LiteRT's benchmark_model")],
)
def test_what_cannot_run_is_said(android: AndroidPhone, job: Job, change: dict[str, Any], reason: str) -> None:
    with pytest.raises(MeasurementFailed, match=reason):
        android.run(configured(job, **change))


def test_somebody_elses_model_runs_on_the_phone(
    android: AndroidPhone, job: Job, frames: np.ndarray, somebody_elses: tuple[ReferenceModel, Path]
) -> None:
    reference, model = somebody_elses
    result = android.run(replace(job, model=model, reference=reference))
    wanted = predict(open_reference(reference, model), frames, job.sequences)
    assert np.ptp(wanted) > 0.1
    assert np.abs(result.masks - wanted).max() < 1e-5


@pytest.mark.parametrize(
    ("unit", "field", "value", "words"),
    [
        ("cpu", "layout", "NCHW", "the AArch64 runner takes a picture in NHWC"),
        ("gpu", "mean", (0.5,) * 3, r"benchmark_model gives RGB in \[0, 1\]"),
    ],
)
def test_somebody_elses_model_that_wants_its_frames_otherwise_is_refused(
    android: AndroidPhone,
    phone: Adbd,
    job: Job,
    somebody_elses: tuple[ReferenceModel, Path],
    unit: str,
    field: str,
    value: Any,
    words: str,
) -> None:
    reference, model = replace(somebody_elses[0], **{field: value}), somebody_elses[1]
    with pytest.raises(MeasurementFailed, match=rf"{words} .*; other has {field} of its own"):
        android.run(replace(configured(job, unit=unit), model=model, reference=reference))  # type: ignore[arg-type]
    assert not phone.path(HOME).exists(), "something was pushed that cannot run"


def portraits(resolution: Resolution, folder: Path) -> Path:
    """Three frames of a person who moves sideways, as a job's file."""
    frames = [np.roll(stretch(portrait()[0], resolution), 8 * i, axis=1) for i in range(3)]
    return jobs.write_frames(folder / "portraits.u8", np.stack(frames))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s16-skip-plain", "live"])
def test_a_trained_network_at_its_own_size_gives_this_machines_masks_on_the_phone(
    android: AndroidPhone, job: Job, tmp_path: Path, name: str
) -> None:
    size, weights = get(name).resolution, checkpoint.FOLDER / f"{name}.safetensors"
    spec = Spec(name, weights, checkpoint.sha256(weights), "tflite", "fp32", size)
    model = convert_one(spec, tmp_path / "trained.tflite", cache=Cache(tmp_path / "cache")).path
    its = replace(configured(job, resolution=size), model=model, frames=portraits(size, tmp_path))
    result = android.run(its)
    wanted = predict(tflite.load(model), jobs.read_frames(its), its.sequences)
    assert np.ptp(wanted) > 0.9
    assert np.abs(result.masks - wanted).max() < 1e-3


@pytest.mark.slow
def test_mediapipes_network_gives_this_machines_masks_on_the_phone(
    android: AndroidPhone, job: Job, tmp_path: Path
) -> None:
    reference = references.read()["mediapipe-selfie"]
    model = fetch(reference)
    frames = portraits(reference.resolution, tmp_path)
    its = replace(
        configured(job, precision="fp16", resolution=reference.resolution),
        model=model,
        frames=frames,
        reference=reference,
    )
    result = android.run(its)
    wanted = predict(open_reference(reference, model), jobs.read_frames(its), its.sequences)
    assert np.ptp(wanted) > 0.9
    assert np.abs(result.masks - wanted).max() < 1e-3


def test_a_port_of_the_phone_leads_to_this_machine(phone: Adbd, adb_server: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        here = f"tcp:{server.getsockname()[1]}"
        command = [adb_server, "-s", phone.serial, "reverse", "tcp:0", here]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
        with socket.create_connection(("127.0.0.1", int(done.stdout)), timeout=10) as there:
            peer, _ = server.accept()
            there.sendall(b"ping")
            assert peer.recv(4) == b"ping"
            peer.sendall(b"pong")
            assert there.recv(4) == b"pong"
            peer.close()
