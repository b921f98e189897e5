"""What the gate's test on a real machine does by itself: its order, its budget, its ledger, its search for a burden."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from reports.gate import selftest
from reports.gate.decision import Outcome
from reports.gate.selftest import EQUAL, SLOWDOWN, SLOWED_EVERY, SLOWER, WIDTHS, Trial, left, next_width

PASSED = Trial(EQUAL, False, "tflite", Outcome.PASS, 0.001, 6, 6, 4.5, "2026-01-02T03:04:05+00:00", 0.0)
CAUGHT = replace(PASSED, arm=SLOWER, outcome=Outcome.FAIL, effect=math.log(1.05), seconds=17.0, injected=0.048)


def test_a_slowed_down_gate_comes_with_every_few_equal_ones() -> None:
    whole = left([], 2 * SLOWED_EVERY)
    assert [arm for arm, _ in whole] == 2 * [SLOWER, *[EQUAL] * SLOWED_EVERY]
    assert [index for arm, index in whole if arm == EQUAL] == list(range(2 * SLOWED_EVERY))
    assert [arm for arm, _ in left([], 3)] == [SLOWER, EQUAL, EQUAL, EQUAL]


def test_a_run_goes_on_where_it_stopped() -> None:
    assert left([CAUGHT, PASSED], 3) == [(EQUAL, 1), (EQUAL, 2)]
    assert left([CAUGHT, *[PASSED] * 3], 3) == []
    assert left([PASSED] * 3, 3) == [(SLOWER, 0)], "what is missing of one kind is made up for"


def test_the_ledger_keeps_every_trial_and_a_torn_line_is_none(tmp_path: Path) -> None:
    ledger = tmp_path / "self-test.jsonl"
    assert selftest.read(ledger) == []
    ledger.write_text(f"{json.dumps(asdict(PASSED))}\n{json.dumps(asdict(CAUGHT))}\n" + json.dumps(asdict(PASSED))[:40])
    assert selftest.read(ledger) == [PASSED, CAUGHT]


def test_the_summary_says_what_so_many_gates_can_say() -> None:
    equal, slowed = selftest.summary([*[PASSED] * 199, replace(PASSED, outcome=Outcome.FAIL), *[CAUGHT] * 40])
    assert "200 gates, 1 FAIL (0.5%, between 0.0% and 2.8%), 199 PASS" in equal
    assert "4.5 s a cell" in equal
    assert "slowed down by 4.8% when it was calibrated, 5.0% in the median of these gates" in slowed
    assert "40 FAIL (100.0%, between 91.2% and 100.0%)" in slowed
    assert "beside a noisy neighbour" in selftest.summary([replace(PASSED, neighbour=True)])[0]


def test_shortfalls_of_real_gates() -> None:
    assert selftest._real_shortfalls([*[PASSED] * 100, *[CAUGHT] * 20]) == []
    loud = [*[PASSED] * 90, *[replace(PASSED, outcome=Outcome.FAIL)] * 10]
    assert "10.0% false alarms" in selftest._real_shortfalls(loud)[0]
    blind = [*[CAUGHT] * 8, *[replace(CAUGHT, outcome=Outcome.INCONCLUSIVE)] * 2]
    assert "80.0% of the slowed-down were caught" in selftest._real_shortfalls(blind)[0]


def search(cost: Callable[[int], float], tries: int = selftest.CALIBRATIONS) -> dict[int, float]:
    measured: dict[int, float] = {}
    while len(measured) < tries and (width := next_width(measured)):
        assert width in WIDTHS
        assert width not in measured, "nothing is measured twice"
        measured[width] = cost(width)
        if abs(measured[width] - SLOWDOWN) < selftest.CLOSE:
            break
    return measured


def nearest(measured: dict[int, float]) -> float:
    return min(measured.values(), key=lambda shown: abs(shown - SLOWDOWN))


@pytest.mark.parametrize("slope", [0.0001, 0.0004, 0.0008, 0.0031])
def test_the_search_for_a_burden_ends_near_the_slow_down(slope: float) -> None:
    assert nearest(search(lambda width: 0.004 + slope * width)) == pytest.approx(SLOWDOWN, abs=selftest.CLOSE)


@pytest.mark.parametrize("seed", range(20))
def test_the_search_copes_with_costs_that_do_not_grow_with_the_width(seed: int) -> None:
    random = np.random.default_rng(seed)
    stray = random.normal(0, 0.012, 513)
    measured = search(lambda width: 0.0006 * width + 0.01 * (width % 32 != 0) + float(stray[width]), tries=12)
    assert nearest(measured) == pytest.approx(SLOWDOWN, abs=2 * selftest.CLOSE)


def test_the_search_gives_up_where_no_width_will_do() -> None:
    assert set(search(lambda _: 0.2, tries=99).values()) == {0.2}
    assert set(search(lambda _: 0.0, tries=99)) == {64, 128, 256, 512}
    assert next_width({60: 0.01, 64: 0.09}) is None


def test_what_was_tried_is_never_tried_again() -> None:
    assert next_width({64: 0.0499, 128: 0.5}) == 68
    assert next_width({64: 0.01, 128: 0.0501}) == 124
