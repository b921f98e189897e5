"""A million figures in the store: filtered and summarised, and one run added. Bars: 2 s and 1 GB for the summary."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from reports import store
from tests.conftest import ROOT

duckdb = pytest.importorskip("duckdb", reason="the extra [history] is not installed")

FIGURES, RUNS = 1_000_000, 250
MILLION = f"""
select
  format('s{{}}-skip-dense/tflite/fp32/256x256/pixel2/cpu1', i // {RUNS} % 200) as series,
  ['model ms', 'pipeline ms', 'IOU % on sample', 'size MB'][1 + i // {200 * RUNS} % 4] as metric,
  format('Processor {{}}', i // {800 * RUNS}) as machine,
  format('run {{}}', i % {RUNS}) as run,
  strftime(timestamp '2026-01-01' + to_hours(i % {RUNS}), '%Y-%m-%dT%H:%M:%S+00:00') as time,
  sha256((i % {RUNS})::varchar)[:40] as revision,
  5 + random() as value
from range({FIGURES}) as r(i)
"""
"""4,000 series, each with a figure of every run."""

ASK = """
import json, resource, sys, time
from pathlib import Path
from reports import store
began = time.perf_counter()
selected = store.summarize(Path(sys.argv[1]), store.Selection(machine="Processor 3", since="2026-01-03"))
everything = store.summarize(Path(sys.argv[1]))
took, spent = time.perf_counter() - began, time.process_time()
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([sum(s.count for s in selected), sum(s.count for s in everything), took, spent, peak]))
"""


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "history.parquet"
    duckdb.sql(MILLION).write_parquet(str(path), compression="zstd")
    return path


def test_a_million_figures_are_filtered_and_summarised(
    benchmark: BenchmarkFixture, million: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own, as the peak of memory is a process's. The import of DuckDB is in the time."""
    command = [sys.executable, "-c", ASK, str(million)]
    asked: list[list[float]] = []

    def ask() -> None:
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
        asked.append(json.loads(done.stdout))

    benchmark.pedantic(ask, rounds=5)
    selected, everything, took, spent, peak = min(asked, key=lambda told: told[2])
    assert (selected, everything) == (800 * (RUNS - 48), FIGURES)
    with capsys.disabled():
        print(f"\n{million.stat().st_size / 1e6:.1f} MB; best of 5: {took:.2f} s, processor {spent:.2f} s,", end=" ")
        print(f"peak {peak / 1e6:.0f} MB")


def test_a_run_is_added_to_a_million_figures(benchmark: BenchmarkFixture, million: Path) -> None:
    """260 figures, those of 65 configurations; the file is written anew."""
    batches = iter(range(99))

    def add() -> None:
        batch = next(batches)
        run = [store.Figure(f"new {i}", "model ms", "A", f"run {batch}", "2027-01-01", "", 1.0) for i in range(260)]
        assert store.add(million, run) == 260

    benchmark.pedantic(add, rounds=3)
