"""From times here to a range there, and where the published times come from."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices.catalog import phones
from devices.contract import Cell, CellFailed, Environment, Job, Result
from devices.estimate import references
from devices.estimate.published import Published, Source, parse, published
from devices.estimate.runner import Estimator
from devices.estimate.scale import leave_one_out, scale
from devices.select import ESTIMATE, Attached, estimated, select


def test_equal_ratios_leave_one_number() -> None:
    found = scale(2.0, {"a": 10.0, "b": 5.0}, {"a": 80.0, "b": 40.0})
    assert found.ratios == {"a": 8.0, "b": 8.0}
    assert found.missed == pytest.approx(1)
    assert (found.low, found.high) == (pytest.approx(16), pytest.approx(16))


def test_the_range_spans_the_ratios_and_the_known_error() -> None:
    found = scale(1.0, {"a": 1.0, "b": 1.0}, {"a": 6.0, "b": 9.0})
    assert found.missed == pytest.approx(1.5)
    assert (found.low, found.high) == (pytest.approx(6 / 1.5), pytest.approx(9 * 1.5))


def test_a_runtime_that_became_faster_lowers_the_low_end_alone() -> None:
    then = scale(1.0, {"a": 1.0, "b": 1.0}, {"a": 6.0, "b": 9.0})
    since = scale(1.0, {"a": 1.0, "b": 1.0}, {"a": 6.0, "b": 9.0}, faster_since=1.4)
    assert since.low == pytest.approx(then.low / 1.4)
    assert since.high == then.high


def test_what_is_missed_is_the_one_unlike_the_others() -> None:
    assert leave_one_out([8, 8, 8]) == pytest.approx(1)
    assert leave_one_out([8, 8, 16]) == pytest.approx(2)
    assert leave_one_out([4, 8, 8]) == pytest.approx(2), "missed upwards is missed as well"


def test_every_published_figure_names_where_it_stands() -> None:
    known = published()
    assert {"pixel2", "iphone7"} <= set(known) <= set(phones())
    for phone in known.values():
        assert len(phone.milliseconds) >= 2, "one network leaves no known error"
        assert all(source.link.startswith("https://") and source.says for source in phone.sources)
    assert known["pixel2"].milliseconds["mobilenet-v1"] == 86
    assert known["iphone7"].faster_since == pytest.approx(123.3 / 86)
    assert len(known["iphone7"].sources) == 3


def test_a_figure_without_its_source_is_refused() -> None:
    with pytest.raises(KeyError, match="hearsay"):
        parse({"sources": {}, "phones": {"pixel2": {"source": "hearsay", "milliseconds": {"a": 1}}}})


def test_an_estimate_never_goes_by_the_phones_own_name() -> None:
    device = estimated("pixel2")
    assert device.name == f"{ESTIMATE}pixel2"
    assert "not measured" in device.description
    assert device.here
    again = select(device.name)
    assert isinstance(again, Attached)
    assert again.name == device.name
    with pytest.raises(ValueError, match="galaxy-s23: no times of known networks"):
        estimated("galaxy-s23")


@dataclass
class Here:
    """This machine, whose every inference takes 3 ms."""

    facts: dict[str, Any] = field(default_factory=dict)

    def run(self, cell: Cell, job: Job) -> Result:
        return Result(
            np.zeros((1, 32, 32), np.float32),
            "measured",
            model_ns=(2_000_000, 3_000_000, 4_000_000),
            pipeline_ns=(5_000_000,),
            load_ns=1,
            first_ns=1,
            environment=Environment({"cpu": "this one"} | self.facts),
        )


PHONE = Published("pixel2", {"a": 40.0, "b": 10.0}, (Source("somebody's table", "https://example.org"),))
CELL = Cell("v", "tflite", "fp32", (32, 32), "estimate:pixel2")
JOB = Job(Path("m.tflite"), "tflite", "fp32", (32, 32), Path("f.u8"), (1,))


def test_an_estimate_has_a_range_with_its_sources_and_no_time_of_any_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "files", lambda names: [Path(f"{name}.tflite") for name in names])
    monkeypatch.setattr(
        references, "times", lambda paths: {path.stem: {"a": 5.0, "b": 1.0}[path.stem] for path in paths}
    )
    result = Estimator(PHONE, Here()).run(CELL, JOB)  # type: ignore[arg-type]

    assert result.evidence == "estimated"
    assert result.model_ns == result.pipeline_ns == ()
    assert (result.load_ns, result.first_ns, result.peak_memory_bytes) == (None, None, None)
    assert result.estimate["here_ms"] == 3.0
    assert result.estimate["ratios"] == {"a": 8.0, "b": 10.0}
    assert result.estimate["low"] < 24 < 30 < result.estimate["high"]
    assert result.estimate["sources"] == [{"says": "somebody's table", "link": "https://example.org"}]
    assert math.isclose(result.estimate["missed"], 1.25)


def test_a_machine_too_busy_to_tell_gives_no_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "files", lambda names: [])
    monkeypatch.setattr(references, "times", lambda paths: {"a": 500.0, "b": 1.0})
    with pytest.raises(CellFailed, match=r"by a factor of 125\.0"):
        Estimator(PHONE, Here()).run(CELL, JOB)  # type: ignore[arg-type]


@pytest.mark.parametrize("share", ["waited_share", "stolen_share"])
def test_a_machine_that_held_the_timed_process_up_gives_no_estimate(
    monkeypatch: pytest.MonkeyPatch, share: str
) -> None:
    monkeypatch.setattr(references, "files", lambda names: [])
    told = {"milliseconds": {"a": 5.0, "b": 1.0}, "facts": {"waited_share": 0.04, "stolen_share": 0.05}}
    monkeypatch.setattr(references, "_run", lambda *command: json.dumps(told))
    assert Estimator(PHONE, Here()).run(CELL, JOB).estimate["here_ms"] == 3.0  # type: ignore[arg-type]
    busy = pytest.raises(CellFailed, match=r"waited for a processor 30 % of the time: ask again when it is quiet")
    with busy:
        Estimator(PHONE, Here({share: 0.3})).run(CELL, JOB)  # type: ignore[arg-type]
    told["facts"] = {share: 0.3}
    with busy:
        Estimator(PHONE, Here()).run(CELL, JOB)  # type: ignore[arg-type]


@pytest.mark.parametrize("change", [{"precision": "int8"}, {"unit": "gpu"}, {"threads": 4}])
def test_what_was_not_published_is_not_estimated(change: dict[str, Any]) -> None:
    with pytest.raises(CellFailed, match="float32 on one thread of its cpu"):
        Estimator(PHONE, Here()).run(CELL, replace(JOB, **change))  # type: ignore[arg-type]
