"""What the gate's test on a real machine does by itself: its order, its ledger, its sums, its calibration."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from devices.contract import Config
from gate import artifacts
from gate.decision import Outcome
from gate.selftest import calibrate, selftest_log
from gate.selftest.calibrate import BATCHES, CLOSE, ENOUGH, FIRST_WIDTHS, SLOWDOWN, Found, next_width, settled, share
from gate.selftest.selftest_log import EQUAL, SLOWED_EVERY, SLOWER, Trial, left
from gate.selftest.simulate import Machine, blocks

PASSED = Trial(EQUAL, False, "tflite", Outcome.PASS, 0.001, 6, 6, 4.5, "2026-01-02T03:04:05+00:00", 0.0)
CAUGHT = replace(
    PASSED,
    kind=SLOWER,
    outcome=Outcome.FAIL,
    effect=math.log(1.07),
    seconds=17.0,
    injected=0.048,
    slowdown_sha256="abcdef0123456789",
    effects=((0.2, 0.2), (math.log(1.05), math.log(1.04)), (math.log(1.05), math.log(1.06))),
)


def test_a_slowed_down_gate_comes_with_every_few_equal_ones() -> None:
    whole = left([], 2 * SLOWED_EVERY)
    assert [kind for kind, _ in whole] == 2 * [SLOWER, *[EQUAL] * SLOWED_EVERY]
    assert [index for kind, index in whole if kind == EQUAL] == list(range(2 * SLOWED_EVERY))
    assert [kind for kind, _ in left([], 3)] == [SLOWER, EQUAL, EQUAL, EQUAL]


def test_a_run_goes_on_where_it_stopped() -> None:
    assert left([CAUGHT, PASSED], 3) == [(EQUAL, 1), (EQUAL, 2)]
    assert left([CAUGHT, *[PASSED] * 3], 3) == []
    assert left([PASSED] * 3, 3) == [(SLOWER, 0)], "what is missing of one kind is made up for"


def test_the_ledger_keeps_every_trial_and_a_torn_line_is_none(tmp_path: Path) -> None:
    ledger = tmp_path / "self-test.jsonl"
    assert selftest_log.read(ledger) == []
    ledger.write_text(f"{json.dumps(asdict(PASSED))}\n{json.dumps(asdict(CAUGHT))}\n" + json.dumps(asdict(PASSED))[:40])
    assert selftest_log.read(ledger) == [PASSED, CAUGHT]
    ledger.write_text(json.dumps(asdict(CAUGHT)).replace('"kind"', '"arm"').replace('"slowdown_sha256"', '"burden"'))
    assert selftest_log.read(ledger) == [CAUGHT], "a log with the former keys"


def test_what_a_gate_showed_is_told_by_the_processes_that_no_look_ended() -> None:
    assert CAUGHT.shown == pytest.approx(math.log(1.05))
    assert replace(CAUGHT, effects=CAUGHT.effects[:1]).shown == CAUGHT.effect


def test_the_summary_says_what_so_many_gates_can_say() -> None:
    equal, slowed = selftest_log.summary(
        [*[PASSED] * 199, replace(PASSED, outcome=Outcome.FAIL, seconds=61.0), *[CAUGHT] * 40]
    )
    assert equal.startswith("quiet, equal artifacts: 200 gates, 1 FAIL (0.5%, 95 % interval 0.0% to 2.8%), 199 PASS")
    assert "4.5 s a gate in the median, 61.0 s at most" in equal
    assert "slowed down by 4.8% when it was calibrated, 5.0% in the median of what these gates measured" in slowed
    assert "40 FAIL (100.0%, 95 % interval 91.2% to 100.0%)" in slowed


def test_quiet_and_noisy_and_each_slowdown_are_summed_apart() -> None:
    old = replace(CAUGHT, slowdown_sha256="0123456789abcdef", injected=0.056)
    doubt = replace(PASSED, neighbour=True, outcome=Outcome.INCONCLUSIVE)
    said = selftest_log.summary([doubt, old, old, CAUGHT, PASSED])
    assert [re.findall(r"(\d+) gates?,", line) for line in said] == [["1"], ["2"], ["1"], ["1"]]
    assert "(synthetic slow-down 01234567)" in said[1]
    assert "(synthetic slow-down abcdef01)" in said[2]
    assert said[3].startswith("beside a noisy neighbour, equal artifacts: 1 gate, 0 FAIL")
    assert "1 inconclusive" in said[3]


def test_shortfalls_of_real_gates() -> None:
    assert selftest_log.shortfalls([*[PASSED] * 100, *[CAUGHT] * 20]) == []
    loud = [*[PASSED] * 90, *[replace(PASSED, outcome=Outcome.FAIL)] * 10]
    assert "10.0% false alarms" in selftest_log.shortfalls(loud)[0]
    blind = [*[CAUGHT] * 8, *[replace(CAUGHT, outcome=Outcome.INCONCLUSIVE)] * 2]
    assert "80.0% of the slow-downs were detected" in selftest_log.shortfalls(blind)[0]
    crude = replace(CAUGHT, effects=(), effect=math.log(1.09))
    assert "measured 9.0% in their median, so that they do not test +5%" in selftest_log.shortfalls([crude])[0]


def test_a_run_counts_what_was_gathered_on_equal_artifacts_and_on_its_own_slowdown_alone() -> None:
    noisy, old = replace(PASSED, neighbour=True), replace(CAUGHT, slowdown_sha256="0123456789abcdef")
    assert selftest_log.counted([PASSED, noisy, old, CAUGHT], False, CAUGHT.slowdown_sha256) == [PASSED, CAUGHT]
    assert selftest_log.counted([PASSED, noisy, old, CAUGHT], True, "another") == [noisy]
    assert selftest_log.counted([PASSED, old], False, None) == [PASSED], "not an earlier slow-down"


UNEASY = Machine("blocks vary by 4 %, processes by 0.7 %", visit=0.025, load=0.02, process=0.005)


def calibrated(fixed: float, slope: float, machine: Machine, seed: int) -> tuple[int | None, dict[int, Found]]:
    """What `find` does, on a simulated machine on which a branch of `width` costs the share fixed + slope * width."""
    random = np.random.default_rng(seed)
    measured: dict[int, Found] = {}
    for _ in range(BATCHES):
        width = next_width(measured)
        drawn = blocks(machine, fixed + slope * width, calibrate.PROCESSES, calibrate.BLOCKS, random)
        effects, control = (of.ravel().tolist() for of in drawn)
        before = measured.get(width, ([], []))
        measured[width] = before[0] + effects, before[1] + control
        if settled(measured):
            break
    return settled(measured), measured


@pytest.mark.parametrize(("fixed", "slope"), [(0.004, 0.0001), (0.008, 0.00025), (0.02, 0.0002), (0.01, 0.002)])
def test_calibrating_ends_near_the_slow_down_and_not_where_noise_says_so(fixed: float, slope: float) -> None:
    ended = [calibrated(fixed, slope, UNEASY, seed)[0] for seed in range(40)]
    true = np.array([fixed + slope * width for width in ended if width])
    assert len(true) >= 36
    assert np.mean(np.abs(true - SLOWDOWN) < 0.012) >= 0.9
    assert np.median(true) == pytest.approx(SLOWDOWN, abs=0.004), "to neither side"


def exact(slow: float, count: int = ENOUGH) -> Found:
    return [math.log1p(slow)] * count, [0.01] * count


def test_the_line_says_what_to_measure_next() -> None:
    assert [next_width({}), next_width({FIRST_WIDTHS[0]: exact(0.1)})] == list(FIRST_WIDTHS)
    assert next_width({48: exact(0.03), 144: exact(0.07)}) == 96
    assert next_width({48: exact(0.03, 1), 96: exact(0.06), 144: exact(0.07)}) == 48, "one block weighs as one"
    assert next_width({48: exact(0.02), 144: exact(0.03)}) == 288, "at most twice the widest"
    assert next_width({48: exact(0.08), 144: exact(0.14)}) == 24, "at least half the narrowest"
    assert next_width({48: exact(0.03), 144: exact(0.02)}) == 288, "noise says nothing of where it crosses"
    assert next_width({48: exact(0.09), 144: exact(0.08)}) == 24
    assert next_width({48: exact(0.03), 100: exact(0.0501), 144: exact(0.07)}) == 100, "rather than a new neighbour"


def test_a_width_is_settled_on_when_enough_blocks_of_it_say_so() -> None:
    assert settled({96: exact(0.05, ENOUGH - 1)}) is None
    assert settled({96: exact(0.05), 48: exact(0.051, 400)}) == 96
    assert settled({96: exact(SLOWDOWN + 1.1 * CLOSE)}) is None
    assert share(exact(0.05)) == pytest.approx(0.05)


@pytest.mark.slow
def test_a_real_slowdown_is_found_and_kept_until_its_artifact_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gate.selftest import synthetic_slowdown
    from models.checkpoint import FOLDER

    for name, value in {"PROCESSES": 1, "BLOCKS": 2, "ENOUGH": 2, "BATCHES": 3}.items():
        monkeypatch.setattr(calibrate, name, value)
    checkpoint = FOLDER / "s16-skip-plain.safetensors"
    config = Config("s16-skip-plain", "onnx")
    plain = artifacts.of_file(
        synthetic_slowdown.convert(checkpoint, "onnx", config.resolution, 8, tmp_path / "plain"), "onnx"
    )
    said: list[str] = []
    slower = calibrate.find(config, plain, checkpoint, tmp_path, said.append)
    assert said[0].startswith(f"calibrating: {FIRST_WIDTHS[0]} channels, 2 blocks: ")
    assert slower.artifact.sha256 != plain.sha256
    assert calibrate.kept(config, checkpoint, tmp_path) == slower
    assert calibrate.kept(replace(config, format="openvino"), checkpoint, tmp_path) is None
    slower.artifact.path.write_bytes(plain.path.read_bytes())
    assert calibrate.kept(config, checkpoint, tmp_path) is None
