"""The gate of networks with labels: the mean IOU and the worst label, by counts that are made up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from devices.contract import Config
from evaluation.clip import Clip, Dataset
from evaluation.labels import Counts, changes, count, shares
from gate import config, static_checks
from gate.artifacts import GateArtifact
from gate.config import Tolerance
from gate.decision import Outcome
from gate.run import Comparison, run
from gate.verdict import EXIT
from models.checkpoint import save, sha256
from models.labels import LABELS
from models.variant import VARIANTS

HAIR, FACE, LIPS = (LABELS.index(name) for name in ("hair", "face", "lips"))


def picture(hair: float, face: float = 1.0, lips: float = 1.0) -> Counts:
    """A hundred pixels of each label, of which that share is found and the rest is called background."""
    found = [
        label if i < 100 * share else 0
        for label, share in ((HAIR, hair), (FACE, face), (LIPS, lips))
        for i in range(100)
    ]
    truth = np.repeat(np.array([HAIR, FACE, LIPS], np.uint8), 100)[None]
    return count(shares(np.eye(9, dtype=np.float32)[[found]]), truth)


def outcomes(before: list[Counts], now: list[Counts], **tolerance: float) -> list[tuple[Outcome | None, str]]:
    changed = changes(before, now, range(len(before)))
    return [(f.outcome, f.words) for f in static_checks.labels(changed, len(now), Tolerance(**tolerance))]


def test_equal_networks_pass() -> None:
    same = [picture(hair) for hair in np.linspace(0.5, 1, 20)]
    (mean, words), (label, _) = outcomes(same, same)
    assert mean is label is Outcome.PASS
    assert words == "Mean IOU of 3 labels +0.00 points, between +0.00 and +0.00, over 20 frames; 0.5 may be lost."


def test_one_label_that_is_lost_fails_though_the_mean_may_pass() -> None:
    before = [picture(0.9) for _ in range(20)]
    now = [picture(0.9, lips=0.9) for _ in range(20)]
    (mean, _), (label, words) = outcomes(before, now, mean_label_points=5.0, label_points=2.0)
    assert mean is Outcome.PASS
    assert label is Outcome.FAIL
    assert words.startswith("FAIL; IOU of lips, the worst label, -10.00 points, between -10.00 and -10.00")
    (mean, _), _ = outcomes(before, now, mean_label_points=1.0)
    assert mean is Outcome.FAIL


def test_pictures_that_disagree_are_inconclusive() -> None:
    random = np.random.default_rng(0)
    before = [picture(0.8) for _ in range(20)]
    now = [picture(float(np.clip(0.78 + random.normal(0, 0.15), 0, 1))) for _ in range(20)]
    (mean, words), (label, _) = outcomes(before, now, mean_label_points=0.5, label_points=2.0)
    assert mean is label is Outcome.INCONCLUSIVE
    assert words.endswith("0.5 may be lost, too few frames to decide.")


def test_the_two_are_drawn_together() -> None:
    """From picture to picture they differ a lot and from each other not at all: the interval is a point."""
    before = [picture(hair) for hair in np.linspace(0.1, 1, 12)]
    found = changes(before, before, range(12))
    assert found is not None
    assert found[0].ci == (0, 0)


def test_no_label_in_the_pictures_is_no_comparison() -> None:
    blank = count(shares(np.eye(9, dtype=np.float32)[[[0, 0]]]), np.array([[0, 255]], np.uint8))
    assert changes([blank] * 3, [blank] * 3, range(3)) is None
    assert changes([], [], []) is None
    ((outcome, words),) = outcomes([blank] * 3, [blank] * 3)
    assert outcome is None
    assert words.startswith("Labels were not compared")


def test_labels_that_are_lost_altogether_fail() -> None:
    assert static_checks.labels_of_one(candidate=False).outcome is Outcome.FAIL
    assert static_checks.labels_of_one(candidate=True).outcome is Outcome.PASS


def test_the_tolerances_are_points_of_gate_toml() -> None:
    found = config.tolerance({"label_points": 3, "mean_label_points": 1.5}, Tolerance())
    assert (found.label_points, found.mean_label_points) == (3, 1.5)
    with pytest.raises(ValueError, match="no number of points"):
        config.tolerance({"label_points": "3 %"}, Tolerance())


def stripes() -> Dataset:
    """Noisy stills whose left half is hair and whose right half is a face."""
    truth = np.repeat(np.array([HAIR, FACE], np.uint8), 16)[None].repeat(32, 0)

    def still(seed: int) -> Clip:
        picture = np.random.default_rng(seed).integers(0, 256, (32, 32, 3), np.uint8)
        return Clip(str(seed), [str(seed)], lambda _: (picture, np.ones_like(truth)), read_truth=lambda _: truth)

    return Dataset("stripes", "Stripes.", [still(seed) for seed in range(3)])


@pytest.mark.long
def test_a_gate_of_a_network_of_labels_judges_them(tmp_path: Path) -> None:
    """Two seeded networks, neither trained: the one whose head calls everything hair gains there and loses face."""
    import torch

    from models.hourglass import Hourglass

    variant = replace(VARIANTS["live-parts"], resolution=(32, 32))
    paths = {}
    for name, label in (("before", FACE), ("now", HAIR)):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            state = Hourglass(variant).state_dict()
        state["head.logits.bias"].view(-1, 9)[:, label] += 50
        paths[name] = tmp_path / f"{name}.safetensors"
        save(paths[name], "live-parts", variant, state, {"note": "untrained"})
    before, now = (GateArtifact(path, sha256(path), path.stat().st_size) for path in paths.values())
    asked = Comparison(Config("live-parts", "pytorch", resolution=(32, 32)), before, now)
    (verdict,) = run([asked], stripes(), seconds=1)
    found = {finding.metric: finding for finding in verdict.findings}
    assert found["IOU of a label"].outcome is Outcome.FAIL
    assert "IOU of face, the worst label, -50.00 points" in found["IOU of a label"].words
    assert found["mean IOU of labels"].outcome is Outcome.PASS
    assert EXIT[verdict.outcome] == 1
