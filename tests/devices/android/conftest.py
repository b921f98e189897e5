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

from devices.android.adb import Adb, NoAdb, binary
from devices.contract import Config, Job
from models.reference import ReferenceModel
from models.variant import Variant
from tests.conftest import need
from tests.devices.android.adbd import Adbd
from tests.devices.shallow import COUNTS, RESOLUTION, SEQUENCES, convert, waves

TRANSCRIPTS = Path(__file__).resolve().parents[2] / "transcripts" / "android"


def transcript(name: str) -> str:
    return (TRANSCRIPTS / name).read_text()


@pytest.fixture(scope="session")
def model(shallow_tflite: Path) -> Path:
    return shallow_tflite


@pytest.fixture(scope="session")
def somebody_elses(tmp_path_factory: pytest.TempPathFactory) -> tuple[ReferenceModel, Path]:
    """A model that knows no previous mask, as an entry of references.toml, and its file."""
    model = convert(tmp_path_factory.mktemp("theirs"), "tflite", variant=Variant(depths=(0, 0, 0), previous_mask=False))
    return ReferenceModel("other", model.name, "0" * 64, "CC0", RESOLUTION, "probabilities"), model


@pytest.fixture
def frames() -> np.ndarray:
    return waves()


@pytest.fixture
def job(model: Path, frames: np.ndarray, tmp_path: Path) -> Job:
    frames.tofile(tmp_path / "frames.u8")
    return Job(Config("shallow", "tflite", resolution=RESOLUTION), model, tmp_path / "frames.u8", SEQUENCES, COUNTS)


@pytest.fixture
def wanted(job: Job, frames: np.ndarray) -> np.ndarray:
    """The masks this machine's LiteRT makes of the same job."""
    from converters import tflite
    from evaluation.score import predict

    return predict(tflite.load(job.model), frames, job.sequences)


@pytest.fixture
def without_feedback(job: Job, frames: np.ndarray) -> np.ndarray:
    """The same when every frame starts from an empty mask."""
    from converters import tflite
    from evaluation.score import predict

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
