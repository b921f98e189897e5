"""The real pymobiledevice3 against the same iPhone; `make pymobiledevice3` installs it apart from everything else.

A whole configuration by it is in tests/devices/test_reference.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.contract import MeasurementFailed
from devices.ios import usbmux
from devices.ios.link import Missing, call
from devices.ios.usbmux import Pymobiledevice3, parse_list
from tests.devices.ios.usbmuxd import BUNDLE, UDID, Usbmuxd


def test_a_program_of_the_users_own_comes_before_the_one_installed_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    apart, own = tmp_path / "apart" / "pymobiledevice3", tmp_path / "own" / "pymobiledevice3"
    monkeypatch.setattr(usbmux, "APART", apart)
    monkeypatch.setenv("PATH", str(own.parent))
    assert usbmux.pymobiledevice3() is None
    for program in (apart, own):
        program.parent.mkdir()
        program.touch(mode=0o755)
        assert usbmux.pymobiledevice3() == str(program)


def test_a_phone_is_listed_and_a_file_that_is_not_there_is_missed(pymobile: Pymobiledevice3, tmp_path: Path) -> None:
    (listed,) = parse_list(call([pymobile.program, "usbmux", "list", "--usb"], 60).stdout)
    assert (listed.udid, listed.product, listed.system, listed.advice) == (UDID, "iPhone9,1", "15.8.2", None)
    assert pymobile.bundle == BUNDLE
    with pytest.raises(Missing):
        pymobile.pull("answer/status.json", tmp_path / "status.json", 60)


def test_a_usbmuxd_that_is_not_there_is_said(pymobile: Pymobiledevice3, phone: Usbmuxd) -> None:
    phone.close()
    done = call([pymobile.program, "usbmux", "list", "--usb"], 60)
    with pytest.raises(MeasurementFailed, match=r"usbmuxd does not answer \(pymobiledevice3 said: Failed to connect"):
        parse_list(done.stdout, done.stderr)
