"""Verdicts in words and files, what needs no clock, and gate.toml."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from converters.artifact import Parity
from devices.contract import Config
from devices.paired import BASELINE, CANDIDATE, CONTROL, Block, order_of
from evaluation.score import Score
from gate import blocks, config, output, run, section, static_checks
from gate.artifacts import GateArtifact, MissingArtifact
from gate.config import Tolerance
from gate.decision import FIRST, MOST, Outcome
from gate.verdict import Finding, Result, Speed, Verdict, title, words, worst
from models.variant import get
from reports import gitinfo
from reports.store import Figure

MS = 1_000_000


def measured(change: float, count: int = 21, noise: float = 0.004, drift: float = 0.0, seed: int = 0) -> list[Block]:
    """Blocks of visits of five samples around 5 ms, on a machine that slows down by `drift` from visit to visit."""
    random = np.random.default_rng(seed)
    made = []
    for index in range(count):
        order = order_of(index, seed)
        levels = [
            math.log1p(change) * (role == CANDIDATE) + random.normal(0, noise) + drift * visit
            for visit, role in enumerate(order)
        ]
        made.append(Block(order, tuple(tuple([int(5 * MS * math.exp(level))] * 5) for level in levels)))
    return made


def speed(change: float, outcome: Outcome, **more: float) -> Speed:
    return Speed(0.02, outcome, tuple(measured(change, **more)), seconds=20.0)  # type: ignore[arg-type]


def result(*verdicts: Verdict) -> Result:
    return Result("main (1234567890)", "abcdef1234", "2026-01-02T03:04:05+00:00", verdicts, {"cores": 2})


ALL = (
    Verdict("a/tflite", (Finding("size", Outcome.PASS, "1 MB."),), speed(0.0, Outcome.PASS)),
    Verdict("b/tflite", speed=replace(speed(0.06, Outcome.FAIL), fresh=(tuple(measured(0.06, 7, seed=1)),) * 3)),
    Verdict("c/onnx", speed=speed(0.02, Outcome.INCONCLUSIVE)),
    Verdict("d/openvino", reason="its candidate is absent: <no> checkpoint"),
    Verdict("e/onnx", equal=True),
)


@pytest.mark.parametrize(
    ("instructions", "time", "expected"),
    [
        (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.PASS),
        (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.FAIL),
        (Outcome.PASS, Outcome.FAIL, Outcome.FAIL),
        (None, Outcome.INCONCLUSIVE, Outcome.INCONCLUSIVE),
    ],
)
def test_a_clock_that_advises_leaves_doubt_to_the_instructions(
    instructions: Outcome | None, time: Outcome, expected: Outcome
) -> None:
    advising = replace(speed(0.02, time), advises=True)
    verdict = Verdict("a", (Finding("instructions", instructions, "20 M."),), advising)
    assert verdict.outcome is expected
    assert replace(verdict, speed=replace(advising, advises=False)).outcome is worst(
        [o for o in (instructions, time) if o]
    )
    assert ("The ARM instructions decide." in " ".join(words(verdict))) == (
        bool(instructions) and time is Outcome.INCONCLUSIVE
    )
    assert output.from_json(output.to_json(result(verdict))) == result(verdict)


def test_drift_cancels_inside_a_block() -> None:
    effects, control = blocks.effects(measured(0.05, noise=0.0, drift=0.03))
    assert np.expm1(effects) == pytest.approx(0.05, abs=1e-4)
    assert control == pytest.approx([0.09] * len(control), abs=1e-4)  # three visits from one of the control to the next


@pytest.mark.parametrize("damage", ["visit", "samples", "time", "role"])
def test_a_truncated_block_is_not_one(damage: str) -> None:
    (whole,) = measured(0.0, 1)
    cut = {
        "visit": replace(whole, ns=whole.ns[:-1]),
        "samples": replace(whole, ns=(*whole.ns[:-1], ())),
        "time": replace(whole, ns=(*whole.ns[:-1], (0,))),
        "role": Block(whole.order[:2], whole.ns[:2]),
    }[damage]
    assert blocks.effect(cut) is None
    assert blocks.effects([whole, cut])[0] == blocks.effects([whole])[0]


def test_words_say_the_ratio_its_interval_the_tolerance_and_what_could_be_seen() -> None:
    (passed,) = words(Verdict("a", speed=speed(0.0, Outcome.PASS)))
    assert passed.startswith("PASS; a slow-down of ")
    assert "or more would have been detected" in passed
    assert "tolerance 2.0 %" in passed
    assert "21 of 21 blocks" in passed
    (failed,) = words(ALL[1])
    assert "+6.0 %" in failed
    assert "3 new processes confirmed it" in failed
    (doubt,) = words(ALL[2])
    assert "the minimum detectable effect is a slow-down of" in doubt
    empty = Verdict("a", speed=Speed(0.02, Outcome.NOT_MEASURED, ()))
    assert "NOT MEASURED; 0 complete blocks" in words(empty)[0]
    assert empty.outcome is Outcome.NOT_MEASURED


def test_exit_codes_and_what_outranks_what() -> None:
    assert [result(verdict).exit_code for verdict in ALL] == [0, 1, 2, 3, 0]
    assert result(*ALL).exit_code == 1
    assert result(ALL[0], ALL[2], ALL[3]).exit_code == 3
    assert result().exit_code == 3, "a gate of no configurations must not pass"
    assert Verdict("never ran").outcome is Outcome.NOT_MEASURED
    assert worst([]) is Outcome.NOT_MEASURED
    # A configuration whose size regressed has regressed, even where its speed could not be measured.
    assert Verdict("x", (Finding("size", Outcome.FAIL, ""),), reason="no").outcome is Outcome.FAIL
    assert Verdict("x", (Finding("size", Outcome.PASS, ""),), reason="no").outcome is Outcome.NOT_MEASURED


def test_json_keeps_everything(tmp_path: Path) -> None:
    output.write(result(*ALL), tmp_path)
    text = (tmp_path / "gate.json").read_text()
    assert output.from_json(text) == result(*ALL)
    former = text.replace('"configurations"', '"cells"').replace('"configuration"', '"cell"')
    assert output.from_json(former) == result(*ALL), "a result with the former keys"
    assert json.loads(text)["exit_code"] == 1
    assert json.loads(text)["configurations"][1]["change"]["effect"] == pytest.approx(0.06, abs=0.003)


def test_markdown_and_junit(tmp_path: Path) -> None:
    text = output.markdown(result(*ALL))
    assert "REGRESSION: 1 regressed, 1 not measured, 1 inconclusive, 2 passed" in text
    assert "&lt;no> checkpoint" in text
    assert all(verdict.configuration in text for verdict in ALL)
    suite = ElementTree.fromstring(output.junit(result(*ALL)))
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "1", "errors": "1", "skipped": "1"}
    assert suite.find("testcase[@name='b/tflite']/failure") is not None
    assert suite.find("testcase[@name='d/openvino']/error") is not None


def test_a_regression_looks_like_one_in_page_and_comment(tmp_path: Path) -> None:
    address = "https://github.com/owner/name/compare/a...b"
    past = (
        Figure("b/tflite", "gate ms", "CPU", "r1", "2026-01-01T01:00", "aaaaaaaaaaaa", 5.0),
        Figure("a/tflite", "gate ms", "CPU", "r1", "2026-01-01T01:00", "aaaaaaaaaaaa", 7.77),
    )
    slower = replace(result(*ALL), link=address, past=past)
    assert title(slower) == "Regression: b/tflite, frame time +6.1 %"
    comment = output.markdown(slower)
    assert comment.startswith(
        "### ❌ FPS gate. Regression: b/tflite, frame time +6.1 %\n\n> [!CAUTION]\n> `b/tflite`: FAIL"
    )
    (line,) = (line for line in comment.splitlines() if line.startswith("| ❌ | `b/tflite`"))
    times = r"`b/tflite` \| \d\.\d\d \| \d\.\d\d"
    assert re.search(times + r" \| \*\*\+6\.1 % \(\+\d\.\d % to \+6\.\d %; \d\d of 42 blocks\)\*\* \| 2\.0 %", line)
    assert f"[what changed]({address})" in comment
    assert re.search(r"ms a frame: 5\.00, now 5\.3\d\.", comment)
    output.write(slower, tmp_path)
    assert output.from_json((tmp_path / "gate.json").read_text()) == slower
    section.page([tmp_path], tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text()
    assert "<title>FPS gate. Regression: b/tflite, frame time +6.1 %</title>" in text
    card = text.split('<section class="recommended fail">')[1].split("</section>")[0]
    assert f'<a href="{address}">' in card
    assert re.search(
        r"<dd>\d\.\d\d</dd>.*<dd>\d\.\d\d</dd>.*<dd>\+6\.1 % <span>\+\d\.\d % to \+6\.\d %</span>", card, re.DOTALL
    )
    assert "<title>5.00 ms, aaaaaaaaaa, 2026-01-01T01:00</title>" in text
    assert "<title>7.77 ms" in text


@pytest.mark.parametrize(
    ("verdicts", "head", "alert", "card"),
    [
        (ALL[:1], "No regression in 1 configuration", "TIP", "pass"),
        ((ALL[0], ALL[2]), "Inconclusive: 1 of 2 configurations", "WARNING", "inconclusive"),
        ((ALL[0], ALL[3]), "Could not measure: 1 of 2 configurations", "WARNING", "not-measured"),
        ((), "Could not measure: no configuration is declared", "WARNING", "not-measured"),
        (
            (Verdict("live/tflite/fp32/64x64/desktop/cpu1", (Finding("size", Outcome.FAIL, "FAIL; 2 MB."),)), ALL[1]),
            "Regression: live/tflite/fp32, size, and 1 more",
            "CAUTION",
            "fail",
        ),
    ],
)
def test_what_is_no_regression_does_not_look_like_one(
    tmp_path: Path, verdicts: tuple[Verdict, ...], head: str, alert: str, card: str
) -> None:
    assert title(result(*verdicts)) == head
    assert f"> [!{alert}]" in output.markdown(result(*verdicts))
    output.write(result(*verdicts), tmp_path)
    section.page([tmp_path], tmp_path / "page.html")
    assert f'<section class="recommended {card}">' in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("remote", "expected"),
    [
        ("git@github.com:owner/name.git", "https://github.com/owner/name/compare/a...b"),
        ("https://user:secret@github.com/owner/name", "https://github.com/owner/name/compare/a...b"),
        ("ssh://git@gitlab.com:22/group/sub/name.git", "https://gitlab.com/group/sub/name/-/compare/a...b"),
        ("/srv/git/name.git", ""),
        ("https://git.example.com/owner/name", ""),
    ],
)
def test_the_address_of_a_comparison(remote: str, expected: str) -> None:
    assert gitinfo.compare_address(remote, "a", "b") == expected


def test_the_page_draws_every_block(tmp_path: Path) -> None:
    output.write(result(*ALL), tmp_path)
    assert section.page([tmp_path], tmp_path / "page.html", now=datetime(2026, 1, 2, tzinfo=UTC)) == []
    text = (tmp_path / "page.html").read_text()
    assert text.count("<title>block ") == sum(len(verdict.speed.blocks) for verdict in ALL if verdict.speed)
    assert "1 regressed, 1 not measured, 1 inconclusive, 2 passed" in text
    assert "Nothing can be recommended" not in text
    with pytest.raises(ValueError, match="no rows there"):
        section.page([tmp_path / "nothing"], tmp_path / "page.html")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cells": 1}'])
def test_a_damaged_result_costs_its_own_section_and_is_said(tmp_path: Path, text: str) -> None:
    for name in ("good", "bad"):
        output.write(result(ALL[4]), tmp_path / name)
    (tmp_path / "bad" / "gate.json").write_text(text)
    (said,) = section.page([tmp_path / "bad", tmp_path / "good"], tmp_path / "page.html")
    assert said.startswith(f"{tmp_path}/bad/gate.json: not a complete result of a gate")
    shown = (tmp_path / "page.html").read_text()
    assert shown.count('<section class="recommended pass">') == 1
    assert said in shown


def test_a_new_layout_operator_is_a_regression() -> None:
    before = {"ops": {"CONV_2D": 5}, "leftovers": {"TRANSPOSE": 0, "PAD": 0}}
    now = {"ops": {"CONV_2D": 5, "TRANSPOSE": 2}, "leftovers": {"TRANSPOSE": 2, "PAD": 0}}
    found = static_checks.graph(before, now)
    assert found.outcome is Outcome.FAIL
    assert "the graph has 2 TRANSPOSE more than before" in found.words
    assert static_checks.graph(now, before).outcome is Outcome.PASS
    assert static_checks.graph(before, before).words == "The operators are the same."


def test_shares() -> None:
    tolerance = Tolerance(size=0.02, macs=0.0, instructions=0.01)
    assert static_checks.size(1000, 1020, tolerance).outcome is Outcome.PASS
    assert static_checks.size(1000, 1021, tolerance).outcome is Outcome.FAIL
    assert static_checks.macs(100, 101, tolerance).outcome is Outcome.FAIL
    assert static_checks.macs(None, 101, tolerance).outcome is None
    assert static_checks.instructions(1000, 1011, tolerance, "no dot products").outcome is Outcome.FAIL
    assert static_checks.instructions(1000, 1009, tolerance, "no dot products").outcome is Outcome.PASS


def test_placement() -> None:
    whole = {"actual": "XNNPACK", "delegated": 60, "ops": 60}
    part = {"actual": "XNNPACK and LiteRT's own kernels", "delegated": 50, "ops": 60}
    assert static_checks.placement(whole, whole).outcome is Outcome.PASS
    assert "10 more operators run on slow kernels" in static_checks.placement(whole, part).words
    assert static_checks.placement(whole, {"actual": "CPU"}).outcome is Outcome.FAIL
    better = static_checks.placement(part, whole)
    assert better.outcome is Outcome.PASS, "a delegate that takes more is no regression"
    assert better.words.endswith("took 60 of 60 operators, 10 more than before.")
    gpu = {"actual": "GPU", "delegated": 60, "ops": 60}
    for before in (whole, part):
        assert static_checks.placement(before, gpu).outcome is Outcome.FAIL, "another place is another measurement"


def test_parity() -> None:
    good = Parity(30, 1e-5, 1e-7, 0.0, {})
    assert static_checks.parity(good).outcome is Outcome.PASS
    assert static_checks.parity(replace(good, tolerance_exceeded="it deviates")).outcome is Outcome.FAIL
    assert static_checks.parity(None).outcome is None


def score(ious: Sequence[float]) -> Score:
    per_image = tuple((f"clip-{i}/000", float(iou), float(iou)) for i, iou in enumerate(ious))
    return Score(0.9, (0.8, 1.0), 0.9, (0.8, 1.0), None, None, len(ious), per_image)


def test_accuracy_is_paired_over_frames() -> None:
    random = np.random.default_rng(0)
    before = random.uniform(0.5, 1.0, 40)  # far apart from frame to frame: unpaired, nothing could be told
    tolerance = Tolerance(iou_points=0.5, boundary_points=2.0)

    def outcomes(now: Sequence[float] | np.ndarray) -> list[Outcome | None]:
        return [f.outcome for f in static_checks.accuracy(score(before), score(now), tolerance)]  # type: ignore[arg-type]

    assert outcomes(before) == [Outcome.PASS, Outcome.PASS]
    assert outcomes(before - 0.01) == [Outcome.FAIL, Outcome.PASS]
    assert outcomes(before - 0.005 + random.normal(0, 0.01, 40)) == [Outcome.INCONCLUSIVE, Outcome.PASS]


def test_the_declared_configurations(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(
        '[tolerance]\nslowdown = "4 %"\nsize = 0.1\n[[configuration]]\nvariant = "s16-skip-plain"\nformat = "onnx"\n'
        '[[cell]]\nvariant = "s16-skip-plain"\nformat = "tflite"\nprecision = "int8"\ntolerance = { slowdown = "2%" }\n'
        '[[configuration]]\nmodel = "nets/mine.onnx"\nthreads = 2\ndescription = { mean = [0.5, 0.5, 0.5] }\n'
    )
    first, model, second = config.read(path)
    assert isinstance(first, config.GateCase)
    height, width = get("s16-skip-plain").resolution
    assert first.config.name == f"s16-skip-plain/onnx/fp32/{height}x{width}/desktop/cpu1"
    assert (first.tolerance.slowdown, second.tolerance.slowdown, second.tolerance.size) == (0.04, 0.02, 0.1)
    described = {"mean": [0.5, 0.5, 0.5]}
    assert model == config.ModelCase("nets/mine.onnx", "", 2, described, Tolerance(slowdown=0.04, size=0.1))
    assert (model.name, model.before) == ("nets/mine.onnx on 2 threads", "nets/mine.onnx")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "declares no configuration"),
        ("cells = 1", "has no 'cells'"),
        ("cell = ", "not TOML"),
        ('[[cell]]\nformat = "onnx"', "lacks its variant"),
        ('[[cell]]\nvariant = "s5"\nformat = "onnx"', "no variant 's5'"),
        ('[[cell]]\nvariant = "live"\nformat = "ncnn"', "'ncnn' is none of"),
        ('[tolerance]\nslowdown = "much"\n[[cell]]\nvariant = "live"\nformat = "onnx"', "'much' is no share"),
        ('[tolerance]\nslowdown = -1\n[[cell]]\nvariant = "live"\nformat = "onnx"', "must be from 0 % to below 100 %"),
        ('[tolerance]\nslowdown = 3\n[[cell]]\nvariant = "live"\nformat = "onnx"', "'3' is no tolerance"),
        ('[tolerance]\niou_points = "3 %"\n[[cell]]\nvariant = "live"\nformat = "onnx"', "no number of points"),
        ('tolerance = 1\n[[cell]]\nvariant = "live"\nformat = "onnx"', "tolerances are a table"),
        ('[cell]\nvariant = "live"\nformat = "onnx"', r"begins with \[\[configuration\]\]"),
        ("cell = [1]", "a configuration is a table"),
        ("configuration = 1", r"begins with \[\[configuration\]\]"),
        (
            '[[cell]]\nvariant = "live"\nformat = "onnx"\n[[configuration]]\nvariant = "live"\nformat = "onnx"\n',
            "twice",
        ),
        ('[[cell]]\nvariant = "live"\nformat = "onnx"\nthreads = 0', "threads is a whole number from 1"),
        ('[[cell]]\nvariant = "live"\nformat = "onnx"\nresolution = "64x64"', r"a resolution is \[height, width\]"),
        ('[[cell]]\nvariant = "live"\nformat = "onnx"\nresolution = [60, 64]', "multiples of 16"),
        ('[[cell]]\nvariant = "live"\nformat = "onnx"\ndevice = "dekstop"', "no device 'dekstop'; there are: desktop"),
        ('[[cell]]\nmodel = "a.onnx"\nformat = "onnx"', "a configuration of a model file has no 'format'"),
        ("[[cell]]\nmodel = 3", "model is the path of a model file, not 3"),
        ('[[cell]]\nmodel = "a.onnx"\nbaseline = ""', "baseline is the path of a model file, not ''"),
        ('[[cell]]\nmodel = "a.onnx"\nthreads = true', "threads is a whole number from 1, not True"),
        ('[[cell]]\nmodel = "a.onnx"\ndescription = 1', "a description is a table"),
        ('[[cell]]\nmodel = "a.onnx"\n[cell.description]\nmeen = 1', "meen is no field"),
        ('[[cell]]\nmodel = "a.onnx"\n[cell.description]\nlayout = "NWHC"', "layout is 'NWHC', not"),
        ('[[cell]]\nmodel = "a.onnx"\n[cell.description]\nsha256 = "0"', "sha256 is no field of a description"),
        ('[[cell]]\nmodel = "a.onnx"\n' * 2, "declared twice"),
        ('[[cell]]\nvariant = "live"\nformat = "onnx"\n' * 2, "declared twice"),
    ],
)
def test_a_mistake_in_the_declaration_is_a_sentence(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "gate.toml").write_text(text)
    with pytest.raises(ValueError, match=said):
        config.read(tmp_path / "gate.toml")


def test_the_repository_declares_valid_configurations() -> None:
    from tests.conftest import ROOT

    assert config.read(ROOT / "gate.toml")


class Played:
    """A pair that plays back blocks made beforehand, in place of a process."""

    def __init__(self, made: list[Block]) -> None:
        self.made = made

    def blocks(self, count: int) -> list[Block]:
        taken, self.made = self.made[:count], self.made[count:]
        return taken


@pytest.mark.parametrize(("change", "count"), [(0.0, FIRST), (0.06, FIRST), (0.02, MOST)])
def test_blocks_are_measured_until_they_decide(change: float, count: int) -> None:
    played = Played(measured(change, 61, seed=1))
    assert len(run.until_decided(played, 0.02, seconds=60)) == count  # type: ignore[arg-type]


def test_time_that_is_up_ends_it() -> None:
    assert len(run.until_decided(Played(measured(0.02, 61)), 0.02, seconds=0)) == FIRST  # type: ignore[arg-type]


def test_an_missing_artifact_never_passes_and_equal_ones_pass_unmeasured() -> None:
    config_ = Config("s16-skip-plain", "onnx")
    artifact = GateArtifact(Path("a.onnx"), "abc", 10)
    from evaluation.sample import embedded

    def verdict(before: GateArtifact | MissingArtifact, now: GateArtifact | MissingArtifact) -> Verdict:
        (found,) = run.run([run.Comparison(config_, before, now)], embedded())
        return found

    assert verdict(artifact, artifact).equal
    assert verdict(artifact, artifact).outcome is Outcome.PASS
    assert verdict(MissingArtifact("it is new"), artifact).outcome is Outcome.NOT_MEASURED
    assert words(verdict(artifact, MissingArtifact("it is gone"))) == [
        "NOT MEASURED; its candidate is absent: it is gone."
    ]


def test_a_block_is_the_median_of_its_rounds() -> None:
    def block(changes: list[float], control: list[float]) -> Block:
        order = order_of(0, 0, len(changes))
        levels = [changes[min(i // 6, len(changes) - 1)] * (role == CANDIDATE) for i, role in enumerate(order)]
        levels = [control[i // 3] if role == CONTROL else levels[i] for i, role in enumerate(order)]
        return Block(order, tuple((round(100 * MS * math.exp(level)),) * 3 for level in levels))

    effect, moved = blocks.effect(block([0.01, 0.03, 5.0], [0.0, 0.1, 0.1, 0.1, 0.1, 3.0, 3.02]))  # type: ignore[misc]
    assert effect == pytest.approx(0.03)
    assert moved == pytest.approx(0.01)  # steps of 0.1, 0, 0, 0, 2.9, 0.02
    whole = block([0.0, 0.0], [0.0] * 5)
    assert blocks.effect(whole) == (0.0, 0.0)
    assert blocks.effect(Block(whole.order[:-1], whole.ns[:-1])) is None
    assert blocks.effect(Block((*whole.order[:7], *(BASELINE,) * 5, CONTROL), whole.ns)) is None


def test_control_is_visited_around_baseline_and_candidate() -> None:
    for index in range(0, 20, 2):
        one, other = order_of(index, 5), order_of(index + 1, 5)
        assert {one[1], other[1]} == {BASELINE, CANDIDATE}
        assert one == one[::-1]
        assert [i for i, role in enumerate(one) if role == CONTROL] == [0, 3, 6]
