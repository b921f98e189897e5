"""A small network, its TFLite file, and an Android phone on the loopback, reached by the real adb client."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from converters.artifact import Precision, Spec
from devices.android.adb import Adb, NoAdb, binary
from devices.contract import Cell, Counts, Job
from models.peer import Peer
from tests.conftest import need
from tests.devices.android.adbd import Adbd

TRANSCRIPTS = Path(__file__).resolve().parents[2] / "transcripts" / "android"
RESOLUTION = (64, 64)
SEQUENCES = (2, 1)
COUNTS = Counts(warm_up_least=1, warm_up_seconds=0.01, samples=3, seconds=0.01)


def transcript(name: str) -> str:
    return (TRANSCRIPTS / name).read_text()


@pytest.fixture(scope="session")
def qemu() -> str:
    """The emulator, with a kit for it."""
    from devices import emulator
    from devices.runner import build

    need(emulator.available())
    try:
        build.build()
        build.build_plugin(emulator.QEMU)
    except build.CannotBuild as reason:
        need(str(reason))
    return emulator.QEMU


def convert(folder: Path, precision: Precision, previous_mask: bool = True) -> Path:
    """A shallow network of the family with random weights as TFLite: of every kind of operator, quick to convert."""
    import torch

    from converters import tflite
    from models.hourglass import Hourglass
    from models.variant import Variant

    torch.manual_seed(0)
    network = Hourglass(Variant(depths=(1, 1, 1), previous_mask=previous_mask)).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
    # A dense head begins as a pass-through; this one looks at the picture and at the mask before.
    torch.nn.init.normal_(network.head.final.weight)  # type: ignore[arg-type, union-attr]
    rng = np.random.default_rng(0)
    calibration = [
        (rng.random((1, *RESOLUTION, 3), np.float32), rng.random((1, *RESOLUTION, 1), np.float32)) for _ in range(3)
    ]
    spec = Spec("shallow", folder, "", "tflite", precision, RESOLUTION)
    out = folder / f"{precision}.tflite"
    return tflite.convert(network, spec, out, calibration if precision == "int8" else None)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(tmp_path_factory.mktemp("model"), "fp32")


@pytest.fixture(scope="session")
def somebody_elses(tmp_path_factory: pytest.TempPathFactory) -> tuple[Peer, Path]:
    """A model that knows no previous mask, as an entry of peers.toml, and its file."""
    model = convert(tmp_path_factory.mktemp("peer"), "fp32", previous_mask=False)
    return Peer("other", model.name, "0" * 64, "CC0", RESOLUTION, "probabilities"), model


@pytest.fixture
def frames() -> np.ndarray:
    """Three frames with large shapes in them: masks of noise would all look alike."""
    y, x = np.mgrid[: RESOLUTION[0], : RESOLUTION[1]]
    waves = [128 + 127 * np.sin(x / (5 + i) + c) * np.cos(y / (7 - i)) for i in range(3) for c in range(3)]
    return np.stack(waves, -1).reshape(*RESOLUTION, 3, 3).transpose(2, 0, 1, 3).astype(np.uint8)


@pytest.fixture
def job(model: Path, frames: np.ndarray, tmp_path: Path) -> Job:
    frames.tofile(tmp_path / "frames.u8")
    return Job(model, "tflite", "fp32", RESOLUTION, tmp_path / "frames.u8", SEQUENCES, counts=COUNTS)


@pytest.fixture
def cell() -> Cell:
    return Cell("shallow", "tflite", "fp32", RESOLUTION, "pixel2")


@pytest.fixture
def wanted(job: Job, frames: np.ndarray) -> np.ndarray:
    """The masks this machine's LiteRT makes of the same job."""
    from converters import tflite
    from frames.score import predict

    return predict(tflite.load(job.model), frames, job.sequences)


@pytest.fixture
def without_feedback(job: Job, frames: np.ndarray) -> np.ndarray:
    """The same when every frame starts from an empty mask."""
    from converters import tflite
    from frames.score import predict

    return predict(tflite.load(job.model), frames, job.sequences, prev="empty")


@pytest.fixture(scope="session")
def adb_server() -> Iterator[str]:
    """The adb binary, with a server of its own: one that the user runs is left alone."""
    try:
        adb = binary()
    except NoAdb as reason:
        need(str(reason))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    before = os.environ.get("ANDROID_ADB_SERVER_PORT")
    os.environ["ANDROID_ADB_SERVER_PORT"] = str(port)
    yield adb
    subprocess.run([adb, "kill-server"], capture_output=True, timeout=30, check=False)
    if before is None:
        del os.environ["ANDROID_ADB_SERVER_PORT"]
    else:
        os.environ["ANDROID_ADB_SERVER_PORT"] = before


@pytest.fixture
def make_phone(adb_server: str, tmp_path: Path) -> Iterator:
    """Makes a Pixel 2 that is attached to adb's server, with the features it is given."""
    phones: list[Adbd] = []

    def make(**options: str) -> Adbd:
        phone = Adbd(tmp_path / f"phone{len(phones)}", **options)  # type: ignore[arg-type]
        phones.append(phone)
        phone.command("getprop", transcript("pixel2.getprop"))
        phone.command("dumpsys", transcript("pixel2.battery"), "battery")
        phone.command("dumpsys", transcript("pixel2.thermal"), "thermalservice")
        phone.command("settings", "0\n")
        phone.command("grep", transcript("pixel2.clocks"))
        done = subprocess.run(
            [adb_server, "connect", phone.serial], capture_output=True, text=True, timeout=30, check=True
        )
        assert "connected to" in done.stdout, done.stdout
        return phone

    yield make
    for phone in phones:
        subprocess.run([adb_server, "disconnect", phone.serial], capture_output=True, timeout=30, check=False)
        phone.close()
        shutil.rmtree(phone.root)


@pytest.fixture
def phone(make_phone) -> Adbd:
    return make_phone()


@pytest.fixture
def adb(phone: Adbd, adb_server: str) -> Adb:
    return Adb(phone.serial, adb_server)
