"""What is believed of rows that somebody sent, and where the page shows them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.variant import get
from reports import contributed
from reports.contributed import Known, NotBelieved
from reports.page import render
from reports.record import Run
from reports.rows import append, from_json, read, to_json
from reports.summary import Summary
from tests.reports.made_up import row

NOW = datetime(2026, 11, 27, 13, tzinfo=UTC)
BEGAN = int(datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp() * 1000)
VARIANT = "s16-skip-plain"
RESOLUTION = list(get(VARIANT).resolution)
PER_IMAGE = [["clip/0", 0.9, 0.8], ["clip/1", 0.8, 0.7], ["still", 0.7, 0.9]]
EXPECTED = {"iou": 0.8, "boundary_f": 0.8, "dtssd": 3.0, "per_image": PER_IMAGE}


def entry(variant: str, precision: str, resolution: list[int], digit: str, reference: str | None) -> dict[str, Any]:
    return {
        "variant": variant,
        "format": "tflite",
        "precision": precision,
        "resolution": resolution,
        "reference": reference,
        "checkpoint": "c" * 64,
        "sha256": digit * 64,
        "bytes": 1000,
        "data_sha256": "d" * 64,
        "expected": EXPECTED,
    }


OWN = entry(VARIANT, "fp32", RESOLUTION, "a", None)
REFERENCE = entry("mediapipe-selfie", "fp16", [256, 256], "b", "Apache-2.0")
KNOWN = Known(
    {contributed.key_of(one): one for one in (OWN, REFERENCE)},
    "sample, 3 of 9 frames",
    "Pictures.",
    {"mediapipe-selfie": {"name": "mediapipe-selfie", "licence": "Apache-2.0", "peer": True}},
)


@pytest.fixture
def sent() -> dict[str, Any]:
    """A file as a page saves it."""
    times = [5_000_000 + 1000 * (i % 7) for i in range(60)]
    network = {key: OWN[key] for key in ("variant", "format", "precision", "resolution", "sha256", "checkpoint")}
    result = {
        "evidence": "measured",
        "model_ns": times,
        "pipeline_ns": [2 * ns for ns in times],
        "load_ns": 40_000_000,
        "first_ns": 9_000_000,
        "warm_up": {"iterations": 100, "seconds": 1.0, "converged": True},
        "placement": {"requested": "cpu", "runtime": "LiteRT.js 2.5.3", "actual": "XNNPACK in WebAssembly, SIMD"},
        "environment": {"facts": {"timer_resolution_ns": 5000, "hidden": False, "wake_lock": True, "isolated": True}},
    }
    one = {
        "network": {**network, "data_sha256": OWN["data_sha256"], "verified": True},
        "unit": "cpu",
        "threads": 1,
        "began": BEGAN,
        "ended": BEGAN + 20_000,
        "status": "ok",
        "reason": None,
        "result": result,
        "accuracy": {"iou": 0.8, "boundary_f": 0.8, "dtssd": 3.0, "per_image": copy.deepcopy(PER_IMAGE)},
        "rounds": {
            "reference": {"variant": "mediapipe-selfie", "sha256": REFERENCE["sha256"]},
            "rounds": [{"first": "own", "own": [4, 4 + i % 2], "reference": [8, 8]} for i in range(30)],
        },
    }
    return {
        "kind": contributed.KIND,
        "schema": 1,
        "id": "0123456789abcdef",
        "page": {"made": "2026-11-27", "revision": "", "manifest_sha256": None},
        "facts": {"user_agent": "Mozilla/5.0 (Linux; Android 15; K) Chrome/140.0.0.0", "model": "Pixel 8"},
        "sample": KNOWN.sample,
        "counts": {"warm_up_least": 30, "warm_up_seconds": 1.0, "samples": 50, "seconds": 0.5},
        "configurations": [one],
        "end": "done",
    }


def test_a_file_of_a_page_becomes_rows_that_are_contributed(sent: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(sent))
    (made,), refused = contributed.rows(contributed.read(path), KNOWN, NOW)
    assert refused == []
    assert (made.evidence, made.device, made.status) == ("contributed", "web:Pixel 8 Chrome 140", "ok")
    assert made.run == "web-0123456789abcdef"
    assert made.accuracy["iou"] == pytest.approx(0.8)
    assert from_json(to_json(made)) == made
    shown = Summary(made)
    assert shown.model is None  # what is not measured here has no measured speed
    assert shown.contributed_model
    assert shown.contributed_model.fps == pytest.approx(200, rel=0.01)
    assert shown.contributed_ratio
    assert shown.contributed_ratio.low <= shown.contributed_ratio.times <= shown.contributed_ratio.high
    assert shown.contributed_ratio.times == pytest.approx(1.9, abs=0.11)


def test_minutes_of_load_give_the_share_that_is_kept(sent: dict[str, Any]) -> None:
    one = sent["configurations"][0]
    one["ended"] = BEGAN + 200_000
    speeds = [2000] * 6 + [1500] * 6
    one["result"]["sustained"] = [{"start": 10.0 * i, "frames": n, "busy": 9.5} for i, n in enumerate(speeds)]
    (made,), _ = contributed.rows(sent, KNOWN, NOW)
    loaded = Summary(made).contributed_kept
    assert loaded
    assert loaded.share == pytest.approx(0.75)
    assert Summary(made).kept is None


Change = Callable[[dict[str, Any], dict[str, Any]], Any]
"""Of the file and its configuration."""

TAMPERED: dict[str, Change] = {
    "is no network of this page": lambda _, one: one["network"].update(variant="s32-skip-plain"),
    "the model .* has another hash": lambda _, one: one["network"].update(sha256="e" * 64),
    "ran on other pictures": lambda _, one: one["network"].update(data_sha256="e" * 64),
    "its unit or its threads": lambda _, one: one.update(unit="npu"),
    "in the future": lambda _, one: one.update(began=BEGAN + 10**9, ended=BEGAN + 10**9 + 1),
    "no times of its beginning": lambda _, one: one.update(ended=BEGAN - 1),
    "2 samples where 50": lambda _, one: one["result"].update(model_ns=[5_000_000, 5_000_001]),
    "are not whole nanoseconds": lambda _, one: one["result"].update(model_ns=[5e6 + i for i in range(60)]),
    "all its samples are equal": lambda _, one: one["result"].update(model_ns=[5_000_000] * 60),
    "clock is too coarse": lambda _, one: one["result"].update(model_ns=[0, 5_000_000] * 30),
    "longer than the whole measurement": lambda _, one: one.update(ended=BEGAN + 1),
    "times add up to 60": lambda _, one: one["result"].update(load_ns=60_000_000_000),
    "less than half of the network's time": lambda _, one: one["result"].update(pipeline_ns=[1_000_000] * 60),
    "faster than any phone": lambda _, one: one["result"].update(
        model_ns=[1000 + i for i in range(60)], pipeline_ns=[]
    ),
    "does not say how long it warmed up": lambda _, one: one["result"].update(warm_up={}),
    "holds no result": lambda _, one: one.update(result=None),
    "its mask of clip/1": lambda _, one: one["accuracy"]["per_image"][1].__setitem__(1, 0.95),
    "lacks the figures": lambda _, one: one["accuracy"]["per_image"].pop(),
    "not those of the page's pictures": lambda _, one: one["accuracy"]["per_image"][0].__setitem__(0, "other"),
    "means are not those": lambda _, one: one["accuracy"].update(iou=0.81),
    "its dtSSD": lambda _, one: one["accuracy"].update(dtssd=30.0),
    "no list of rounds": lambda _, one: one["rounds"]["rounds"].append(
        {"first": "own", "own": [0, 1], "reference": [1, 1]}
    ),
    "compared with a model": lambda _, one: one["rounds"]["reference"].update(sha256="e" * 64),
    "no list of bins": lambda _, one: one["result"].update(sustained=[{"start": 0, "frames": 0, "busy": 10}]),
    "not of ten seconds": lambda _, one: one["result"].update(sustained=[{"start": 0, "frames": 9, "busy": 90}]),
    "placement hold more than plain text": lambda _, one: one["result"].update(placement={"runtime": "\x1b[2J"}),
}


@pytest.mark.parametrize("reason", TAMPERED)
def test_a_configuration_that_does_not_agree_is_refused_and_says_why(sent: dict[str, Any], reason: str) -> None:
    good = copy.deepcopy(sent["configurations"][0])
    TAMPERED[reason](sent, sent["configurations"][0])
    sent["configurations"].append(good)
    made, refused = contributed.rows(sent, KNOWN, NOW)
    assert len(made) == 1  # the rest is believed
    with pytest.raises(NotBelieved, match=reason):
        raise NotBelieved(refused[0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "other"}, "no file of rows"),
        ({"schema": 2}, "schema 2"),
        ({"end": None}, "no end marker"),
        ({"configurations": []}, "no configurations"),
        ({"id": "../../etc"}, "no id"),
    ],
)
def test_a_file_that_no_page_has_written_is_refused(
    sent: dict[str, Any], change: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(sent | change))
    with pytest.raises(NotBelieved, match=reason):
        contributed.read(path)
    path.write_text(json.dumps(sent)[:-9])
    with pytest.raises(NotBelieved, match="not whole JSON"):
        contributed.read(path)


def test_another_sample_is_refused(sent: dict[str, Any]) -> None:
    with pytest.raises(NotBelieved, match="another sample"):
        contributed.rows(sent | {"sample": "other"}, KNOWN, NOW)


def test_a_failure_is_a_row_with_its_reason(sent: dict[str, Any]) -> None:
    sent["configurations"][0] |= {"status": "failed", "result": None, "reason": "no\x1b memory"}
    (made,), _ = contributed.rows(sent, KNOWN, NOW)
    assert (made.status, made.reason, made.evidence) == ("failed", "no  memory", "contributed")


def test_contributed_figures_are_in_a_table_of_their_own_and_on_no_chart(sent: dict[str, Any]) -> None:
    (made,), _ = contributed.rows(sent, KNOWN, NOW)
    alone = render([made], "Report", NOW)
    assert "Nothing can be recommended yet" in alone
    both = render([row(), made], "Report", NOW)
    charts, tables = both.split('<section id="configurations">')
    measured, table = tables.split('<div class="cells" id="contributed">')
    assert "Pixel 8" not in charts
    assert VARIANT not in charts
    assert 'id="measured"' in measured
    assert f">{VARIANT}<" not in measured.split("<table>")[1]
    assert "◇" in table
    assert "Pixel 8 Chrome 140" in table


def test_a_run_that_goes_on_is_not_the_one_that_was_contributed(sent: dict[str, Any], tmp_path: Path) -> None:
    (made,), _ = contributed.rows(sent, KNOWN, NOW)
    ledger = tmp_path / "rows.jsonl"
    append(ledger, replace(row(), run="mine"))
    append(ledger, made)
    everything, damaged = read(ledger)
    assert damaged == []
    assert Run.taken_up(everything).name == "mine"
    assert Run.taken_up([made]).name != made.run
