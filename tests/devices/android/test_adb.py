"""What adb prints, understood; which adb is used."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from devices.android import adb as adbs
from devices.android.adb import Adb, Listed, NoAdb, parse_devices
from devices.contract import MeasurementFailed
from devices.transport import Unreachable

LISTING = """* daemon not running; starting now at tcp:5037
* daemon started successfully
List of devices attached
FA7AX1A00001           device usb:1-1 product:walleye model:Pixel_2 device:walleye transport_id:1
emulator-5554          offline transport_id:2
R5CT123ABCD            unauthorized usb:1-2 transport_id:3
0123456789ABCDEF       no permissions (missing udev rules? user is in the plugdev group); see [http://...] usb:1-3

"""


def test_a_listing_is_understood() -> None:
    listed = parse_devices(LISTING)
    assert [(one.serial, one.state) for one in listed] == [
        ("FA7AX1A00001", "device"),
        ("emulator-5554", "offline"),
        ("R5CT123ABCD", "unauthorized"),
        ("0123456789ABCDEF", "no permissions"),
    ]
    assert listed[0].facts["model"] == "Pixel_2"
    assert listed[0].facts["device"] == "walleye"
    assert listed[3].facts == {}
    assert [one.advice is None for one in listed] == [True, False, False, False]
    assert "accept the prompt" in str(listed[2].advice)
    assert "udev" in str(listed[3].advice)


def test_nothing_attached_is_an_empty_list() -> None:
    assert parse_devices("List of devices attached\n\n") == []
    assert parse_devices("") == []


def test_the_path_comes_first_and_then_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "adb"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert adbs.binary() == str(mine)
    mine.unlink()
    monkeypatch.setitem(sys.modules, "adbutils", None)
    with pytest.raises(NoAdb, match="neither on the PATH nor brought by adbutils here"):
        adbs.binary()


def _adb(tmp_path: Path, script: str) -> Adb:
    """An adb that is played by a shell script."""
    path = tmp_path / "adb"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return Adb("SERIAL", str(path))


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("adb: error: failed to copy 'a' to 'b': remote couldn't write: No space left on device", MeasurementFailed),
        ("adb: error: failed to copy 'a' to 'b': remote Permission denied", MeasurementFailed),
        ("adb: device 'SERIAL' not found", Unreachable),
        ("error: device offline", Unreachable),
        ("adb: error: connect failed: closed", Unreachable),
    ],
)
def test_only_what_may_pass_is_worth_another_try(tmp_path: Path, said: str, kind: type[MeasurementFailed]) -> None:
    adb = _adb(tmp_path, f'echo "{said}" >&2; exit 1')
    with pytest.raises(MeasurementFailed) as failure:
        adb.push([tmp_path], "/data", 5)
    assert type(failure.value) is kind


def test_a_command_that_fails_on_the_phone_still_tells_what_it_printed(tmp_path: Path) -> None:
    assert _adb(tmp_path, "echo half; exit 1").run("anything", 5) == "half\n"


def test_the_arguments_reach_adb_as_they_are(tmp_path: Path) -> None:
    said = _adb(tmp_path, 'for word; do echo "<$word>"; done').run("echo 'a b'; $(reboot)", 5)
    assert said.splitlines() == ["<-s>", "<SERIAL>", "<shell>", "<-n>", "<echo 'a b'; $(reboot)>"]


def test_an_adb_that_hangs_is_given_up(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"did not answer within 0\.2 s"):
        _adb(tmp_path, "exec sleep 60").run("anything", 0.2)


def test_an_adb_that_cannot_start_is_said(tmp_path: Path) -> None:
    with pytest.raises(MeasurementFailed, match="could not be started"):
        Adb("SERIAL", str(tmp_path / "absent")).run("anything", 5)


def test_a_device_in_another_state_is_named() -> None:
    assert "recovery" in str(Listed("S", "recovery").advice)
