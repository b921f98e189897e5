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
    "milliseconds": 30.0,
    "low": 20.0,
    "high": 50.0,
    "instructions": 66_634_908,
    "core": "cortex-a57",
    "rates": {"mobilenet-v1-1-224": 0.432, "mobilenet-v2-1-224": 0.448},
    "errors": {"mobilenet-v1-1-224": 0.037, "mobilenet-v2-1-224": -0.036},
    "error": 0.0365,
    "runtime": "A runtime of 2020",
    "faster_since": 1.0,
    "source": {"says": "A table of theirs", "link": "https://example.org/table"},
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
    assert told["estimate"] == ESTIMATE
    assert not told["on_front"]


def test_a_measured_row_has_no_estimate_whatever_it_holds(estimated: Row) -> None:
    assert Summary(replace(estimated, evidence="measured")).estimate is None


def test_an_estimate_of_the_former_method_is_not_shown(estimated: Row) -> None:
    former = {"low": 20.0, "high": 50.0, "here_ms": 4.0, "missed": 1.1}
    assert Summary(replace(estimated, timing={"estimate": former})).estimated_fps is None


def test_the_page_gives_it_a_column_a_colour_and_its_sources(estimated: Row) -> None:
    page = render([row(), estimated], "t", datetime(2026, 1, 1, tzinfo=UTC))
    assert '<td class="estimate" data-v="20.0">20.0 to 50.0</td>' in page
    assert 'href="https://example.org/table"' in page
    assert "A table of theirs" in page
    assert "Leave-one-out error: 3.65 % in the median of these 2 networks." in page
    assert "66,634,908 instructions on a cortex-a57, so 30.0 ms, 20.0 to 50.0." in page
    assert "Today's kernels" not in page
    charts = page[page.index('<section id="pareto">') : page.index('<section id="configurations">')]
    assert "estimate:pixel2" not in charts


def test_times_of_an_older_runtime_say_so(estimated: Row) -> None:
    old = replace(estimated, timing={"estimate": ESTIMATE | {"faster_since": 1.45}})
    assert "up to 1.45 times faster" in render([old], "t", datetime(2026, 1, 1, tzinfo=UTC))


def test_the_table_gives_the_range_and_the_phones_error(estimated: Row) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(summary([estimated]))
    printed = console.export_text()
    assert "30.0 (20.0 to 50.0)" in printed
    assert "20 to 50" in printed
    assert "phone's" in printed


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
