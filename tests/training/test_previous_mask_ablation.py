"""What a previous mask is worth, on steps whose behaviour is known."""

import json

import cv2
import numpy as np
import pytest

from evaluation.clip import Clip, Dataset
from models.arguments import WRONG_USAGE
from training import previous_mask_ablation
from training.previous_mask_ablation import Subject, difference, measure, summary

SIZE = (32, 32)


def scene(index):
    """A white disc on dark grey that drifts slowly to the right."""
    label = np.zeros((40, 60), np.uint8)
    cv2.circle(label, (20 + index // 4, 20), 14, 1, -1)
    return np.where(label[..., None] == 1, 255, 40).astype(np.uint8).repeat(3, axis=2), label


FOOTAGE = Dataset("drift", "", [Clip("drift", tuple(f"drift/{i}" for i in range(45)), scene)])


def sees(frame, previous):
    return (frame[..., :1] > 0.55).astype(np.float32)


def lags(frame, previous):
    """Half of what it sees, half of what it said: a wrong mask takes it some frames to forget."""
    seen = sees(frame, previous)
    return np.where(previous.any(), 0.25 * seen + 0.75 * previous, seen).astype(np.float32)


@pytest.fixture(scope="module")
def told():
    ours = measure(Subject("with", lags, SIZE, "recurrent"), FOOTAGE)
    blind = measure(Subject("always empty", lags, SIZE, "empty"), FOOTAGE)
    theirs = measure(Subject("without", sees, SIZE, "recurrent"), FOOTAGE)
    return summary({"with": ours, "always empty": blind, "without": theirs})


def test_a_network_that_remembers_pays_for_it_after_an_event(told):
    assert set(told) == set(previous_mask_ablation.MEASURES)
    assert told["wrong mask, frames"]["with"][0] >= 2
    assert told["cut, frames"]["with"][0] >= 0
    for name in ("cut, frames", "entry, frames", "wrong mask, frames"):
        assert told[name]["without"] == told[name]["always empty"] == (0, 0, 0)
        assert told[name]["values"] == 2


def test_the_empty_mask_makes_it_its_sibling(told):
    for name in ("IOU, %", "dtSSD", "dtSSD where still"):
        assert told[name]["always empty"] == told[name]["without"]
        assert told[name]["with − without"] == told[name]["with − always empty"]
    assert told["IOU, %"]["with"][0] < told["IOU, %"]["without"][0]


def test_a_difference_is_paired():
    ours = [((0, i), float(v)) for i, v in enumerate([1, 50, 99])]
    theirs = [((0, i), float(v - 1)) for i, v in enumerate([1, 50, 99])]
    assert difference(ours, theirs) == (1, 1, 1)


def test_the_command_prints_a_table_and_writes_the_figures(tmp_path, capsys):
    import torch

    from models.checkpoint import save
    from models.hourglass import Hourglass
    from models.variant import Variant

    for kind in ("images", "masks"):
        (tmp_path / "clip" / kind).mkdir(parents=True)
    for i in range(30):
        picture, label = scene(i)
        cv2.imwrite(str(tmp_path / "clip" / "images" / f"{i:03}.png"), picture)
        cv2.imwrite(str(tmp_path / "clip" / "masks" / f"{i:03}.png"), label * 255)
    torch.manual_seed(0)
    paths = []
    for name, previous in (("with", True), ("without", False)):
        small = Variant(
            stem=4, widths=(8, 8, 8), depths=(0, 0, 0), decoder=(4, 4, 4), head="plain", previous_mask=previous
        )
        done = [{"samples": 640, "size": 32, "frames": 2, "seed": 7}] if previous else []
        save(tmp_path / f"{name}.safetensors", name, small, Hourglass(small).state_dict(), {"training": done})
        paths.append(str(tmp_path / f"{name}.safetensors"))
    out = tmp_path / "out"
    assert (
        previous_mask_ablation.main([*paths, "--data", str(tmp_path), "--resolution", "32x32", "--out", str(out)]) == 0
    )
    said = capsys.readouterr().out
    assert "With: with, 640 @ 32 (2), seed 7. Without: without, untrained." in said
    assert "| | with | always empty | without | with − always empty | with − without | values |" in said
    assert (out / "previous_mask.md").read_text() in said
    (figures,) = json.loads((out / "previous_mask.json").read_text()).values()
    assert figures["ablation"]["IOU, %"]["values"] == 30
    iou, unsteady = figures["truth"]
    assert 90 < iou < 100
    assert 0 < unsteady < 10
    assert f"The truth itself, made 32x32 and enlarged again, has {iou:.2f} % IOU and dtSSD {unsteady:.2f}." in said
    assert previous_mask_ablation.main([*paths, "--data", str(tmp_path / "none")]) == WRONG_USAGE
    assert capsys.readouterr().err.endswith("there is no such folder\n")
