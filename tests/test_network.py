"""Nothing calls home and nothing is left about: look-ups and connections are refused and noted, also those of native
code, and so is every file that is opened for writing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from converters.registry import cannot_run, converter
from tests.conftest import ROOT, need
from tests.converters.inspection.graphs import plain
from tests.video.made import video

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")

SUFFIXES = {"tflite": "tflite", "onnx": "onnx", "openvino": "xml", "coreml": "mlpackage"}
SIZE = "64x64"

Run = Callable[..., str]


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ziglang")
    made = tmp_path_factory.mktemp("calls") / "calls.so"
    compiler = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
    subprocess.run([*compiler, str(ROOT / "tests/calls.c"), "-o", str(made)], check=True)
    return made


@pytest.fixture(scope="session")
def kit() -> None:
    """What counts ARM instructions here is fetched, once, which is said: it is there before calls are refused."""
    from devices import emulator
    from devices.aarch64_runner import build

    if emulator.available() is None:
        build.build()
        build.build_plugin(emulator.QEMU)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for part in ("images", "masks"):
        (tmp_path / "data" / part).mkdir(parents=True)
    for i in range(3):
        picture = np.full((64, 64, 3), (20, 20, 200), np.uint8)
        mask = np.zeros((64, 64), np.uint8)
        picture[20:, 10 + i : 40], mask[20:, 10 + i : 40] = (220, 20, 20), 255
        Image.fromarray(picture).save(tmp_path / f"data/images/{i}.png")
        Image.fromarray(mask).save(tmp_path / f"data/masks/{i}.png")
    return tmp_path / "data"


@pytest.fixture
def noted(tmp_path: Path, library: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """What was refused, and what was written elsewhere than into --out, the cache and a temporary folder.

    The home folder is empty.
    """
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    for name in (
        "CI",
        "ORT_DISABLE_TELEMETRY",
        "MPLCONFIGDIR",
        "TORCHINDUCTOR_CACHE_DIR",
        "XDG_CONFIG_HOME",
        "XDG_DATA_HOME",
        "XDG_STATE_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv("LD_PRELOAD", str(library))
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    own = (tmp_path / "out", tmp_path / "tmp", tmp_path / "cache" / "segmentation-bench")
    # Where the system keeps no files.
    system = tuple(map(Path, ("/dev", "/proc", "/sys")))

    def noted() -> list[str]:
        calls = (tmp_path / "calls").read_text(errors="replace") if (tmp_path / "calls").exists() else ""
        found = []
        for line in calls.splitlines():
            what, _, about = line.partition(" ")
            path = Path(os.path.normpath(about))
            if what != "write" or not any(path.is_relative_to(root) for root in (*own, *system)):
                found.append(line)
        made = (tmp_path / "cache", tmp_path / "cache" / "segmentation-bench", tmp_path / "out")
        return [line for line in found if line not in {f"write {path}" for path in made}]

    return noted


def run(*words: object, codes: tuple[int, ...] = (0,)) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode in codes, done.stderr
    return done.stdout


def test_the_test_sees_calls_and_files(noted, tmp_path):
    made = tmp_path / "home" / "made"
    call = "import socket, subprocess, sys; subprocess.run(['sh', '-c', f'echo > {sys.argv[1]}']); "
    run("-c", call + "socket.getaddrinfo('example.org', 80)", made, codes=(1,))
    run("-c", "import socket; socket.socket().connect(('192.0.2.1', 80))", codes=(1,))
    assert noted() == [f"write {made}", "look-up example.org", "connect 192.0.2.1"]


def test_a_model_is_judged_and_used_without_a_call(noted, data, tmp_path):
    model, out = plain(tmp_path / "model.onnx"), tmp_path / "out"
    out.mkdir()
    run("bench.py", "evaluate", model, "--data", data)
    film = video(tmp_path / "film.mp4", 4, (64, 64))
    run("segment.py", film, "--blur", "--model", model, "-o", out / "made.mp4")
    check(noted, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("format", SUFFIXES)
def test_no_command_calls_anybody_or_leaves_files_about(kit, noted, data, tmp_path, format):
    need(converter(format).available() or cannot_run(format))
    out = tmp_path / "out"
    out.mkdir()
    for precision in ("fp32", "int8"):
        shape = ("--format", format, "--precision", precision, "--resolution", SIZE)
        model = out / f"{precision}.{SUFFIXES[format]}"
        run("bench.py", "convert", "live", *shape, "--out", model)
        run("bench.py", "evaluate", model, "--data", data)
    film = video(tmp_path / "film.mp4", 4, (64, 64))
    run("segment.py", film, "--blur", "--model", model, "-o", out / "made.mp4")
    chosen = ("--variants", "live", "--formats", format, "--precisions", "fp32", "--references", "none")
    run("bench.py", *chosen, "--resolution", SIZE, "--quick", "--data", data, "--out", out / "run")
    run("bench.py", "report", out / "run", "--out", out / "page.html")
    if format != "coreml":  # Nothing times it here.
        declared = tmp_path / "gate.toml"
        declared.write_text(f'[[configuration]]\nvariant = "live"\nformat = "{format}"\nresolution = [64, 64]\n')
        gate = ("bench.py", "gate", "--configurations", declared)
        run(*gate, "--save", out / "saved")
        ended = (0, 1, 2)
        run(*gate, "--baseline", out / "saved", "--seconds", 1, "--data", data, "--out", out / "gate", codes=ended)
    check(noted, tmp_path)


def check(noted: Callable[[], list[str]], root: Path) -> None:
    assert noted() == [], noted()
    assert list((root / "home").iterdir()) == []
    assert list((root / "tmp").iterdir()) == []
