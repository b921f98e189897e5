"""The real pymobiledevice3 against the same iPhone. Heavy and optional: skipped where it is not on the PATH."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices.contract import Cell, Job
from devices.ios import usbmux
from devices.ios.link import Missing, call
from devices.ios.runner import IPhone
from devices.ios.usbmux import Pymobiledevice3, parse_list
from tests.devices.ios.conftest import LIMITS
from tests.devices.ios.harness import Harness, masks
from tests.devices.ios.usbmuxd import BUNDLE, UDID, Usbmuxd

pytestmark = pytest.mark.slow


@pytest.fixture
def pymobile(phone: Usbmuxd) -> Pymobiledevice3:
    if not (program := usbmux.pymobiledevice3()):
        pytest.skip("pymobiledevice3 is not on the PATH")
    return Pymobiledevice3(UDID, program)


def test_a_phone_is_listed_and_a_file_that_is_not_there_is_missed(pymobile: Pymobiledevice3, tmp_path: Path) -> None:
    (listed,) = parse_list(call([pymobile.program, "usbmux", "list", "--usb"], 60).stdout)
    assert (listed.udid, listed.product, listed.system, listed.advice) == (UDID, "iPhone9,1", "15.8.2", None)
    assert pymobile.bundle == BUNDLE
    with pytest.raises(Missing):
        pymobile.pull("answer/status.json", tmp_path / "status.json", 60)


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
