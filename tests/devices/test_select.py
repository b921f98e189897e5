"""From a name to a device, or to what was looked for."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import typer

from cli.ending import NOT_MEASURED, WRONG_USAGE
from cli.inputs import asked_for, attached
from devices import emulator
from devices.catalog import phones
from devices.select import ESTIMATE, Attached, NotAttached, estimated, names, select, unnamed

LISTING = "List of devices attached\n{}\n"
PIXEL = "HT7 {state} usb:1-1 product:walleye model:Pixel_2 device:walleye transport_id:1"


@pytest.fixture
def adb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An adb that prints what the test puts into `listing`."""
    program = tmp_path / "adb"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/listing\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "listing").write_text(LISTING.format(""))
    return tmp_path / "listing"


def test_this_machine_is_always_there() -> None:
    desktop = select("desktop")
    assert isinstance(desktop, Attached)
    assert desktop.formats == ("pytorch", "onnx", "tflite", "openvino", "coreml")


def test_every_listed_name_is_answered(adb: Path) -> None:
    assert set(phones()) < set(names())
    for name in names():
        device = select(name)
        assert device.name == name
        if isinstance(device, NotAttached):
            assert device.looked_for.endswith(".")
            assert device.advice.endswith(".")


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no device 'nokia3310'; there are: desktop, .*pixel2"):
        select("nokia3310")


def test_a_phone_that_is_not_there_says_what_was_looked_for_and_what_to_do(adb: Path) -> None:
    phone = select("pixel2")
    assert isinstance(phone, NotAttached)
    assert "Google Pixel 2" in phone.looked_for
    assert "none at all" in phone.looked_for
    assert "USB debugging" in phone.advice


@pytest.mark.parametrize(("name", "estimable"), [("pixel2", True), ("galaxy-s23", False), ("iphone7", True)])
def test_a_phone_that_is_not_there_has_other_ways_to_a_figure(adb: Path, name: str, estimable: bool) -> None:
    phone = select(name)
    assert isinstance(phone, NotAttached)
    assert (f"--device {name} --estimate" in phone.instead) == estimable
    assert "--device web" in phone.instead
    assert phone.formats == (("coreml",) if name == "iphone7" else ("tflite",))
    assert phone.units == phones()[name].units


def test_an_estimate_never_goes_by_the_phones_own_name() -> None:
    device = estimated("pixel2")
    assert device.name == f"{ESTIMATE}pixel2"
    again = select(device.name)
    assert type(again) is type(device)
    assert again.name == device.name


@pytest.mark.parametrize("name", ["galaxy-s23", "nokia3310"])
def test_a_phone_without_published_times_is_refused_with_those_that_have_them(name: str) -> None:
    with pytest.raises(ValueError, match=f"nobody published times on '{name}'.*; there are some of pixel, pixel2, "):
        estimated(name)


def test_without_the_emulator_there_is_no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulator, "QEMU", "qemu-that-is-not-there")
    device = estimated("pixel2")
    assert isinstance(device, NotAttached)
    assert "installs it" in device.looked_for
    with pytest.raises(typer.Exit) as ended:
        attached([device])
    assert ended.value.exit_code == NOT_MEASURED


def test_an_attached_phone_is_found_by_its_name_and_by_its_serial(adb: Path) -> None:
    adb.write_text(LISTING.format(PIXEL.format(state="device")))
    for name in ("pixel2", "adb:HT7"):
        phone = select(name)
        assert isinstance(phone, Attached)
        assert phone.formats == ("tflite",)
        assert phone.runner().cpus == 0xF0  # type: ignore[union-attr]


def test_another_phone_than_the_one_asked_for_is_named(adb: Path) -> None:
    adb.write_text(LISTING.format(PIXEL.format(state="device")))
    phone = select("pixel8")
    assert isinstance(phone, NotAttached)
    assert "Google Pixel 2, serial HT7" in phone.looked_for


def test_a_phone_that_has_not_been_allowed_yet_says_so(adb: Path) -> None:
    adb.write_text(LISTING.format(PIXEL.format(state="unauthorized")))
    phone = select("pixel2")
    assert isinstance(phone, NotAttached)
    assert "accept the prompt" in phone.advice


def test_phones_that_no_name_leads_to_are_listed_by_their_serials(adb: Path) -> None:
    lines = [
        PIXEL.format(state="device"),
        PIXEL.format(state="device").replace("HT7", "HT8"),
        "ZX1 device usb:1-2 product:p model:Some_Phone device:some transport_id:2",
        "NEW unauthorized usb:1-3 transport_id:3",
    ]
    adb.write_text(LISTING.format("\n".join(lines)))
    assert [name for name in unnamed() if name.startswith("adb:")] == ["adb:HT8", "adb:ZX1", "adb:NEW"]
    stranger, prompted = select("adb:ZX1"), select("adb:NEW")
    assert isinstance(stranger, Attached)
    assert stranger.description == "Some Phone, serial ZX1"
    assert isinstance(prompted, NotAttached)
    assert "accept the prompt" in prompted.advice


def test_one_phone_by_two_names_is_wrong_usage(adb: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adb.write_text(LISTING.format(PIXEL.format(state="device")))
    with pytest.raises(typer.Exit) as ended:
        attached(asked_for(["pixel2", "adb:HT7,desktop"], estimate=False))
    assert ended.value.exit_code == WRONG_USAGE
    assert "pixel2 and adb:HT7 are one device" in capsys.readouterr().err
