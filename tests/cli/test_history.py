"""`bench.py history` on runs of several days."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench import app
from reports.rows import append
from tests.reports.made_up import row


def history(*arguments: Path | str) -> Result:
    return CliRunner().invoke(app, ["history", *map(str, arguments)])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One folder, two networks measured on two days."""
    for day in (1, 2):
        for variant in ("s4-skip-plain", "s16-skip-plain"):
            append(tmp_path / "run" / "rows.jsonl", row(variant, time=f"2026-01-0{day}T00:00:00+00:00"))
    return tmp_path / "run"


def test_figures_are_kept_selected_and_drawn(run: Path, tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="the extra [history] is not installed")
    places = ("--store", tmp_path / "h.parquet", "--out", tmp_path / "h.html")
    kept = history(run, *places)
    assert kept.exit_code == 0, kept.output
    assert f"{run}: 16 figures are new" in kept.output
    assert (tmp_path / "h.html").read_text().count("<figure>") == 8
    told = json.loads(
        history(*places, "--series", "s4-*", "--metric", "model ms", "--since", "2026-01-02", "--json").output
    )
    assert [(s["series"], s["count"]) for s in told] == [(row("s4-skip-plain").cell, 1)]
    assert "s16-skip-plain/tflite" in history(*places, "--summary").output
    assert history(*places, "--metric", "size MB").exit_code == 0
    assert (tmp_path / "h.html").read_text().count("<figure>") == 2


def test_without_duckdb_the_extra_is_named(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    told = history(run, "--store", tmp_path / "h.parquet", "--out", tmp_path / "h.html")
    assert getattr(told.exception, "exit_code", None) == 3
    assert str(told.exception).endswith("this needs the extra [history]: run `make setup EXTRAS=history`")
    assert not (tmp_path / "h.parquet").exists()
