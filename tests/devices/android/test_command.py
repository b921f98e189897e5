"""The whole command on phones and on the emulator: artifacts, devices, rows, page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from devices.android.home import HOME
from tests.test_bench import bench, pictures, rows_in, weights

__all__ = ["pictures", "weights"]
pytestmark = pytest.mark.slow


@pytest.fixture
def asked(weights: Path, pictures: Path, tmp_path: Path) -> tuple[str | Path, ...]:
    shape = ("--variants", "s16-skip-plain", "--resolution", "64x64", "--frames", "2", "--quick")
    return (*shape, "--checkpoints", weights, "--data", pictures, "--out", tmp_path / "out")


def test_two_phones_at_once_of_which_one_is_full(
    make_phone, qemu: str, asked: tuple[str | Path, ...], tmp_path: Path
) -> None:
    good, full = make_phone(), make_phone()
    full.faults.room = 1000
    done = bench("--device", f"adb:{good.serial},adb:{full.serial}", "--device", "pixel9", "--json", *asked)
    assert done.returncode == 0, done.stderr
    assert "pixel9: not attached." in done.stderr
    configurations = {cell["device"]: cell for cell in json.loads(done.stdout)["cells"]}
    assert configurations[f"adb:{good.serial}"]["evidence"] == "measured"
    assert configurations[f"adb:{good.serial}"]["model"]["fps"] > 0
    assert configurations[f"adb:{good.serial}"]["iou"] is not None
    assert configurations[f"adb:{full.serial}"]["status"] == "failed"
    assert "its disk is full" in configurations[f"adb:{full.serial}"]["reason"]
    assert any(HOME in command for command in good.commands)


def test_the_emulator_gives_masks_and_instructions_and_no_speed(
    qemu: str, asked: tuple[str | Path, ...], tmp_path: Path
) -> None:
    done = bench("--device", "arm64-emulator", *asked)
    assert done.returncode == 0, done.stderr
    (row,) = rows_in(tmp_path / "out")
    count = row["timing"]["instructions_per_frame"]
    assert row["evidence"] == "emulated"
    assert row["accuracy"]["images"] == 2
    assert row["accuracy"]["from_host"]["max_difference"] < 1e-4
    assert row["timing"]["model_ns"] == row["timing"]["pipeline_ns"] == []
    assert f"{count:,}" in done.stdout
    assert "FPS" not in done.stdout
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"{count:,}" in page
    assert not re.search(r'<section id="pareto">', page)
