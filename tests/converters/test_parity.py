from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from converters.material import PARITY_FRAMES, Material, calibration, prepare
from converters.parity import compare, eager, masks
from evaluation.clip import Clip, Dataset
from models.checkpoint import load
from models.segmenter import Floats, Step


@pytest.fixture(scope="module")
def step(tiny: Path) -> Step:
    return eager(load(tiny).network())


def test_the_network_agrees_with_itself(reference: Floats, material: Material) -> None:
    parity = compare(reference.copy(), reference, material.labels, "fp32")
    assert parity.ok
    assert (parity.frames, parity.max_difference, parity.iou_loss_points) == (PARITY_FRAMES, 0.0, 0.0)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_swapped_channels_are_caught(precision: str, step: Step, reference: Floats, material: Material) -> None:
    swapped = masks(lambda frame, prev_mask: step(frame[..., ::-1], prev_mask), material.clip)
    parity = compare(swapped, reference, material.labels, precision)  # type: ignore[arg-type]
    assert not parity.ok
    assert "strays from its checkpoint" in str(parity.breach)


def test_a_previous_mask_left_out_is_caught(step: Step, reference: Floats, material: Material) -> None:
    forgetful = masks(lambda frame, prev_mask: step(frame, np.zeros_like(prev_mask)), material.clip)
    assert not compare(forgetful, reference, material.labels, "fp32").ok


def test_not_a_number_is_a_breach(reference: Floats, material: Material) -> None:
    broken = reference.copy()
    broken[3, 5, 5] = np.nan
    assert not compare(broken, reference, material.labels, "int8").ok


def test_a_loss_of_iou_alone_is_a_breach_and_named() -> None:
    truth = np.zeros((2, 10, 10), np.uint8)
    truth[:, :5] = 1
    reference = truth * np.float32(0.01) + np.float32(0.495)
    ours = reference.copy()
    ours[:, 4] = 0.495
    parity = compare(ours, reference, truth, "int8")
    assert parity.iou_loss_points == pytest.approx(20.0)
    assert parity.breach == (
        "the artifact strays from its checkpoint: it loses 20.00 points of IOU where int8 may show 1"
    )


def test_calibration_shows_empty_and_fed_back_masks(step: Step, material: Material) -> None:
    pairs = list(calibration(step, material.calibration[:3]))
    assert len(pairs) == 6
    for (first, empty), (second, fed_back) in zip(pairs[::2], pairs[1::2], strict=True):
        assert np.array_equal(first, second)
        assert not empty.any()
        assert np.array_equal(fed_back, step(first, empty))


def test_material_keeps_parity_and_calibration_apart(material: Material, tmp_path: Path) -> None:
    assert material.clip.shape == (PARITY_FRAMES, 64, 64, 3)
    clip = {frame.tobytes() for frame in material.clip}
    assert not [frame for frame in material.calibration if frame.tobytes() in clip]
    material.save(tmp_path / "material.npz")
    assert Material.read(tmp_path / "material.npz").sha256 == material.sha256


def test_a_short_clip_runs_to_and_fro() -> None:
    pictures = [np.full((8, 8, 3), value, np.uint8) for value in range(4)]
    clip = Clip("short", ["a", "b", "c", "d"], lambda i: (pictures[i], np.zeros((8, 8), np.uint8)))
    material = prepare(Dataset("f", "", [clip]), (32, 32))
    assert material.clip[:8, 0, 0, 0].tolist() == [0, 1, 2, 3, 2, 1, 0, 1]
    assert len(material.calibration) == 4
