"""The real pymobiledevice3 against the same iPhone; `make pymobiledevice3` installs it apart from everything else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices.contract import Cell, CellFailed, Job
from devices.ios import usbmux
from devices.ios.link import Missing, call
from devices.ios.runner import IPhone
from devices.ios.usbmux import Pymobiledevice3, parse_list
from tests.conftest import need
from tests.devices.ios.conftest import LIMITS
from tests.devices.ios.harness import Harness, masks
from tests.devices.ios.usbmuxd import BUNDLE, UDID, Usbmuxd


@pytest.fixture
def pymobile(phone: Usbmuxd) -> Pymobiledevice3:
    program = usbmux.pymobiledevice3()
    need(None if program else "pymobiledevice3 is not installed (make pymobiledevice3)")
    return Pymobiledevice3(UDID, str(program))


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
    with pytest.raises(CellFailed, match=r"usbmuxd does not answer \(pymobiledevice3 said: Failed to connect"):
        parse_list(done.stdout, done.stderr)


def test_a_cell_is_measured_when_the_app_is_opened_by_hand(
    pymobile: Pymobiledevice3, harness: Harness, cell: Cell, job: Job
) -> None:
    """The loopback has no instruments server, through which pymobiledevice3 starts apps."""
    harness.patience = 120
    harness.launch()
    limits = replace(LIMITS, pull=60, push=60, start=60)
    result = IPhone(pymobile, 15, limits, attempts=1).run(cell, job)
    np.testing.assert_array_equal(result.masks, masks(job))
    assert result.environment.facts["launch"] == "opened by hand"
