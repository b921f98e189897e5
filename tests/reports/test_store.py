"""The store of figures: what is kept once, added by many, taken up from before, and found again."""

from __future__ import annotations

import multiprocessing
import sqlite3
import statistics
from dataclasses import astuple, replace
from pathlib import Path

import pytest

from reports import store
from reports.store import Figure, Selection

pytest.importorskip("duckdb", reason="the extra [history] is not installed")

HOURS = [f"2026-01-01T{hour:02}:00:00+00:00" for hour in range(24)]


def figures(count: int, series: str = "live/tflite", machine: str = "A", metric: str = "model ms") -> list[Figure]:
    return [Figure(series, metric, machine, f"run {i}", HOURS[i], f"{i:040x}", 5 + i / 8) for i in range(count)]


def sqlite_store(path: Path, kept: list[Figure]) -> None:
    """As earlier versions wrote it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(path)
    columns = "series text not null, metric text not null, machine text not null, run text not null, time text not null"
    unique = "unique (series, metric, machine, run, time)"
    database.execute(
        f"create table if not exists figures ({columns}, revision text not null, value real not null, {unique})"
    )
    database.executemany("insert into figures values (?, ?, ?, ?, ?, ?, ?)", map(astuple, kept))
    database.commit()
    database.close()


def test_figures_are_kept_once_and_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a [b]* 'c'" / "history.parquet"
    found = figures(5)
    assert store.load(path) == []
    assert store.add(path, reversed(found)) == 5
    assert store.add(path, [*found, *figures(6)[5:], *figures(6)[5:]]) == 1
    assert store.load(path) == figures(6)
    assert sorted(p.name for p in path.parent.iterdir()) == ["history.lock", "history.parquet"]


def test_both_measurements_of_a_run_are_kept_and_of_one_time_the_first(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    again = [replace(f, time="2026-02-02T00:00") for f in figures(2)]
    assert store.add(path, [*figures(2), *again]) == 4
    assert store.add(path, [replace(f, value=99.0) for f in again]) == 0
    assert store.load(path) == [*figures(2), *again]


def test_figures_are_selected_and_summarized(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    everything = [*figures(9), *figures(8, "live-fast/onnx"), *figures(3, machine="B"), *figures(4, metric="size MB")]
    store.add(path, everything)
    asked = Selection("live*", "* ms", "A", since=HOURS[2], until=HOURS[7])
    of = [f for f in everything if f.machine == "A" and f.metric == "model ms" and HOURS[2] <= f.time < HOURS[7]]
    assert sorted(map(astuple, store.load(path, asked))) == sorted(map(astuple, of))
    one, other = store.summarize(path, asked)
    values = [f.value for f in of if f.series == "live-fast/onnx"]
    assert (one.series, one.count, one.median, one.low, one.high) == (
        "live-fast/onnx",
        5,
        statistics.median(values),
        min(values),
        max(values),
    )
    assert (other.machine, other.first, other.last) == ("A", HOURS[2], HOURS[6])
    assert len(store.summarize(path)) == 4


def append(path: Path, machine: str) -> None:
    for figure in figures(8, machine=machine):
        store.add(path, [figure])


def test_many_processes_add_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=append, args=(path, machine)) for machine in "ABA"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    assert sorted(map(astuple, store.load(path))) == sorted(map(astuple, figures(8) + figures(8, machine="B")))


def test_the_sqlite_store_is_taken_up_once_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "history.parquet"
    sqlite_store(store.former(path), figures(7))
    assert store.load(path) == figures(7)
    assert [p.name for p in tmp_path.glob("*.sqlite*")] == ["history.sqlite.imported"]
    # A checkout of before was used once more.
    sqlite_store(store.former(path), figures(9)[5:])
    assert store.add(path, figures(10)[9:]) == 1
    assert store.load(path) == figures(10)
    kept = sorted(p.name for p in tmp_path.glob("*.sqlite*"))
    assert kept == ["history.sqlite.imported", "history.sqlite.imported-1"]


def test_what_is_no_store_is_said_and_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "history.html"
    page.write_text("<p>a page that was taken for the store</p>" * 99)
    for read in (store.load, store.summarize):
        with pytest.raises(ValueError, match=r"history\.html: no store of figures") as told:
            read(page)
        assert "\n" not in str(told.value)
    with pytest.raises(ValueError, match="no store of figures"):
        store.add(page, figures(1))
    assert page.read_text().startswith("<p>")
    old = tmp_path / "h.sqlite"
    old.write_text("no database" * 99)
    with pytest.raises(ValueError, match=r"h\.sqlite: no store of figures"):
        store.load(tmp_path / "h.parquet")
    assert old.exists()


def test_columns_of_a_later_version_are_not_thrown_away(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "s.parquet"
    store.add(path, figures(2))
    newer = tmp_path / "newer.parquet"
    duckdb.sql(f"copy (select *, 1 as more from read_parquet('{path}')) to '{newer}'")
    before = newer.read_bytes()
    with pytest.raises(ValueError, match="other columns"):
        store.add(newer, figures(3))
    assert (tmp_path / "newer.parquet").read_bytes() == before


@pytest.mark.parametrize("damage", [{"time": "2026"}, {"value": float("nan")}, {"value": -1.0}])
def test_a_damaged_figure_is_refused_before_it_makes_the_store_unreadable(tmp_path: Path, damage: dict) -> None:
    path = tmp_path / "history.parquet"
    store.add(path, figures(2))
    with pytest.raises(ValueError, match="1 of the figures to be added are damaged; nothing was added"):
        store.add(path, [*figures(3, "other"), replace(figures(1, "wrong")[0], **damage)])
    assert store.load(path) == figures(2)
