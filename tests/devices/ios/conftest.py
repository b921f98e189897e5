"""A small network as a Core ML package, and an iPhone behind a loopback usbmuxd."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices import job as jobs
from devices.contract import Config, Job
from devices.ios import imobiledevice
from devices.ios.runner import Limits
from devices.ios.usbmux import Libimobiledevice, Pymobiledevice3, pymobiledevice3
from tests.conftest import need, need_coreml
from tests.devices.ios.harness import Harness
from tests.devices.ios.usbmuxd import UDID, Usbmuxd
from tests.devices.shallow import COUNTS, RESOLUTION, SEQUENCES, convert, waves

LIMITS = Limits(nominal=0, come_back=5, start=5, poll=0.02, pull=20, push=20)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    need_coreml()
    return convert(tmp_path_factory.mktemp("model"), "coreml")


@pytest.fixture
def job(model: Path, tmp_path: Path) -> Job:
    frames = jobs.write_frames(tmp_path / "frames.u8", waves())
    return Job(Config("shallow", "coreml", resolution=RESOLUTION), model, frames, SEQUENCES, COUNTS)


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path / "container" / "Documents")


@pytest.fixture
def phone(tmp_path: Path, harness: Harness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Usbmuxd]:
    """An iPhone 7 that usbmuxd knows: every client in this process's environment is led to it."""
    phone = Usbmuxd(harness.documents, harness)
    monkeypatch.setenv("USBMUXD_SOCKET_ADDRESS", phone.address)
    yield phone
    phone.close()


@pytest.fixture
def link(phone: Usbmuxd) -> Libimobiledevice:
    for tool in ("idevice_id", "ideviceinfo", "idevicedebug"):
        need(None if shutil.which(tool) else f"{tool} is not installed (apt: libimobiledevice-utils)")
    need(None if imobiledevice.shared_library() else "the library libimobiledevice is not installed")
    return Libimobiledevice(UDID)


@pytest.fixture
def pymobile(phone: Usbmuxd) -> Pymobiledevice3:
    program = pymobiledevice3()
    need(None if program else "pymobiledevice3 is not installed (make pymobiledevice3)")
    return Pymobiledevice3(UDID, str(program))
