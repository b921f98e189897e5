"""A wrong row costs itself alone: whatever a row holds, the page, the table and the history are made of the others."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reports import history, page, table
from reports.bound import MOST, SHOWN, bounded
from reports.row_check import CHECKS, problem
from reports.rows import Row, append, from_json, read, to_json
from tests.reports.made_up import row

HOSTILE: list[Any] = [
    *("x", "", True, [], {}, [None], [[]], [{}], {"a": []}, -1, 0, 2, 1e308, 10**400, 0.5, ["x", 1, 2]),
    *([["x", None, 1]], [0, 1, 2], [1.5], [-1], [True], {"a": -1}, {"a": "x"}, [{"kind": 3}]),
]


def leaves(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each value in a row, at any depth; of lists that of the first item alone."""
    yield path
    if isinstance(values, dict):
        for name, value in values.items():
            yield from leaves(value, (*path, name))
    elif isinstance(values, list) and values:
        yield from leaves(values[0], (*path, 0))


def changed(values: Any, path: tuple[Any, ...], to: Any) -> Any:
    """`values` with another value at `path`; as they are where the path leads nowhere by now."""
    made = copy.deepcopy(values)
    at = made
    try:
        for name in path[:-1]:
            at = at[name]
        at[path[-1]]
        at[path[-1]] = to
    except (TypeError, KeyError, IndexError):
        return copy.deepcopy(values)
    return made


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    """A row with every value that a path of CHECKS names."""
    values = json.loads(to_json(row("s16-skip-dense", "tflite")))
    values["artifact"] |= {"instructions": {"cortex-a57": 1000, "cortex-a76": 900, "changed": "as float"}}
    values["artifact"]["parity"] |= {"breach": "too far", "processor": {"model": "A", "extensions": ["AVX2"]}}
    values["timing"] |= {"instructions_per_frame": 5, "repeats": [{"model_ns": [1, 2]}, {"failed": "it crashed"}]}
    values["timing"]["estimate"] = {"milliseconds": 1.0, "low": 0.5, "high": 2.0, "error": 0.1, "instructions": 7}
    values["timing"] |= {
        "model_switched": [0],
        "pipeline_switched": [1],
        "counts": {"samples": 50},
        "paired": {
            "takes": 1,
            "times_as_fast": 2.0,
            "interval": [1.9, 2.1],
            "reference_fps": 100.0,
            "switched_share": 0.1,
            "reason": "",
        },
        "compared": {"reference": "x", "rounds": [{"first": "own", "own": [1, 2], "reference": [3, 4]}]},
        "sustained": [{"start": 0.0, "frames": 9, "busy": 1.0, "mhz": 1000}],
        "energy": {"millijoules": 1.0, "source": "RAPL"},
    }
    values["network"]["resize_mode"] = "stretch"
    values["accuracy"]["data_sha256"] = "0" * 64
    values["environment"]["max_khz"] = {"0": 1900800, "4": 2457600}
    values["accuracy"]["credits"] = ["somebody, CC0"]
    values["accuracy"]["from_host"] = {"max_difference": 1e-6}
    figure = {"iou": 0.5, "iou_ci": [0.4, 0.6], "pixels": 9, "pictures": 2}
    values["accuracy"]["labels"] = {
        "mean_iou": 0.5,
        "mean_iou_ci": [0.4, 0.6],
        "worst": "hair",
        "labels": {"hair": figure, "skin": figure},
        "lacking": ["lips"],
        "confusion": {"hair": {"hair": 5, "face": 4}, "skin": {"skin": 9}},
    }
    values["artifact"]["parity"]["label_loss_points"] = 1.0
    values["examples"][0]["labels_jpeg"] = values["examples"][0]["jpeg"]
    values["environment"] |= {"model": "Pixel", "cpu_extensions": "AVX2", "revision": "abc"}
    assert problem(values) is None
    for path in CHECKS:
        at = values
        for name in path.split("."):
            assert name in at, path
            at = at[name]
    return values


@pytest.mark.long
def test_every_hostile_value_is_refused_or_harmless(whole: dict[str, Any]) -> None:
    """Each value in each place; those that a row may hold are then put into rows together, and shown."""
    paths = [path for path in leaves(whole) if path and path[0] not in ("schema", "cell", "status")]
    let_through: list[Row] = []
    refused = 0
    for value in HOSTILE:
        together = copy.deepcopy(whole)
        for path in paths:
            made = changed(whole, path, value)
            try:
                row_ = from_json(json.dumps(made))
            except ValueError:
                refused += 1
                continue
            table.figures([row_])
            list(history.of_rows([row_]))
            if len(path) > 1:
                together = changed(together, path, value)
        together["cell"] = f"cell-{len(let_through)}"
        let_through.append(from_json(json.dumps(together)))
    assert refused > len(paths) * len(HOSTILE) // 2
    page.render([row("s4-skip-plain", "onnx"), *let_through], "a title", datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    "timing",
    [
        {"paired": 5},
        {"paired": {"takes": 1, "times_as_fast": 2.0, "interval": 3}},
        {"sustained": [1]},
        {"sustained": 3},
        {"model_switched": 3},
    ],
)
def test_a_figure_that_cannot_be_had_costs_its_row(timing: dict[str, Any]) -> None:
    right = row("s4-skip-plain", "onnx")
    wrong = row("s16-skip-plain", "onnx")
    wrong = replace(wrong, timing=wrong.timing | timing)
    text = page.render([right, wrong], "a title", datetime(2026, 1, 2, tzinfo=UTC))
    assert f"{wrong.cell} of run made-up is left out: its" in text
    assert "s4-skip-plain" in text


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"iou": NaN}', "NaN is no number"),
        ('{"iou": -Infinity}', "-Infinity is no number"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_json_of_ours_is_said(tmp_path: Path, line: str, words: str) -> None:
    path = tmp_path / "rows.jsonl"
    append(path, row())
    with path.open("a") as file:
        file.write(line + "\n")
    rows, said = read(path)
    assert len(rows) == 1
    assert words in said[0]


def test_a_page_and_a_history_are_made_of_the_rows_that_are_right(tmp_path: Path) -> None:
    right = row("s4-skip-plain", "onnx")
    wrong = row("s16-skip-plain", "onnx", timing={"model_ns": [1000, 0], "pipeline_ns": []})
    for folder in ("page", "history"):
        append(tmp_path / folder / "rows.jsonl", right)
        append(tmp_path / folder / "rows.jsonl", wrong)
    (said,) = page.build([tmp_path / "page"], tmp_path / "page.html")
    assert "line 2: its timing.model_ns is [1000, 0]; set aside in rows.damaged.jsonl" in said
    assert "s4-skip-plain" in (tmp_path / "page.html").read_text()
    figures, words = history.gather(tmp_path / "history")
    assert {figure.series for figure in figures} == {right.cell}
    assert len(words) == 1


def test_very_many_rows_are_a_page_of_the_newest() -> None:
    def made(count: int) -> Iterator[Any]:
        for number in range(count):
            day, cell = divmod(number, 100)
            yield row(cell=f"cell-{cell}", run=f"run-{day}", time=f"2026-01-01T00:{day // 60:02d}:{day % 60:02d}+00:00")

    few, words = bounded(made(MOST))
    assert (len(few), words) == (MOST, [])
    shown, (said,) = bounded(made(MOST + 1))
    assert len(shown) == SHOWN
    assert said.startswith(f"There are {MOST + 1:,} rows; this page shows {SHOWN}")
    assert [sum(one.run == f"run-{day}" for one in shown) for day in (6, 7, 8, 9, 10)] == [0, 99, 100, 100, 1]
    assert {one.cell for one in shown} == {f"cell-{cell}" for cell in range(100)}, "of each configuration the last"
    assert shown[-1].run == "run-10"
