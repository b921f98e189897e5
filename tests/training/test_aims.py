"""Aims beside what was reached."""

import pytest

from training import aims
from training.aims import BESIDE, NOSKIP, PARITY_CLIP, SKIP, Accuracy, Cost, Int8, Steadiness


def judged(**ious):
    """{network: {"selfies": {"empty": ...}}}"""
    return {name.replace("_", "-"): {"selfies": {"empty": {"iou": iou}}} for name, iou in ious.items()}


def rows(monkeypatch, accuracies=(), costs=(), metrics=None, instructions=None, x86=None, int8=None):
    monkeypatch.setattr(aims, "ACCURACIES", tuple(accuracies))
    monkeypatch.setattr(aims, "COSTS", tuple(costs))
    lines = aims.section(metrics or {}, (instructions or {}).get, (x86 or {}).get, int8 or {})
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ") and "network" not in line]


def test_the_twelve_are_six_with_skips_and_six_without():
    assert len(SKIP) == len(NOSKIP) == 6
    assert not set(SKIP) & set(NOSKIP)


def test_the_best_and_the_worst_are_named(monkeypatch):
    both = ("live", "live-best")
    asked = [Accuracy(both, "selfies", 97.0), Accuracy(both, "selfies", 96.2, worst=True)]
    found = rows(monkeypatch, asked, metrics=judged(live=0.963, live_best=0.958))
    assert found == [
        ["live, the best of 2", "IOU, selfies", "97.0", "96.3", "short by 0.7"],
        ["live-best, the worst of 2", "IOU, selfies", "96.2", "95.8", "short by 0.4"],
    ]


def test_an_aim_beside_the_reference_moves_with_it(monkeypatch):
    metrics = judged(live=0.953) | {BESIDE: {"selfies": {"empty": {"iou": 0.95}}}}
    [ahead, behind] = rows(monkeypatch, [Accuracy(("live",), "selfies", beyond=b) for b in (0.5, 0.3)], metrics=metrics)
    assert ahead[2:] == ["95.5", "95.3", "short by 0.2"]
    assert behind[2:] == ["95.3", "95.3", "reached"]


def test_clips_count_with_the_networks_own_mask(monkeypatch):
    metrics = {"live": {"selfies": {"empty": {"iou": 0.5}, "recurrent": {"iou": 0.9}}}}
    assert rows(monkeypatch, [Accuracy(("live",), "selfies", 90.0)], metrics=metrics)[0][3:] == ["90.0", "reached"]


def test_costs_are_millions_or_shares(monkeypatch):
    costs = [
        Cost("live", "millions of ARM instructions", 20.0),
        Cost("live", "share of ARM instructions", 0.5),
        Cost("live", "share of x86 time", 0.45),
    ]
    found = rows(monkeypatch, costs=costs, instructions={"live": 27.2e6, BESIDE: 40e6}, x86={"live": 0.4})
    assert [row[2:] for row in found] == [
        ["at most 20.0", "27.2", "short by 7.2"],
        ["at most 0.50", "0.68", "short by 0.18"],
        ["at most 0.45", "0.40", "reached"],
    ]


def test_a_clip_is_to_be_as_steady_as_the_references(monkeypatch):
    monkeypatch.setattr(
        aims, "STEADINESS", (Steadiness("live", "walk"), Steadiness("live", "run"), Steadiness("x", "run"))
    )
    metrics = {
        "live": {"walk": {"empty": {"dtssd": 1.0}, "recurrent": {"dtssd": 14.5}}, "run": {"recurrent": {"dtssd": 6.0}}},
        BESIDE: {"walk": {"empty": {"dtssd": 14.14}}, "run": {"empty": {"dtssd": 6.04}}},
    }
    found = rows(monkeypatch, metrics=metrics)
    assert found == [
        ["live", "dtSSD, walk", "at most 14.1", "14.5", "short by 0.4"],
        ["live", "dtSSD, run", "at most 6.0", "6.0", "reached"],
    ]


@pytest.mark.parametrize("known", [{}, {"live": 1e6}])
def test_what_was_not_measured_has_no_row(monkeypatch, known):
    costs = [Cost("live", "share of ARM instructions", 0.5)]
    assert rows(monkeypatch, [Accuracy(("live", "live-fast"), "selfies", 90.0)], costs, judged(live=0.9), known) == []


def test_int8_loses_what_its_worst_runtime_loses(monkeypatch):
    monkeypatch.setattr(aims, "INT8", (Int8("live", 0.3), Int8("live", 1.0, parity_clip=True), Int8("other", 0.3)))
    lost = {
        "onnx": {PARITY_CLIP: 0.99, "selfies": 0.12, "streets": -0.4},
        "tflite": {PARITY_CLIP: 1.2, "selfies": 0.34, "streets": 0.1},
    }
    assert rows(monkeypatch, int8={"live": lost}) == [
        ["live", "points that int8 loses, selfies, streets", "at most 0.3", "0.34", "short by 0.04"],
        ["live", "points that int8 loses, parity clip", "at most 1.0", "1.20", "short by 0.2"],
    ]
