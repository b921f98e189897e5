"""Shares of a run become one, and what cannot be one run is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reports.merge import merge
from tests.reports.made_up import failed, row

A, B = Path("a"), Path("b")
ONE, TWO = row("s4-skip-plain", run="run a"), row("s16-skip-plain", run="run b")


def test_rows_are_joined_unchanged_and_in_order() -> None:
    again = replace(ONE, time="2026-01-03T00:00:00+00:00")
    assert merge({A: [ONE, again], B: [TWO]}).rows == (ONE, again, TWO)


def test_a_configuration_in_two_folders_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match=rf"^{ONE.cell}: in each of a and b$"):
        merge({A: [ONE], B: [TWO, ONE]})
    lost = failed(run="run a")
    with pytest.raises(ValueError, match="in each of a and b"):
        merge({A: [lost], B: [lost]})


def test_many_doubled_configurations_are_one_sentence() -> None:
    many = [row("s4-skip-plain", f, p) for f in ("onnx", "tflite", "openvino") for p in ("fp32", "fp16", "int8")]
    with pytest.raises(ValueError, match=r" and 3 more: in each of a and b$"):
        merge({A: many, B: many})


def test_a_failed_row_gives_way_to_a_measured_one_of_another_folder() -> None:
    lost = failed("s4-skip-plain", "tflite", cell=ONE.cell)
    merged = merge({A: [lost], B: [ONE]})
    assert merged.rows == (ONE,)
    assert merged.words == (f"{ONE.cell} failed in a and was measured in b; the failed row is left out.",)
    # In one folder both stay: it is the history of a run that was resumed.
    assert merge({A: [lost, ONE], B: [TWO]}).rows == (lost, ONE, TWO)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"checkpoint": "f" * 64}, "the checkpoint of s4-skip-plain differs: .* in a; ffffffffffff for .* in b"),
        ({"accuracy": {"data": "x", "data_sha256": "2" * 64}}, "the data set of desktop at 256x256, stretch differs: "),
        ({"timing": {"counts": {"samples": 1}}}, "the number of samples on desktop differs: "),
    ],
)
def test_rows_that_cannot_be_of_one_run_are_refused(changes: dict[str, object], words: str) -> None:
    base = row("s4-skip-plain", accuracy={"data": "x", "data_sha256": "1" * 64}, timing={"counts": {"samples": 128}})
    other = row("s4-skip-plain", "onnx", accuracy=base.accuracy, timing=base.timing)
    assert len(merge({A: [base], B: [other]}).rows) == 2
    with pytest.raises(ValueError, match=words):
        merge({A: [base], B: [replace(other, **changes)]})  # type: ignore[arg-type]
