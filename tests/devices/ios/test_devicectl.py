"""devicectl's answers, and a whole run through a stand-in for xcrun: devicectl itself exists on Macs alone."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from devices.contract import Job, MeasurementFailed
from devices.ios import devicectl, usbmux
from devices.ios.attached import find_one
from devices.ios.link import Missing, NoTool
from devices.ios.runner import IPhone
from devices.transport import Unreachable
from tests.conftest import shebang
from tests.devices.ios.conftest import LIMITS
from tests.devices.ios.harness import Harness, masks

TRANSCRIPTS = Path(__file__).resolve().parents[2] / "transcripts" / "ios"
UDID = "00008110-0000000000000001"

XCRUN = '''{shebang}
"""Answers as devicectl does; the app's data container is a folder."""
import json, shutil, sys
from pathlib import Path

transcripts, root, locked = Path({transcripts!r}), Path({root!r}), Path({locked!r})
arguments = sys.argv[1:]
assert arguments[0] == "devicectl" and arguments[-2] == "-j", arguments
answer, command = Path(arguments[-1]), arguments[1:-2]


def say(name):
    text = (transcripts / f"devicectl.{{name}}.json").read_text()
    answer.write_text(text)
    sys.exit(json.loads(text)["info"]["outcome"] != "success")


if command == ["list", "devices"]:
    say("devices")
assert command[0] == "device" and command[3:5] == ["--device", {udid!r}], command
verb, rest = command[1:3], command[5:]
if verb == ["info", "apps"]:
    say("apps")
if verb == ["process", "launch"]:
    assert rest == [{bundle!r}], rest
    if locked.exists():
        say("launch-locked")
if verb[0] == "copy":
    options = dict(zip(rest[::2], rest[1::2]))
    assert options["--domain-type"] == "appDataContainer" and options["--domain-identifier"] == {bundle!r}, rest
    source, destination = Path(options["--source"]), Path(options["--destination"])
    if verb[1] == "from":
        source = root / source
        if not source.exists():
            say("copy-missing")
    else:
        destination = root / destination
        if options.get("--remove-existing-content") == "true":
            shutil.rmtree(destination, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, destination, dirs_exist_ok=True)
    else:
        shutil.copy(source, destination)
answer.write_text(json.dumps({{"info": {{"outcome": "success"}}, "result": {{}}}}))
'''


def transcript(name: str) -> dict:
    return json.loads((TRANSCRIPTS / f"devicectl.{name}.json").read_text())


@pytest.fixture
def mac(tmp_path: Path, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Path:
    """xcrun on the PATH and nothing else that reaches a phone; the file that locks its screen is returned."""
    harness.documents.mkdir(parents=True)
    program, locked = tmp_path / "bin" / "xcrun", tmp_path / "locked"
    program.parent.mkdir()
    names = {"root": str(harness.documents.parent), "locked": str(locked), "transcripts": str(TRANSCRIPTS)}
    bundle = "org.example.test.SegmentationHarness"
    program.write_text(XCRUN.format(shebang=shebang(), udid=UDID, bundle=bundle, **names))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/nowhere")
    monkeypatch.setattr(usbmux, "APART", tmp_path / "none")
    return locked


def test_only_phones_within_reach_of_ios_17_are_listed_with_what_to_do() -> None:
    listed = {one.name: one for one in devicectl.parse_devices(devicectl.parse_answer(transcript("devices")))}
    assert list(listed) == ["Bench iPhone", "Brand new", "No developer"]
    usable = listed["Bench iPhone"]
    assert (usable.udid, usable.product, usable.major, usable.advice) == (UDID, "iPhone14,5", 18, None)
    assert "does not trust this Mac" in str(listed["Brand new"].advice)
    assert "developer mode" in str(listed["No developer"].advice)


def test_faults_are_told_apart() -> None:
    with pytest.raises(MeasurementFailed, match="the iPhone is locked: unlock it") as locked:
        devicectl.parse_answer(transcript("launch-locked"))
    assert not isinstance(locked.value, Unreachable)
    with pytest.raises(Missing):
        devicectl.parse_answer(transcript("copy-missing"))
    with pytest.raises(Unreachable, match="The device went away"):
        devicectl.parse_answer(
            {"info": {"outcome": "failed"}, "error": {"userInfo": {"x": {"string": "The device went away."}}}}
        )


def test_a_configuration_is_measured_through_devicectl(mac: Path, harness: Harness, job: Job) -> None:
    found = find_one("iphone13")
    assert found
    assert found.by_devicectl
    harness.launch()
    result = IPhone(found.runner().link, found.listed.major, LIMITS).run(job)
    np.testing.assert_array_equal(result.masks, masks(job))
    assert result.environment.facts["launch"] == "devicectl"


def test_a_locked_phone_costs_its_cell(mac: Path, harness: Harness, job: Job) -> None:
    mac.write_text("")
    with pytest.raises(MeasurementFailed, match="the iPhone is locked: unlock it") as failure:
        IPhone(devicectl.Devicectl(UDID), 18, LIMITS).run(job)
    assert not isinstance(failure.value, Unreachable)


def test_without_any_program_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(usbmux, "APART", tmp_path / "none")
    with pytest.raises(NoTool, match=r"neither libimobiledevice .* nor pymobiledevice3"):
        find_one("iphone7")
