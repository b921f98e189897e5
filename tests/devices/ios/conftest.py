"""A small network as a Core ML package, and an iPhone behind a loopback usbmuxd."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from converters.artifact import Spec
from devices.contract import Cell, Counts, Job
from devices.ios import imobiledevice
from devices.ios.runner import Limits
from devices.ios.usbmux import Libimobiledevice
from tests.conftest import need
from tests.devices.ios.harness import Harness
from tests.devices.ios.usbmuxd import UDID, Usbmuxd

RESOLUTION = (64, 64)
SEQUENCES = (2, 1)
COUNTS = Counts(warm_up_least=1, warm_up_seconds=0.01, samples=3, seconds=0.01)
LIMITS = Limits(nominal=0, come_back=5, start=5, poll=0.02, pull=20, push=20)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch

    from converters import coreml
    from models.hourglass import Hourglass
    from models.variant import Variant

    need(coreml.available())
    torch.manual_seed(0)
    network = Hourglass(Variant(depths=(1, 1, 1))).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
    # A dense head begins as a pass-through; this one looks at the picture and at the mask before.
    torch.nn.init.normal_(network.head.final.weight)  # type: ignore[arg-type, union-attr]
    out = tmp_path_factory.mktemp("model") / "shallow.mlpackage"
    return coreml.convert(network, Spec("shallow", Path(), "", "coreml", "fp32", RESOLUTION), out, None)


@pytest.fixture
def job(model: Path, tmp_path: Path) -> Job:
    y, x = np.mgrid[: RESOLUTION[0], : RESOLUTION[1]]
    waves = [128 + 127 * np.sin(x / (5 + i) + c) * np.cos(y / (7 - i)) for i in range(3) for c in range(3)]
    frames = np.stack(waves, -1).reshape(*RESOLUTION, 3, 3).transpose(2, 0, 1, 3).astype(np.uint8)
    np.ascontiguousarray(frames).tofile(tmp_path / "frames.u8")
    return Job(model, "coreml", "fp32", RESOLUTION, tmp_path / "frames.u8", SEQUENCES, counts=COUNTS)


@pytest.fixture
def cell() -> Cell:
    return Cell("shallow", "coreml", "fp32", RESOLUTION, "iphone7")


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
