"""The text of a row's QR code: what it is read back into, and what of it is refused."""

from __future__ import annotations

import base64
import copy
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from reports import contributed, short_row
from reports.contributed import NotBelieved
from reports.summary import Summary
from tests.reports.test_contributed import BEGAN, KNOWN, NOW, OWN, REFERENCE, RESOLUTION, VARIANT

AGENT = "Mozilla/5.0 (Linux; Android 15; K) Chrome/140.0.0.0"
VALUES: list[Any] = [
    "0123456789abcdef",
    BEGAN,
    BEGAN + 20_000,
    KNOWN.sample,
    ["2026-11-27", "0123456789ab"],
    [30, 1, 50, 0.5],
    [VARIANT, "tflite", "fp32", *RESOLUTION],
    [OWN["sha256"][:16], OWN["data_sha256"][:16]],
    ["cpu", 1, "LiteRT.js 2.5.3", "XNNPACK in WebAssembly, SIMD"],
    [AGENT, "Pixel 8", "Android 15", False, 8, 8, True, None, None, 5000, False, True, True, 0.9, 16.7],
    [100, 1.0, True],
    260,
    [5000 + i % 7 for i in range(25)],
    [10_000] * 10,
    [40_000, 9000],
    [[9000, 8000, 7000], [8000, 7000, 9000]],
    3.0,
    ["mediapipe-selfie", REFERENCE["sha256"][:16], [[i % 2, 4000, 4000 + i, 8000, 8000] for i in range(15)]],
]


def coded(values: Any) -> str:
    packed = base64.urlsafe_b64encode(zlib.compress(json.dumps(values).encode())).decode().rstrip("=")
    return short_row.PREFIX + packed


def rows_of(values: list[Any]) -> tuple[Any, list[str]]:
    return contributed.rows(short_row.completed(short_row.read(coded(values)), KNOWN), KNOWN, NOW)


def test_a_code_becomes_the_row_of_the_whole_file() -> None:
    (row,), refused = rows_of(VALUES)
    assert refused == []
    assert (row.run, row.device, row.evidence) == ("web-0123456789abcdef", "web:Pixel 8 Chrome 140", "contributed")
    assert row.artifact["sha256"] == OWN["sha256"]
    assert [name for name, _, _ in row.accuracy["per_image"]] == ["clip/0", "clip/1", "still"]
    assert row.accuracy["iou"] == pytest.approx(0.8)
    assert (row.environment["page_short_row"], row.environment["page_samples_measured"]) == (True, 260)
    shown = Summary(row)
    assert shown.contributed_model
    assert shown.contributed_model.fps == pytest.approx(200, rel=0.01)
    assert shown.contributed_ratio
    assert shown.contributed_ratio.times == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (6, ["nobody", "tflite", "fp32", *RESOLUTION], "is no network of this page"),
        (7, ["f" * 16, "d" * 16], "has another hash"),
        (7, ["", "d" * 16], "has another hash"),
        (7, ["a" * 16, "e" * 16], "ran on other pictures"),
        (12, [5000] * 25, "all its samples are equal"),
        (15, [[9000, 8000, 1000], [8000, 7000, 9000]], "its mask of still is not the one"),
        (15, [[9000, 8000], [8000, 7000]], "lacks the figures of its masks"),
        (15, [[], []], "lacks the figures of its masks"),
        (17, ["mediapipe-selfie", "f" * 16, [[0, 1, 1, 2, 2]]], "that has another hash"),
    ],
)
def test_a_row_that_does_not_agree_is_refused(place: int, value: Any, reason: str) -> None:
    values = copy.deepcopy(VALUES)
    values[place] = value
    taken, refused = rows_of(values)
    assert taken == []
    assert reason in refused[0]


@pytest.mark.parametrize(
    "code",
    [
        coded(VALUES)[:-20],
        coded(VALUES[:-1]),
        coded({"id": 1}),
        coded([*VALUES[:9], [AGENT], *VALUES[10:]]),
        coded([*VALUES[:12], ["fast"], *VALUES[13:]]),
        coded("0" * 200_000),
        short_row.PREFIX + "A",
    ],
)
def test_a_damaged_code_is_one_sentence(code: str) -> None:
    with pytest.raises(NotBelieved, match="its code is damaged, or of another version"):
        short_row.read(code)


def test_a_code_is_found_in_an_address_a_text_file_and_nowhere_else(tmp_path: Path) -> None:
    code = coded(VALUES)
    assert short_row.code_of(Path(f"https://example.org/#{code}")) == code
    (tmp_path / "scanned.txt").write_text(f"{code}\n")
    assert short_row.code_of(tmp_path / "scanned.txt") == code
    (tmp_path / "rows.json").write_text(json.dumps({"id": code}))
    assert short_row.code_of(tmp_path / "rows.json") is None
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(tmp_path / "wall.png")
    with pytest.raises(NotBelieved, match="no QR code can be read"):
        short_row.code_of(tmp_path / "wall.png")
