"""The real libimobiledevice against an iPhone on the loopback: list, push, launch, pull, score, all that can fail."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices.contract import Job, MeasurementFailed
from devices.ios import attached, usbmux
from devices.ios.link import Missing
from devices.ios.runner import IPhone
from devices.ios.usbmux import Libimobiledevice
from devices.select import unnamed
from devices.transport import Unreachable
from models.variant import VARIANTS
from tests.devices.ios.conftest import LIMITS
from tests.devices.ios.harness import Harness, answers, masks
from tests.devices.ios.usbmuxd import BUNDLE, UDID, Usbmuxd
from tests.devices.shallow import RESOLUTION, configured, convert


@pytest.fixture
def iphone(link: Libimobiledevice) -> IPhone:
    return IPhone(link, 15, LIMITS)


def test_a_phone_is_listed_and_found_by_its_name(link: Libimobiledevice) -> None:
    (listed,) = usbmux.attached()
    assert (listed.udid, listed.product, listed.system, listed.advice) == (UDID, "iPhone9,1", "15.8.2", None)
    found = attached.find_one("iphone7")
    assert found
    assert found.phone
    assert found.phone.key == "iphone7"
    assert found.runner().major == 15
    assert attached.find_one(f"ios:{UDID}") == found
    assert attached.find_one("iphone13") is None
    assert link.bundle == BUNDLE


def test_a_phone_that_no_name_leads_to_is_listed_by_its_own(link: Libimobiledevice, phone: Usbmuxd) -> None:
    assert f"ios:{UDID}" not in unnamed()
    phone.values["ProductType"] = "iPhone99,9"
    assert f"ios:{UDID}" in unnamed()


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("PasswordProtected", "is locked: unlock it"),
        ("PairingDialogResponsePending", "asks whether to trust"),
        ("InvalidHostID", "does not know this computer"),
    ],
)
def test_a_phone_that_does_not_answer_says_what_to_do(
    link: Libimobiledevice, phone: Usbmuxd, error: str, advice: str
) -> None:
    phone.faults.lockdown_error = error
    (listed,) = usbmux.attached()
    assert advice in (listed.advice or "")


def test_a_usbmuxd_that_is_not_there_is_said_and_may_come_back(link: Libimobiledevice, phone: Usbmuxd) -> None:
    phone.close()
    with pytest.raises(MeasurementFailed, match=r"usbmuxd does not answer \(idevice_id said: .*device list"):
        usbmux.attached()
    with pytest.raises(Unreachable, match="did not come back within 0 s"):
        link.wait(0)


def test_files_survive_the_trip(link: Libimobiledevice, phone: Usbmuxd, tmp_path: Path) -> None:
    folder = tmp_path / "sent"
    (folder / "model.mlpackage" / "Data").mkdir(parents=True)
    (folder / "model.mlpackage" / "Data" / "weight.bin").write_bytes(np.random.default_rng(0).bytes(2_500_001))
    (folder / "empty").write_bytes(b"")
    (phone.documents / "job").mkdir()
    (phone.documents / "job" / "old").write_text("of the job before")

    link.push(folder, "job", 20)
    link.put(folder / "empty", "job/more", 20)
    link.pull("job/model.mlpackage/Data/weight.bin", tmp_path / "back", 20)
    assert (tmp_path / "back").read_bytes() == (folder / "model.mlpackage" / "Data" / "weight.bin").read_bytes()
    assert {path.name for path in (phone.documents / "job").iterdir()} == {"model.mlpackage", "empty", "more"}
    with pytest.raises(Missing, match="job/absent is not there"):
        link.pull("job/absent", tmp_path / "absent", 20)


def test_a_configuration_is_measured_and_its_masks_are_those_of_its_model(
    iphone: IPhone, phone: Usbmuxd, harness: Harness, job: Job
) -> None:
    result = iphone.run(job)
    np.testing.assert_array_equal(result.masks, masks(job))
    assert np.abs(result.masks[1] - masks(replace(job, sequences=(1, 1, 1)))[1]).max() > 0.05, "no mask is fed back"
    assert len(result.model_ns) == job.counts.samples
    assert result.evidence == "measured"
    assert result.placement["compute_units"] == "cpuOnly"
    assert result.environment.hazards == ()
    assert result.environment.facts["launch"] == "idevicedebug, under the debugserver"
    assert "job" not in result.environment.facts
    assert (result.retries, harness.launches) == (0, 1)
    assert "com.apple.debugserver" in phone.started


def test_labels_come_back_and_the_person_is_fed_back(
    iphone: IPhone, harness: Harness, job: Job, tmp_path: Path
) -> None:
    parts = convert(
        tmp_path, "coreml", variant=replace(VARIANTS["live-parts"], depths=(1, 1, 1), resolution=RESOLUTION)
    )
    asked = configured(replace(job, model=parts), variant="live-parts")
    result = iphone.run(asked)
    here, labels = answers(asked)
    alone, _ = answers(replace(asked, sequences=(1, 1, 1)))
    np.testing.assert_array_equal(result.masks, here)
    np.testing.assert_array_equal(result.labels, labels)
    assert np.abs(result.masks[1] - alone[1]).max() > 1e-3, "the person is not fed back"
    harness.spoil = lambda answer: (answer / "labels.u8").unlink()
    with pytest.raises(MeasurementFailed, match=r"the harness left no labels\.u8"):
        replace(iphone, attempts=1).run(asked)


def test_hazards_of_before_and_after_reach_the_result(iphone: IPhone, harness: Harness, job: Job) -> None:
    harness.facts |= {"low_power": True, "after_thermal_state": "serious", "debug_build": True, "battery": 25}
    hazards = iphone.run(job).environment.hazards
    assert hazards == ("thermal", "battery", "low-power-mode", "debuggable-build")


def test_a_locked_screen_in_the_middle_costs_a_retry(iphone: IPhone, harness: Harness, job: Job) -> None:
    harness.interrupted = 1
    assert iphone.run(job).retries == 1
    harness.interrupted = 2
    with pytest.raises(MeasurementFailed, match=r"the screen was locked .*tried 2 times"):
        iphone.run(job)


def test_a_locked_phone_costs_its_configuration_at_once(iphone: IPhone, phone: Usbmuxd, job: Job) -> None:
    phone.faults.locked = True
    with pytest.raises(MeasurementFailed, match="iPhone is locked: unlock it") as failure:
        iphone.run(job)
    assert not isinstance(failure.value, Unreachable)


def test_an_app_that_does_not_begin_costs_its_cell(iphone: IPhone, harness: Harness, job: Job) -> None:
    harness.silent = True
    with pytest.raises(MeasurementFailed, match="did not begin within 1 s: unlock the iPhone and open the app"):
        replace(iphone, limits=replace(LIMITS, start=0.6)).run(job)


def test_an_app_that_is_not_installed_is_said(iphone: IPhone, phone: Usbmuxd, job: Job) -> None:
    del phone.apps[BUNDLE]
    with pytest.raises(MeasurementFailed, match=r"no app whose identifier ends in \.SegmentationHarness"):
        iphone.run(job)


def test_a_phone_that_vanishes_once_costs_a_retry(iphone: IPhone, phone: Usbmuxd, job: Job) -> None:
    phone.faults.vanish_on, phone.faults.back_after = "masks.f32", 2
    assert iphone.run(job).retries == 1


def test_a_phone_that_vanishes_for_good_costs_its_cell(iphone: IPhone, phone: Usbmuxd, job: Job) -> None:
    phone.faults.vanish_on = "frames.u8"
    with pytest.raises(MeasurementFailed, match="did not come back within 1 s"):
        replace(iphone, limits=replace(LIMITS, come_back=1)).run(job)


def test_a_phone_that_locks_up_costs_its_cell(iphone: IPhone, phone: Usbmuxd, job: Job) -> None:
    phone.faults.stuck = True
    with pytest.raises(MeasurementFailed, match=r"did not answer within 2 s \(push\)"):
        replace(iphone, limits=replace(LIMITS, push=2), attempts=1).run(job)


def test_a_full_disk_costs_its_configuration_at_once(iphone: IPhone, phone: Usbmuxd, job: Job) -> None:
    phone.faults.room = 20_000
    with pytest.raises(MeasurementFailed, match="disk is full") as failure:
        iphone.run(job)
    assert not isinstance(failure.value, Unreachable), "a full disk stays full: no retry"


def test_half_a_mask_costs_its_cell(iphone: IPhone, harness: Harness, job: Job) -> None:
    def halve(answer: Path) -> None:
        file = answer / "masks.f32"
        file.write_bytes(file.read_bytes()[:-100])

    harness.spoil = halve
    with pytest.raises(MeasurementFailed, match=r"masks\.f32 holds \d+ bytes where 3 masks take \d+ .*tried 2 times"):
        iphone.run(job)


def test_an_answer_without_its_end_marker_costs_its_cell(iphone: IPhone, harness: Harness, job: Job) -> None:
    def cut(answer: Path) -> None:
        file = answer / "result.json"
        file.write_text(file.read_text().replace('"end"', '"und"'))

    harness.spoil = cut
    with pytest.raises(MeasurementFailed, match="no end marker"):
        replace(iphone, attempts=1).run(job)


def test_the_answer_to_another_job_is_not_taken(iphone: IPhone, harness: Harness, job: Job) -> None:
    def rename(answer: Path) -> None:
        values = json.loads((answer / "result.json").read_text())
        values["environment"]["facts"]["job"] = "another"
        (answer / "result.json").write_text(json.dumps(values))

    harness.spoil = rename
    with pytest.raises(MeasurementFailed, match="the answer to another job"):
        replace(iphone, attempts=1).run(job)


def test_a_harness_that_fails_is_quoted(iphone: IPhone, harness: Harness, job: Job) -> None:
    def fail(answer: Path) -> None:
        raise RuntimeError("the model takes image, not frame and prev_mask")

    harness.spoil = fail
    with pytest.raises(MeasurementFailed, match="the harness failed: the model takes image") as failure:
        iphone.run(job)
    assert len(harness.jobs) == 1, "what failed for good was tried again"
    assert not isinstance(failure.value, Unreachable)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "tflite"}, "runs coreml, not tflite"),
        ({"precision": "int8"}, "need iOS 16, and this iPhone has iOS 15"),
    ],
)
def test_what_cannot_run_is_said(iphone: IPhone, job: Job, change: dict, reason: str) -> None:
    with pytest.raises(MeasurementFailed, match=reason):
        iphone.run(configured(job, **change))
