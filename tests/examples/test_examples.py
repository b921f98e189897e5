"""Every script in examples/, run as its first line says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from evaluation.iou import iou
from evaluation.sample import portrait
from reports.rows import append
from tests.conftest import ROOT
from tests.reports.made_up import row
from tests.video.made import decoded

SCRIPTS = sorted((ROOT / "examples").glob("*.py"))


def run(script: str, *arguments: Path | str) -> str:
    """What a script printed; it must end well."""
    command = [sys.executable, "-m", f"examples.{script}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_is_short_and_tested_here(script: Path) -> None:
    assert len(script.read_text().splitlines()) <= 20
    assert f'run("{script.stem}"' in Path(__file__).read_text()


def test_the_mask_of_a_picture_is_the_person(tmp_path: Path) -> None:
    picture, label = portrait()
    cv2.imwrite(str(tmp_path / "me.png"), picture[:, :, ::-1])
    run("segment_picture", tmp_path / "me.png", tmp_path / "mask.png")
    mask = cv2.imread(str(tmp_path / "mask.png"), cv2.IMREAD_GRAYSCALE)
    assert mask is not None
    assert iou(mask / 255, label) > 0.9


def test_the_video_keeps_its_person_and_loses_its_background(tmp_path: Path) -> None:
    picture, label = portrait()
    height, width = 240, round(240 * picture.shape[1] / picture.shape[0] / 2) * 2
    small = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    checks = np.indices((height, width)).sum(0) // 4 % 2 * 255  # what a blur takes away
    behind = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST) == 0
    small[behind] = checks[behind, None]
    with av.open(str(tmp_path / "me.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for _ in range(4):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(small, "rgb24")))
        container.mux(stream.encode(None))
    run("blur_video", tmp_path / "me.mp4", tmp_path / "out.mp4")
    frames = [frame for _, frame in decoded(tmp_path / "out.mp4")]
    assert [frame.shape for frame in frames] == [small.shape] * 4
    corner = (slice(0, 32), slice(0, 32))
    assert behind[corner].all()
    assert frames[-1][corner].std() < small[corner].std() / 4
    inside = cv2.erode((~behind).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert np.abs(frames[-1][inside].astype(int) - small[inside]).mean() < 5


def test_the_front_is_drawn_and_printed(tmp_path: Path) -> None:
    for variant in ("s4-skip-dense", "s16-skip-plain", "s32-noskip-dense"):
        append(tmp_path / "rows.jsonl", row(variant))
    append(tmp_path / "rows.jsonl", row("s32-skip-plain", status="failed", reason="made up"))
    told = run("pareto", tmp_path / "rows.jsonl", tmp_path / "front.png")
    assert cv2.imread(str(tmp_path / "front.png")) is not None
    assert "s16-skip-plain" in told
    assert "s32" not in told  # slower and less accurate than the first, and failed


def test_a_model_file_is_measured(tmp_path: Path) -> None:
    told = run("measure_file", ROOT / "models/references/mediapipe-selfie/selfie_segmentation.tflite")
    found = re.match(r"([\d.]+) ms a frame in the median, ([\d.]+) in 90 %, (\d+) FPS; .*LiteRT", told)
    assert found, told
    median, most, fps = map(float, found.groups())
    assert 0 < median <= most
    assert fps == pytest.approx(1000 / median, abs=1 + 1000 / median * 0.01)
