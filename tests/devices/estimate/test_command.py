"""`bench.py --estimate` as its user meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devices import instructions
from tests.conftest import ROOT, need


def bench(*arguments: str | Path, path: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "bench.py"), *map(str, arguments)]
    environment = os.environ | ({"PATH": path} if path else {})
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=900)


@contextmanager
def busy() -> Iterator[None]:
    """Every processor of this machine at work."""
    spin = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_an_estimate_is_the_same_to_the_byte_on_a_busy_machine(tmp_path: Path) -> None:
    need(instructions.available())
    asked = ("--device", "pixel2", "--estimate", "--variants", "live", "--frames", "4", "--json", "--out")
    idle = bench(*asked, tmp_path / "idle")
    assert idle.returncode == 0, idle.stderr
    with busy():
        loaded = bench(*asked, tmp_path / "loaded")
    configurations = json.loads(idle.stdout)["cells"]
    assert configurations[0]["evidence"] == "estimated"
    assert (
        configurations[0]["estimate"]["low"]
        < configurations[0]["estimate"]["milliseconds"]
        < configurations[0]["estimate"]["high"]
    )
    assert idle.stdout.replace(str(tmp_path / "idle"), "") == loaded.stdout.replace(str(tmp_path / "loaded"), "")


def test_without_the_emulator_one_sentence_says_what_installs_it(tmp_path: Path) -> None:
    done = bench("--device", "pixel2", "--estimate", "--out", tmp_path, path=str(tmp_path))
    assert done.returncode == 3
    assert done.stdout == ""
    assert "installs it" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_unknown_phone_is_one_sentence_with_the_known_ones() -> None:
    done = bench("--device", "nokia3310", "--estimate")
    assert done.returncode == 64
    assert len(done.stderr.splitlines()) == 1
    assert "pixel2, pixel3a, pixel4" in done.stderr


def test_a_plan_needs_no_phone(tmp_path: Path) -> None:
    done = bench("--device", "pixel2", "--dry-run", "--variants", "live", path=str(tmp_path))
    assert done.returncode == 0
    assert done.stdout.startswith("live/tflite/fp32/256x240/pixel2/cpu1\n")
    assert "pixel2: not attached" in done.stderr
    assert "--estimate" in done.stderr
    assert "--device web" in done.stderr
