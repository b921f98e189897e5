"""The search: its space, its clock, its trials and its report; a trial that fails says why."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch

from costs.blocks import Block
from models.hourglass import Hourglass
from models.variant import Variant, get, parse_resolution
from training.search import __main__ as command
from training.search import cost, report, space, trial
from training.search.cost import Table
from training.search.trial import Failed, Here, Settings

SETTINGS = Settings("theirs", 100, 4, 0.5, 0, 8, ("faces",), ("--bf16",))
TINY = Variant(
    squeeze=8,
    head="plain",
    entry="add",
    stem=16,
    widths=(32, 64, 128),
    depths=(0, 0, 0),
    decoder=(32, 16, 16),
    resolution=(96, 160),
)


def here(out: Path, **changes) -> Here:
    known = Here(out, (out,), out, 1, space.RESOLUTIONS, 1.0, 2)
    return replace(known, **changes)


@pytest.fixture
def study() -> optuna.Study:
    return command.open_study(None, SETTINGS, seed=1)


def test_parameters_and_variants_are_each_others_inverse():
    assert space.variant(space.parameters(TINY)) == TINY
    assert space.variant(space.parameters(get("s4-skip-light"))) == get("s4-skip-light")


def test_what_the_space_does_not_hold_is_named():
    with pytest.raises(ValueError, match="stem 24 is not in the space: 16, 32, 48"):
        space.parameters(replace(TINY, stem=24))


def test_a_variant_may_be_given_with_its_changes(study, monkeypatch, tmp_path):
    assert space.variant(space.candidate("s4-skip-light:squeeze=8:kernel=4:resolution=160x256")) == replace(
        get("s4-skip-light"), squeeze=8, kernel=4, resolution=(160, 256)
    )
    for text, said in {
        "s4-skip-light:squeeze=5": "squeeze 5 is not in",
        "s4-skip-light:colour=3": "'colour' is not in",
    }.items():
        with pytest.raises(ValueError, match=f"--start {text}: {said}"):
            command.begin(study, [text], here(tmp_path))
    answers(monkeypatch)
    command.begin(study, ["s4-skip-light:skips=False"], here(tmp_path))
    command.search(study, SETTINGS, here(tmp_path), 1, lambda _: None)
    assert not Variant.from_dict(study.trials[0].user_attrs["variant"]).skips


def test_a_field_that_is_not_searched_must_be_as_it_is_in_the_space():
    with pytest.raises(ValueError, match="not searched"):
        space.parameters(replace(TINY, previous_mask=False))


def test_every_candidate_is_a_network(study):
    for _ in range(20):
        found = space.suggest(study.ask())
        found.check_resolution(found.resolution)
        assert found.stem % 16 == 0
        with torch.device("meta"):
            Hourglass(found)


def test_the_training_pictures_have_the_inputs_area():
    assert space.training_size((256, 256)) == 256
    assert space.training_size((96, 160)) == 128
    assert space.training_size((160, 256)) == 192


@pytest.mark.parametrize("text", ["256", "30x32", "axb"])
def test_a_wrong_size_is_a_sentence(text):
    with pytest.raises(ValueError, match=r"HEIGHTxWIDTH|multiples of 16"):
        parse_resolution(text)


class Machine:
    """Two loops that take 2 and 5 ms on a machine that slows down by a microsecond with every inference."""

    def __init__(self) -> None:
        self.now, self.slower, self.visits = 0, 0, ""

    def spend(self, ms: float, name: str) -> None:
        self.slower += 1_000
        self.now += int(ms * 1e6) + self.slower
        self.visits += name


def test_a_drift_cancels_in_the_ratio():
    machine = Machine()
    found = cost.measure(
        lambda: machine.spend(2, "c"), lambda: machine.spend(5, "r"), pairs=20, clock=lambda: machine.now
    )
    # 2 ms and 5 ms, both with the same growing part on top: a ratio of mere halves, first then second, drifts away.
    added = machine.slower / 2e6
    assert found.median == pytest.approx((2 + added) / (5 + added), rel=0.01)
    assert found.low <= found.median <= found.high
    assert found.pairs == 20
    visit = cost.LEAD_IN + cost.BURST
    visits = machine.visits[2 * cost.WARM_UP :]
    order = [visits[i : i + visit] for i in range(0, 8 * visit, visit)]
    assert [set(one) for one in order] == [{name} for name in "crrcrccr"]


def test_an_interruption_inside_a_visit_is_left_out():
    times = itertools.cycle([2e6, 2e6, 9e6, 2e6, 2e6])
    now = 0

    def candidate():
        nonlocal now
        now += int(next(times))

    def reference():
        nonlocal now
        now += 4_000_000

    assert cost.measure(candidate, reference, 4, lambda: now).median == pytest.approx(0.5)


def test_a_table_measures_a_block_once_and_remembers_it(tmp_path):
    asked = []

    def alone(block):
        asked.append(block.name)
        return 0.25

    one = Block("one", torch.nn.Conv2d(3, 4, 1), (torch.rand(1, 3, 8, 8),))
    same = Block("same", torch.nn.Conv2d(3, 4, 1), (torch.rand(1, 3, 8, 8),))
    larger = Block("larger", torch.nn.Conv2d(3, 4, 1), (torch.rand(1, 3, 16, 8),))
    path = tmp_path / "blocks.json"
    found = Table(path, "theirs on a").look_up([(one, 2), (same, 1), (larger, 1)], alone)
    assert found == {"one × 2": 0.5, "same": 0.25, "larger": 0.25}
    assert asked == ["one", "larger"]
    Table(path, "theirs on a").look_up([(larger, 1)], alone)
    assert asked == ["one", "larger"]
    Table(path, "theirs on b").look_up([(larger, 1)], alone)
    assert asked == ["one", "larger", "larger"]
    assert set(json.loads(path.read_text())) == {"theirs on a", "theirs on b"}


@pytest.mark.parametrize("entry", ["add", "concat"])
def test_the_pieces_are_the_whole_network(entry):
    from models.cost import convolution_macs, macs

    variant = replace(TINY, entry=entry, depths=(1, 2, 2))
    pieces = cost.pieces(Hourglass(variant).eval())
    assert sum(n * convolution_macs(b.module, b.inputs) for b, n in pieces) == macs(variant, variant.resolution)
    names = [block.name for block, _ in pieces]
    assert "sigmoid" in names
    assert ("join" in names) == (entry == "concat")


def answers(monkeypatch, median=0.5, blocks=0.6, iou=90.0):
    """Trials whose clock and training are put aside, for what decides around them."""
    ratio = {"median": median, "low": median - 0.01, "high": median + 0.01, "pairs": 8, "reference_ms": 4.0}
    monkeypatch.setattr(trial, "costs", lambda *_: {"blocks": blocks, "measured": ratio, "parts": {"stem": blocks}})
    monkeypatch.setattr(trial, "learn", lambda *_: {"faces": {"iou": iou, "low": iou - 1, "high": iou + 1}})


def test_prediction_and_outcome_stand_side_by_side(study, monkeypatch, tmp_path):
    said = []
    answers(monkeypatch)
    command.search(study, SETTINGS, here(tmp_path), 1, said.append)
    answers(monkeypatch, median=0.9, blocks=1.2, iou=95.0)
    command.search(study, SETTINGS, here(tmp_path), 1, said.append)
    one, two = study.trials
    assert one.values == [0.5, 90.0]
    assert one.user_attrs["predicted"] == 0.6  # nothing is known yet of what a sum is worth
    assert two.user_attrs["predicted"] == pytest.approx(1.2 * 0.5 / 0.6)
    assert report.errors([one, two]) == pytest.approx([0.5 / 0.6 - 1, -0.1])
    assert said[1] == "trial 1: 0.900 times the reference's time (1.000 foretold), IOU 95.00 %"


def test_a_slow_candidate_is_measured_and_not_trained(study, monkeypatch, tmp_path):
    answers(monkeypatch, median=1.4)
    monkeypatch.setattr(trial, "learn", lambda *_: pytest.fail("it was trained"))
    said = []
    command.search(study, SETTINGS, here(tmp_path), 1, said.append)
    assert study.trials[0].state == optuna.trial.TrialState.PRUNED
    assert study.trials[0].user_attrs["reason"] == "it takes 1.40 times the reference's time, more than 1"


def test_a_trial_that_fails_says_why_and_the_search_goes_on(study, monkeypatch, tmp_path):
    answers(monkeypatch)

    def dies(*_):
        raise Failed("training died of SIGKILL")

    monkeypatch.setattr(trial, "learn", dies)
    said = []
    command.search(study, SETTINGS, here(tmp_path), 2, said.append)
    assert [t.state.name for t in study.trials] == ["FAIL", "FAIL"]
    assert said[0] == "trial 0 failed: training died of SIGKILL"
    page = report.write(study, tmp_path).read_text()
    assert "2 failed" in page
    assert "training died of SIGKILL" in page


def test_an_interrupted_trial_is_the_next_ones_first(study, monkeypatch, tmp_path):
    answers(monkeypatch)

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(trial, "learn", interrupted)
        with pytest.raises(KeyboardInterrupt):
            command.search(study, SETTINGS, here(tmp_path), 3, print)
    command.search(study, SETTINGS, here(tmp_path), 1, lambda _: None)
    first, again = study.trials
    assert first.state.name == "FAIL"
    assert first.user_attrs["reason"] == "interrupted"
    assert again.state.name == "COMPLETE"
    assert again.params == first.params


def test_the_childs_last_words_are_the_reason(monkeypatch):
    with pytest.raises(Failed, match=r"measuring ended with code 3 after saying: no such thing"):
        trial._run(["-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"], "measuring")
    with pytest.raises(Failed, match="measuring died of SIGKILL"):
        trial._run(["-c", "import os; os.kill(os.getpid(), 9)"], "measuring")
    assert trial._run(["-c", "print('words'); print('{\"a\": 1}')"], "measuring") == {"a": 1}


def test_named_variants_come_first_and_once(study, monkeypatch, tmp_path):
    answers(monkeypatch)
    for _ in range(2):
        command.begin(study, ["s4-skip-light"], here(tmp_path))
    command.search(study, SETTINGS, here(tmp_path), 2, lambda _: None)
    first, second = study.trials
    assert Variant.from_dict(first.user_attrs["variant"]) == get("s4-skip-light")
    assert first.user_attrs["start"] == "s4-skip-light"
    assert "start" not in second.user_attrs


@pytest.mark.parametrize("where", ["study.log", "study.sqlite"])
def test_two_processes_may_share_a_study_but_not_with_other_settings(where, monkeypatch, tmp_path):
    answers(monkeypatch)
    path = str(tmp_path / where)
    for number in range(2):
        study = command.open_study(command.storage(path), SETTINGS, seed=number)
        command.search(study, SETTINGS, here(tmp_path), 1, lambda _: None)
    assert [t.number for t in command.load(path).trials] == [0, 1]
    with pytest.raises(ValueError, match="begun with samples 100, not 200"):
        command.open_study(command.storage(path), replace(SETTINGS, samples=200), seed=0)


def test_the_report_shows_the_front_and_every_trial(study, monkeypatch, tmp_path):
    said = []
    for number in range(9):
        answers(monkeypatch, median=0.3 + 0.1 * number, blocks=0.4 + 0.1 * number, iou=80 + (number * 5) % 9)
        command.search(study, SETTINGS, here(tmp_path, slowest=9.0), 1, said.append)
    page = report.write(study, tmp_path).read_text()
    for name in ("front", "prediction", "importances"):
        assert f"![{name}]({name}.png)" in page
        assert (tmp_path / f"{name}.png").stat().st_size > 5000
    assert "Further options of train.py: `--bf16`." in page
    front, everything = page.partition("## Prediction and outcome")[::2]
    assert {line.split(" | ")[0] for line in front.splitlines() if line.startswith("| ") and line[2].isdigit()} == {
        f"| {t.number}" for t in study.best_trials
    }
    assert sum(line.startswith("| ") and line[2].isdigit() for line in everything.splitlines()) == 9
    pairs = [(t.user_attrs["predicted"], t.user_attrs["measured"]["median"]) for t in study.trials]
    ranks = np.argsort(np.argsort(np.array(pairs), axis=0), axis=0)
    assert f"rank correlation of {np.corrcoef(ranks.T)[0, 1]:.2f}" in page
    lines = (tmp_path / "trials.csv").read_text().splitlines()
    assert len(lines) == 10


def test_a_dry_run_touches_nothing(tmp_path, capsys):
    out = tmp_path / "out"
    assert command.main(["--dry-run", "--trials", "2", "--start", "s4-skip-light", "--out", str(out)]) == 0
    assert "641,921" in capsys.readouterr().out
    assert not out.exists()


def test_mistakes_are_sentences(tmp_path, capsys):
    assert command.main(["--trials", "0", "--out", str(tmp_path)]) == 2
    assert "holds no study yet" in capsys.readouterr().err
    assert command.main(["--dry-run", "--start", "s16-skip-dense"]) == 2
    assert "--start s16-skip-dense: " in capsys.readouterr().err
    assert cost.main(["s5"]) == 2
    assert "no variant 's5'" in capsys.readouterr().err


@pytest.mark.slow
def test_one_trial_from_end_to_end(data, tmp_path, monkeypatch):
    """A real conversion, a real clock and a real training, of next to nothing."""
    from converters import tflite
    from converters.artifact import Spec
    from converters.network import fold

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setitem(os.environ, "OMP_NUM_THREADS", "1")
    spec = Spec("theirs", Path(), "", "tflite", "fp32", (32, 32))
    theirs = tflite.convert(fold(Hourglass(replace(TINY, resolution=(32, 32)))), spec, tmp_path / "t.tflite", None)
    settings = replace(SETTINGS, reference=str(theirs), samples=8, pairs=2, validation=("portraits",))
    study = command.open_study(None, settings, 0)
    study.enqueue_trial(space.parameters(TINY))
    around = here(tmp_path, data=data, validation=(data / "portraits",), slowest=1e9)
    command.search(study, settings, around, 1, print)
    (done,) = study.trials
    assert done.state.name == "COMPLETE", done.user_attrs
    assert done.user_attrs["parts"].keys() >= {"stem", "stage8, down", "up4", "head, plain", "sigmoid"}
    assert 0 <= done.values[1] <= 100
    assert np.isfinite(done.values[0])
