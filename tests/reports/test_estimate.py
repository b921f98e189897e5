"""An estimate on the page and in the table: a range of its own colour with its sources, and on no chart of speed."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console

from reports.page import render
from reports.pareto import points
from reports.rows import Row, from_json, to_json
from reports.summary import Summary
from reports.table import figures, summary
from tests.reports.made_up import row

ESTIMATE = {
    "low": 20.0,
    "high": 50.0,
    "ratios": {"mobilenet-v1": 7.5, "mobilenet-v2": 8.25},
    "missed": 1.1,
    "here_ms": 4.0,
    "known_here_ms": {"mobilenet-v1": 11.5, "mobilenet-v2": 6.4},
    "known_there_ms": {"mobilenet-v1": 86, "mobilenet-v2": 53},
    "faster_since": 1.0,
    "sources": [{"says": "A table of theirs", "link": "https://example.org/table"}],
}


@pytest.fixture
def estimated() -> Row:
    cell = "s16-skip-dense/tflite/fp32/256x256/estimate:pixel2/cpu1"
    return replace(
        row(), cell=cell, device="estimate:pixel2", evidence="estimated", timing={"estimate": ESTIMATE}, retries=0
    )


def test_an_estimate_is_a_range_and_no_speed(estimated: Row) -> None:
    seen = Summary(from_json(to_json(estimated)))
    assert seen.estimated_fps == (20.0, 50.0)
    assert seen.model is None
    assert seen.load_ms is None
    assert points([seen]) == []
    (told,) = figures([estimated])
    assert told["model"] is None
    assert told["estimate"]["low"] == 20.0
    assert not told["on_front"]


def test_a_measured_row_has_no_estimate_whatever_it_holds(estimated: Row) -> None:
    assert Summary(replace(estimated, evidence="measured")).estimate is None


def test_the_page_gives_it_a_column_a_colour_and_its_sources(estimated: Row) -> None:
    page = render([row(), estimated], "t", datetime(2026, 1, 1, tzinfo=UTC))
    assert '<td class="estimate" data-v="20.0">20.0 to 50.0</td>' in page
    assert 'href="https://example.org/table"' in page
    assert "A table of theirs" in page
    assert "missed by a factor of up to 1.10" in page
    charts = page[page.index('<section id="pareto">') : page.index('<section id="cells">')]
    assert "estimate:pixel2" not in charts


def test_without_estimates_the_page_does_not_speak_of_them() -> None:
    assert "Model FPS, estimated" not in render([row()], "t", datetime(2026, 1, 1, tzinfo=UTC))


def test_the_emulators_instructions_are_told_to_the_unit() -> None:
    emulated = replace(row(), evidence="emulated", timing={"instructions_per_frame": 50_282_831})
    emulated = replace(emulated, accuracy=emulated.accuracy | {"from_host": {"max_difference": 3e-6}})
    page = render([emulated], "t", datetime(2026, 1, 1, tzinfo=UTC))
    assert ">50,282,831<" in page
    assert ">3e-6<" in page
    assert "Model FPS</button>" not in page
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary([emulated]))
    assert "50,282,831" in console.export_text()


def test_the_table_names_the_devices_where_there_are_several(estimated: Row) -> None:
    other = replace(estimated, cell=estimated.cell.replace("pixel2", "iphone7"), device="estimate:iphone7")

    def printed(*rows: Row) -> str:
        console = Console(width=200, record=True, file=io.StringIO())
        console.print(summary(rows))
        return console.export_text()

    assert "estimate:" not in printed(estimated)
    assert all(f"estimate:{phone}" in printed(estimated, other) for phone in ("pixel2", "iphone7"))


def test_retries_are_told() -> None:
    page = render([replace(row(), retries=1)], "t", datetime(2026, 1, 1, tzinfo=UTC))
    assert "tried 2 times" in page
