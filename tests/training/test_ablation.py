"""The ablation on made-up runs whose truth is known."""

import json

import numpy as np
import pytest

from models import variant
from models.arguments import WRONG_USAGE
from models.checkpoint import save
from models.hourglass import Hourglass
from training import ablation
from training.ablation import Run, draws, effects, levels

BLOCKS = [(0, i, 0) for i in range(40)]


def run(name, seed, level, luck=0.0, stages="1000 @ 96"):
    """Pictures of very different difficulty, the same for every run, and a little noise of the run's own."""
    hard = np.random.default_rng(1).normal(0, 8, (40, 1))
    noise = np.random.default_rng([seed, *name.encode()]).normal(0, 0.3, (40, 2))
    return Run(name, variant.get(name), stages, seed, level + luck + hard + noise)


def found(runs):
    return {effect.words: effect for effect in effects(runs, levels(runs, draws(BLOCKS)))}


def test_a_difference_is_seen_through_the_pictures_difficulty():
    told = found([run("s16-skip-plain", 0, 85), run("s16-skip-dense", 0, 86), run("s16-noskip-plain", 0, 80)])
    mean, low, high = told["with the dense head"].points["IOU"]
    assert 0.7 < low < mean < high < 1.3
    assert told["with skip connections"].pairs == (("s16-noskip-plain", "s16-skip-plain"),)
    assert "with the previous mask" not in told


def test_seeds_that_disagree_widen_the_interval():
    def width(luck):
        runs = [run("s16-skip-plain", s, 85, luck * (s - 1)) for s in range(3)]
        runs += [run("s16-skip-dense", s, 86, luck * (1 - s)) for s in range(3)]
        effect = found(runs)["with the dense head"]
        assert effect.seeds == 3
        return effect.points["IOU"][2] - effect.points["IOU"][1]

    assert width(2.0) > 3 * width(0.0)


def test_frames_of_half_a_second_are_drawn_together():
    weights = draws([(0, 0, i // 15) for i in range(60)], count=50)
    assert weights.shape == (50, 60)
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(weights[:, 0], weights[:, 14])
    assert not np.array_equal(weights[:, 0], weights[:, 15])


def test_unequal_runs_are_said():
    runs = [run("s16-skip-plain", 0, 85), run("s16-skip-plain", 0, 85, stages="500 @ 96")]
    words = " ".join(ablation.warnings(runs))
    assert "1000 @ 96; 500 @ 96" in words
    assert "share a seed" in words
    assert ablation.warnings(runs[:1]) == []


def test_seeds_may_differ_in_samples_where_the_runs_of_each_are_alike():
    names = ("s16-skip-plain", "s16-noskip-plain")
    runs = [run(name, seed, 85, stages=f"{1000 + seed} @ 96") for seed in (0, 1) for name in names]
    assert ablation.warnings(runs) == []
    weights = ablation.draws([(0, 0, i // 15) for i in range(len(runs[0].values))], count=20)
    text = ablation.markdown(runs, ablation.levels(runs, weights), [], {"s16-skip-plain": 18.4e6})
    assert "Seed 0: 1000 @ 96; seed 1: 1001 @ 96" in text
    assert "| 18.4 |" in text
    assert "| – |" in text


def test_the_command_judges_runs_and_writes_table_chart_and_figures(tmp_path, data, capsys):
    for name in ("s32-noskip-plain", "s32-skip-plain"):
        card = {"training": [{"samples": 40, "size": 32, "frames": 1, "seed": 3}]}
        network = Hourglass(variant.get(name))
        save(tmp_path / name / "checkpoint.safetensors", name, variant.get(name), network.state_dict(), card)
    out = tmp_path / "out"
    arguments = [str(tmp_path / "s32-noskip-plain"), str(tmp_path / "s32-skip-plain" / "checkpoint.safetensors")]
    assert ablation.main([*arguments, "--data", str(data / "selfies"), "--resolution", "32x32", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Judged on selfies at 32x32, 12 pictures." in printed
    assert "Every run: 40 @ 32 " in printed
    assert "| with skip connections | 1 | 1 |" in printed
    assert json.loads((out / "ablation.json").read_text())["pictures"] == 12
    assert (out / "ablation.png").stat().st_size > 1000
    assert ablation.main([str(tmp_path / "none"), "--data", str(data / "selfies")]) == WRONG_USAGE
    assert "there is no such file" in capsys.readouterr().err
