"""Several fresh processes of one configuration: the median one's figures, the spread between them, nothing lost."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from devices.contract import Config, Counts, Job, MeasurementFailed, Result
from devices.plan import identity
from devices.repeats import repeated
from reports.dataframe import dataframe
from reports.page import TITLE, render
from reports.row_check import problem
from reports.rows import from_json, to_json
from reports.summary import Summary
from reports.table import summary
from tests.reports.made_up import paired, row

NOW = datetime(2026, 1, 2, tzinfo=UTC)

JOB = Job(Config("live", "tflite"), Path("a"), Path("b"), (1,), Counts(repeat=3, sustained=2.0))
BINS = ({"frames": 10},)


def result(ms: float, times: float | None = None, disturbed: bool = False, **more: object) -> Result:
    found = {"takes": 1, "times_as_fast": times, "interval": [times, times], "disturbed": disturbed} if times else {}
    made = Result(np.zeros((1, 2, 2), np.float32), "measured", model_ns=(int(ms * 1e6),) * 30, paired=found)
    return replace(made, **more)  # type: ignore[arg-type]


def run(told: Sequence[Result | MeasurementFailed], job: Job = JOB) -> tuple[Result, list[Job]]:
    asked: list[Job] = []
    answers: Iterator[Result | MeasurementFailed] = iter(told)

    def one(job: Job) -> Result:
        asked.append(job)
        answer = next(answers)
        if isinstance(answer, MeasurementFailed):
            raise answer
        return answer

    return repeated(one, job), asked


def test_the_median_process_speaks_and_all_of_them_are_kept() -> None:
    found, asked = run([result(5, 2.0, sustained=BINS), result(4, 2.2), result(6, 2.1)])
    assert found.model_ns[0] == 6e6, "by the ratio, not by the time"
    assert [one["paired"]["times_as_fast"] for one in found.repeats] == [2.0, 2.2, 2.1]
    assert found.sustained == BINS
    assert [(job.counts.repeat, job.counts.sustained) for job in asked] == [(1, 2.0), (1, 0.0), (1, 0.0)]
    assert run([result(5), result(7), result(6)])[0].model_ns[0] == 6e6
    assert run([result(5, 2.0, True), result(4, 2.2), result(6, 2.3, True)])[0].model_ns[0] == 4e6


def test_a_process_that_fails_costs_itself_alone() -> None:
    found, asked = run([MeasurementFailed("it crashed"), result(5), result(4)])
    assert found.repeats[0] == {"failed": "it crashed"}
    assert len(asked) == 3
    with pytest.raises(MeasurementFailed, match="it crashed"):
        run([MeasurementFailed("it crashed")] * 3)


def test_what_is_not_timed_runs_once() -> None:
    emulated = Result(np.zeros((1, 2, 2), np.float32), "emulated")
    assert run([emulated]) == (emulated, [replace(JOB, counts=replace(JOB.counts, repeat=1))])


def test_one_process_is_the_measurement_that_it_was_before() -> None:
    one = asdict(Counts())
    former = {name: count for name, count in one.items() if name != "repeat"}
    assert identity("key", JOB.config, one, "data") == identity("key", JOB.config, former, "data")
    assert identity("key", JOB.config, one | {"repeat": 3}, "data") != identity("key", JOB.config, one, "data")


def test_page_and_table_show_the_spread_between_processes() -> None:
    found, _ = run([result(5, 2.0), result(4, 2.2), MeasurementFailed("it crashed")])
    made = paired(row(), 2.0)
    timing = made.timing | {"repeats": list(found.repeats)}
    made = from_json(to_json(replace(made, timing=timing)))
    shown = Summary(made)
    assert shown.fps_spread == pytest.approx((200, 250))
    assert shown.ratio is not None
    assert (shown.times_spread, shown.ratio.high) == ((2.0, 2.2), 2.2)
    page = render([made], TITLE, NOW)
    assert "2 processes: 200–250" in page
    assert "2 processes: 2.00–2.20" in page
    assert "1 configuration measured in 2 fresh processes" in page
    assert "--repeat N" not in page
    assert "--repeat N" in render([paired(row(), 2.0)], TITLE, NOW)
    assert dataframe([made])["processes"].tolist() == [2]
    told = Console(width=200, record=True, file=io.StringIO())
    told.print(summary([made]))
    assert "200.0 to 250.0" in told.export_text()


def test_a_wrong_process_costs_its_row() -> None:
    assert problem({"timing": {"repeats": [{"model_ns": [1, 0]}]}})
    assert problem({"timing": {"repeats": [{"failed": "it crashed"}, {"model_ns": [1], "paired": {}}]}}) is None
