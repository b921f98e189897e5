"""The decision, on arrays: what leads to which verdict, and the error rates on simulated machines."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from devices.ratio import bootstrap_tail
from gate import decision
from gate.decision import (
    ALPHA,
    FIRST,
    FRESH,
    MOST,
    Outcome,
    confirmed,
    decide,
    estimate,
    holm,
    is_slower,
    more,
    valid,
)
from gate.selftest import run as selftest
from gate.selftest import simulate
from gate.selftest.simulate import HELD_OUT, MACHINES, Machine, Tally

QUIET = [0.01] * 60


def blocks(change: float, count: int = 21, spread: float = 0.005, seed: int = 0) -> list[float]:
    return (math.log1p(change) + np.random.default_rng(seed).normal(0, spread, count)).tolist()


@pytest.mark.parametrize(
    ("change", "outcome"),
    [(0.0, Outcome.PASS), (-0.2, Outcome.PASS), (0.03, Outcome.INCONCLUSIVE), (0.05, Outcome.FAIL)],
)
def test_three_ways(change: float, outcome: Outcome) -> None:
    found = estimate(blocks(change), QUIET[:21], 0.03)
    assert decide(found) is outcome
    assert found.effect == pytest.approx(math.log1p(change), abs=0.004)


@pytest.mark.parametrize("seed", range(40))
def test_the_interval_and_the_verdict_are_the_same_statement(seed: int) -> None:
    count = 9 + seed
    found = estimate(blocks(0.03, count, 0.02, seed), QUIET[:count], 0.03)
    assert (found.low > math.log1p(0.03)) == (decide(found) is Outcome.FAIL)
    assert (found.high < math.log1p(0.03)) == (decide(found) is Outcome.PASS)


def test_the_closed_form_is_the_bootstrap_by_draws() -> None:
    random = np.random.default_rng(0)
    values = np.arange(15.0)
    medians = np.median(random.choice(values, (40_000, 15)), axis=1)
    for beyond in (3, 5, 7):
        assert bootstrap_tail(beyond, 15) == pytest.approx((medians <= values[beyond - 1]).mean(), abs=0.01)


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    missed = [
        not found.low <= 0 <= found.high
        for found in (estimate(random.standard_t(3, 25), QUIET[:25], 0.03) for _ in range(1500))
    ]
    assert np.mean(missed) <= 2 * ALPHA + 0.01


def test_few_blocks_are_never_sure() -> None:
    assert estimate([0.5] * 4, QUIET[:4], 0.03).low == -math.inf
    assert decide(estimate([0.5] * 4, QUIET[:4], 0.03)) is Outcome.INCONCLUSIVE
    with pytest.raises(ValueError, match="without blocks"):
        estimate([], [], 0.03)


def test_one_wild_block_changes_nothing() -> None:
    calm = blocks(0.0)
    wild = [*calm[:-1], 5.0]
    assert decide(estimate(wild, QUIET[:21], 0.03)) is Outcome.PASS
    assert estimate(wild, QUIET[:21], 0.03).effect == pytest.approx(estimate(calm, QUIET[:21], 0.03).effect, abs=0.003)


def test_the_control_leaves_out_blocks_and_knows_neither_side() -> None:
    control = [*QUIET[:18], 0.5, 0.5, 0.5]
    assert valid(np.array(control)).sum() == 18
    effects = [*blocks(0.0, 18), 0.4, 0.4, 0.4]
    assert estimate(effects, control, 0.03).used == 18
    assert estimate(effects, control, 0.03).high < estimate(effects, QUIET[:21], 0.03).high


def test_a_bimodal_machine_is_judged_by_blocks_of_one_mode() -> None:
    random = np.random.default_rng(0)
    switched = np.arange(30) % 3 == 0
    effects = np.where(switched, random.choice([-0.12, 0.12], 30), random.normal(0, 0.004, 30))
    control = np.where(switched, 0.25, 0.01)
    found = estimate(effects, control, 0.02)
    assert (found.used, decide(found)) == (20, Outcome.PASS)


def test_looks_come_every_few_blocks_and_end() -> None:
    looks, count = [], 0
    while step := more(count):
        count += step
        looks.append(count)
    assert looks[0] == FIRST
    assert looks[-1] == MOST


def test_a_fail_stands_only_when_every_fresh_process_leans_the_same_way() -> None:
    slow, calm = blocks(0.06), blocks(0.0, seed=1)
    both = estimate(slow + slow, QUIET[:42], 0.03)
    mixed = estimate(slow + calm, QUIET[:42], 0.03)
    assert confirmed([True] * FRESH, both) is Outcome.FAIL
    assert confirmed([True] * (FRESH - 1), both) is Outcome.INCONCLUSIVE
    assert confirmed([True] * (FRESH - 1) + [False], both) is Outcome.INCONCLUSIVE
    assert confirmed([True] * FRESH, mixed) is Outcome.INCONCLUSIVE
    assert confirmed([False], estimate(calm, QUIET[:21], 0.03)) is Outcome.PASS


def test_a_process_leans_by_the_median_of_its_valid_blocks() -> None:
    assert is_slower([0.04, 0.05, 0.0], [0.01] * 3, 0.03)
    assert not is_slower([0.02, 0.02, 0.5], [0.01] * 3, 0.03)
    assert not is_slower([0.0, 0.0, 0.0, 0.5, 0.5, 0.5], [0.01] * 4 + [0.9] * 2, 0.03), "two blocks were not valid"
    assert not is_slower([], [], 0.03)


def test_holm() -> None:
    assert holm([0.001, 0.5, 0.009], 0.02) == [True, False, True]
    assert holm([0.011, 0.011, 0.011], 0.02) == [False] * 3
    assert holm([0.006, 0.012, 0.5], 0.02) == [True, False, False]
    assert holm([], 0.02) == []


@pytest.mark.long
def test_simulated_gates_meet_their_targets() -> None:
    said: list[str] = []
    assert selftest.simulated(gates=150, seed=3, say=said.append) == []
    assert len(said) == 3 + 3 * len(MACHINES + HELD_OUT)


def test_false_alarms_and_missed_slowdowns_are_reported() -> None:
    calm = Tally("a", 0.0, 0.02, 100, failed=0.0, passed=1.0, blocks=6)
    slow = replace(calm, slowdown=0.05, failed=0.96, passed=0.0)
    assert selftest.shortfalls(calm, 0.95) == selftest.shortfalls(slow, 0.95) == []
    for held_out in (None, 0.95):
        assert "2.0% false alarms" in selftest.shortfalls(replace(calm, failed=0.02), held_out)[0]
    assert "94.0% of +5% detected" in selftest.shortfalls(replace(slow, failed=0.94), 0.95)[0]
    assert "4.0% of +5% passed" in selftest.shortfalls(replace(slow, passed=0.04), 0.95)[0]
    assert selftest.shortfalls(replace(slow, failed=0.5), None) == []


def test_a_gate_that_can_never_fail_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "ALPHA", 0.0)
    assert selftest.shortfalls(simulate.gate(MACHINES[0], 0.05, 0.02, 100, seed=0), 0.95)


def test_fresh_processes_are_what_tames_a_layout_kept_by_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    layout = next(m for m in MACHINES if m.process)
    with_them = simulate.gate(layout, 0.02, 0.02, 400, seed=1).failed
    monkeypatch.setattr(simulate, "FRESH", 1)
    monkeypatch.setattr(decision, "FRESH", 1)
    with_one = simulate.gate(layout, 0.02, 0.02, 400, seed=1).failed
    assert with_them < 0.07 < with_one


def test_the_machines_are_as_noisy_as_they_say() -> None:
    random = np.random.default_rng(0)
    still = Machine("still", visit=0.0, load=0.0)
    effects, control = simulate.blocks(still, 0.05, 2, 8, random)
    assert effects == pytest.approx(math.log1p(0.05))
    assert control == pytest.approx(0.0)
    walk = simulate._autoregressive(random.normal(size=(400, 300)), 0.9)
    assert walk.std() == pytest.approx(1, abs=0.03)
    assert np.mean(walk[:, 1:] * walk[:, :-1]) == pytest.approx(0.9, abs=0.03)
    held = simulate._held(random, 0.1, 4, (200, 300))
    assert set(np.unique(held)) == {0, 1, 2, 3}
    assert np.mean(held[:, 1:] != held[:, :-1]) == pytest.approx(0.1 * 3 / 4, abs=0.01)


def test_more_seeable_with_quieter_blocks() -> None:
    quiet = estimate(blocks(0.0, spread=0.005), QUIET[:21], 0.03)
    loud = estimate(blocks(0.0, spread=0.05), QUIET[:21], 0.03)
    assert 0.03 < decision.minimum_detectable_effect(quiet, 0.03) < decision.minimum_detectable_effect(loud, 0.03)
