"""The figures of runs, and the creep that is found in them."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reports import history
from reports.rows import append
from reports.store import Figure
from tests.reports.made_up import emulated, failed, row


def figures(values: np.ndarray, machine: str = "A") -> list[Figure]:
    return [
        Figure("cell", "model ms", machine, f"run{i}", f"2026-01-{i + 1:02}T00:00", f"{i:040x}", float(v))
        for i, v in enumerate(values)
    ]


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(1, 0.01, count)


def test_a_step_and_a_slow_creep_are_found_and_noise_is_not() -> None:
    assert history.changes((5 * noise(28)).tolist()) == []
    (step,) = history.changes((5 * noise(28) * np.repeat([1, 1.08], 14)).tolist())
    assert abs(step.index - 14) <= 1
    assert step.share == pytest.approx(0.08, abs=0.02)
    assert history.changes((5 * noise(28) * 1.015 ** np.arange(28)).tolist())
    assert history.changes([5.0, 5.0, 9.0]) == []


def test_noise_alone_is_seldom_said_to_change() -> None:
    random = np.random.default_rng(5)
    said = [bool(history.changes(np.exp(random.normal(0, 0.01, 10)).tolist())) for _ in range(100)]
    assert np.mean(said) <= 0.07
    steps = [bool(history.changes((random.normal(1, 0.01, 10) * np.repeat([1, 1.05], 5)).tolist())) for _ in range(50)]
    assert np.mean(steps) >= 0.9


def test_a_run_and_a_benchmark_are_taken_up(tmp_path: Path) -> None:
    append(tmp_path / "run" / "rows.jsonl", row())
    append(tmp_path / "run" / "rows.jsonl", emulated())
    append(tmp_path / "run" / "rows.jsonl", failed())
    found, _ = history.gather(tmp_path / "run", "abc")
    assert {f.series for f in found} == {row().cell}
    assert {f.metric for f in found} == {"model ms", "pipeline ms", "IOU % on made-up sample", "size MB"}
    report = {
        "machine_info": {"node": "host", "cpu": {"brand_raw": "Made-up CPU"}},
        "commit_info": {"id": "def"},
        "datetime": "2026-01-02T03:04:05",
        "benchmarks": [{"name": "test_x", "stats": {"median": 0.25}}],
    }
    (tmp_path / "b.json").write_text(json.dumps(report))
    ((figure,), _) = history.gather(tmp_path / "b.json", "abc")
    assert (figure.value, figure.revision, figure.machine) == (250.0, "def", "Made-up CPU")
    with pytest.raises(ValueError, match="neither the folder of a run"):
        history.gather(tmp_path, "abc")


def test_a_gate_is_taken_up_and_its_last_frame_times_are_found(tmp_path: Path) -> None:
    gate = {
        "time": "2026-01-02",
        "candidate": "abc",
        "machine": {"cpu": "CPU"},
        "configurations": [{"configuration": "a", "frame_ms": {"before": 5.0, "now": 6.0}}, {"configuration": "b"}],
    }
    (tmp_path / "gate.json").write_text(json.dumps(gate))
    found, words = history.gather(tmp_path)
    assert (found, words) == ([Figure("a", "gate ms", "CPU", "2026-01-02", "2026-01-02", "abc", 6.0)], [])
    run = replace(found[0], metric="model ms", value=4.0)
    assert history.recent([*found, replace(found[0], machine="another")], "a", "CPU") == found
    assert history.recent([*found, run, run], "a", "CPU") == [run, run], "those of which there are more"
    assert history.recent(found, "b", "CPU") == []


def test_a_figure_is_of_the_commit_its_row_was_measured_at_and_a_cell_measured_again_has_two() -> None:
    first = row(environment={"cpu": "A", "revision": "aaa"})
    again = replace(first, time="2026-02-02T00:00:00+00:00", environment={"cpu": "A", "revision": "bbb"})
    found = [f for f in history.of_rows([first, again]) if f.metric == "model ms"]
    assert [(f.revision, f.run) for f in found] == [("aaa", first.run), ("bbb", first.run)]
    assert {f.revision for f in history.of_rows([first], "ccc")} == {"ccc"}


def test_a_network_that_finds_nobody_any_more_has_changed() -> None:
    (change,) = history.changes([90.0] * 10 + [0.0] * 10)
    assert change.index == 10
    assert history.changes([0.0] * 20) == []


def test_without_ruptures_the_figures_are_drawn_and_changes_not_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ruptures", None)
    said = history.page(figures(5 * noise(28) * np.repeat([1, 1.08], 14)), tmp_path / "trend.html")
    assert said == ["No search for changes of level; ruptures is not installed"]
    assert "<svg" in (tmp_path / "trend.html").read_text()


def test_the_page_tells_the_change_and_keeps_machines_apart(tmp_path: Path) -> None:
    values = 5 * noise(28) * np.repeat([1, 1.08], 14)
    said = history.page([*figures(values), *figures(5 * noise(28), "B")], tmp_path / "trend.html")
    assert len(said) == 1
    assert "cell, model ms: +" in said[0]
    text = (tmp_path / "trend.html").read_text()
    assert text.count("<figure>") == 2
    assert said[0].split(":")[0] in text
