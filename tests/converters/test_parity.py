from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from converters.artifact import Parity
from converters.calibration_data import PARITY_FRAMES, CalibrationData, calibration, prepare
from converters.parity import compare, eager, masks
from evaluation.clip import Clip, Dataset
from models.checkpoint import load
from models.segmenter import Floats, Step


@pytest.fixture(scope="module")
def step(tiny: Path) -> Step:
    return eager(load(tiny).network())


def test_the_network_agrees_with_itself(reference: Floats, calibration_data: CalibrationData) -> None:
    parity = compare(reference.copy(), reference, calibration_data.labels, "fp32")
    assert parity.ok
    assert (parity.frames, parity.max_difference, parity.iou_loss_points) == (PARITY_FRAMES, 0.0, 0.0)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_swapped_channels_are_caught(
    precision: str, step: Step, reference: Floats, calibration_data: CalibrationData
) -> None:
    swapped = masks(lambda frame, prev_mask: step(frame[..., ::-1], prev_mask), calibration_data.clip)
    parity = compare(swapped, reference, calibration_data.labels, precision)  # type: ignore[arg-type]
    assert not parity.ok
    assert "exceeds the parity tolerance" in str(parity.tolerance_exceeded)


def test_a_previous_mask_left_out_is_caught(step: Step, reference: Floats, calibration_data: CalibrationData) -> None:
    forgetful = masks(lambda frame, prev_mask: step(frame, np.zeros_like(prev_mask)), calibration_data.clip)
    assert not compare(forgetful, reference, calibration_data.labels, "fp32").ok


def test_not_a_number_exceeds_the_tolerance(reference: Floats, calibration_data: CalibrationData) -> None:
    broken = reference.copy()
    broken[3, 5, 5] = np.nan
    assert not compare(broken, reference, calibration_data.labels, "int8").ok


def test_a_loss_of_iou_alone_exceeds_the_tolerance_and_is_named() -> None:
    truth = np.zeros((2, 10, 10), np.uint8)
    truth[:, :5] = 1
    reference = truth * np.float32(0.01) + np.float32(0.495)
    ours = reference.copy()
    ours[:, 4] = 0.495
    parity = compare(ours, reference, truth, "int8")
    assert parity.iou_loss_points == pytest.approx(20.0)
    assert parity.tolerance_exceeded == (
        "the artifact exceeds the parity tolerance: it loses 20.00 points of IOU, where the limit of int8 is 1"
    )


def test_parity_is_read_from_rows() -> None:
    ones = np.ones((1, 8, 8), np.float32)
    parity = compare(ones, 1 - ones, np.ones((1, 8, 8), np.uint8), "fp32")
    assert parity.to_dict()["breach"] == parity.tolerance_exceeded is not None
    assert Parity.from_dict(json.loads(json.dumps(parity.to_dict()))) == parity
    assert Parity.from_dict(json.loads(json.dumps(asdict(parity)))) == parity


def test_calibration_shows_empty_and_fed_back_masks(step: Step, calibration_data: CalibrationData) -> None:
    pairs = list(calibration(step, calibration_data.calibration[:3]))
    assert len(pairs) == 6
    for (first, empty), (second, fed_back) in zip(pairs[::2], pairs[1::2], strict=True):
        assert np.array_equal(first, second)
        assert not empty.any()
        assert np.array_equal(fed_back, step(first, empty))


def test_parity_and_calibration_share_no_frame(calibration_data: CalibrationData, tmp_path: Path) -> None:
    assert calibration_data.clip.shape == (PARITY_FRAMES, 64, 64, 3)
    clip = {frame.tobytes() for frame in calibration_data.clip}
    assert not [frame for frame in calibration_data.calibration if frame.tobytes() in clip]
    calibration_data.save(tmp_path / "calibration_data.npz")
    assert CalibrationData.read(tmp_path / "calibration_data.npz").sha256 == calibration_data.sha256


def test_a_short_clip_runs_to_and_fro() -> None:
    pictures = [np.full((8, 8, 3), value, np.uint8) for value in range(4)]
    clip = Clip("short", ["a", "b", "c", "d"], lambda i: (pictures[i], np.zeros((8, 8), np.uint8)))
    calibration_data = prepare(Dataset("f", "", [clip]), (32, 32))
    assert calibration_data.clip[:8, 0, 0, 0].tolist() == [0, 1, 2, 3, 2, 1, 0, 1]
    assert len(calibration_data.calibration) == 4
