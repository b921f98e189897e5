"""A network of nine labels through every format.

Its weights are drawn from a seed and never trained; its answers still depend on what it sees and on its previous mask.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from converters.artifact import FORMATS, Format, Parity, Precision, Spec
from converters.calibration_data import CalibrationData, calibration
from converters.network import fold
from converters.parity import compare, eager, label_loss, masks
from converters.registry import converter
from converters.session import LabelSession, Session, with_labels
from devices.baseline import open_checkpoint
from models import checkpoint
from models.hourglass import Hourglass
from models.labels import LABELS, person
from models.segmenter import Floats, no_mask, to_input
from models.variant import VARIANTS

RESOLUTION = (64, 64)
Made = dict[Precision, Path]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, calibration_data: CalibrationData) -> Path:
    """The trunk is live's; the head is drawn, and its logits spread over the labels."""
    variant = replace(VARIANTS["live-parts"], resolution=RESOLUTION)
    trained = checkpoint.find("live")
    assert trained
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Hourglass(variant).eval()
    trunk = {name: x for name, x in checkpoint.load(trained).state.items() if name.startswith("trunk.")}
    network.load_state_dict(trunk, strict=False)
    x = torch.from_numpy(calibration_data.clip[::8]).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        logits = network.logits(x, torch.zeros(len(x), 1, *RESOLUTION))
        last = network.head.logits
        assert isinstance(last, torch.nn.Conv2d)
        assert last.bias is not None
        # Each label's logits about zero, so that all of them are found; the channels are ordered (pixel, label).
        last.bias -= logits.mean((0, 2, 3)).repeat(4)
        for tensor in (last.weight, last.bias):
            tensor *= 2 / logits.std()
    path = tmp_path_factory.mktemp("labels") / "live-parts.safetensors"
    checkpoint.save(path, "live-parts", variant, network.state_dict(), {"note": "untrained"})
    return path


@pytest.fixture(scope="module")
def wanted(weights: Path, calibration_data: CalibrationData) -> Floats:
    """What the checkpoint itself makes of the clip."""
    made = masks(eager(checkpoint.load(weights).network()), calibration_data.clip, labelled=True)
    shares = np.bincount(made.argmax(axis=-1).ravel(), minlength=9) / made[..., 0].size
    assert sorted(shares)[-3] > 0.02, "anything would agree with a network that finds one label"
    return made


@pytest.fixture(scope="module", params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    return request.param


@pytest.fixture(scope="module")
def made(
    format: Format, weights: Path, calibration_data: CalibrationData, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    module = converter(format)
    assert module.available() is None
    network = checkpoint.load(weights).network()
    folder = tmp_path_factory.mktemp(format)
    paths: Made = {}
    for precision in ("fp32", "fp16", "int8"):
        samples = calibration(eager(network), calibration_data.calibration) if precision == "int8" else None
        spec = Spec("live-parts", weights, checkpoint.sha256(weights), format, precision, RESOLUTION)
        paths[precision] = module.convert(fold(network), spec, folder / f"{precision}{module.SUFFIX}", samples)
    return paths


@pytest.mark.long
@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_parity(
    precision: Precision, format: Format, made: Made, wanted: Floats, calibration_data: CalibrationData
) -> None:
    session = converter(format).load(made[precision], precision=precision)
    assert session.labels == LABELS
    ours = masks(session, calibration_data.clip, labelled=True)
    assert ours.shape == (*calibration_data.labels.shape, 9)
    assert ours.sum(axis=-1) == pytest.approx(1, abs={"fp32": 1e-5, "fp16": 4e-3, "int8": 0.05}[precision])
    parity = compare(ours, wanted, calibration_data.labels, precision)
    assert parity.label_loss_points is not None
    # Untrained, it is noisier than the networks that the tolerances are for.
    assert parity.mean_difference <= {"fp32": 1e-5, "fp16": 1e-3, "int8": 0.03}[precision], parity
    assert parity.label_loss_points <= {"fp32": 0.1, "fp16": 5, "int8": 60}[precision], parity
    swapped = compare(ours[..., [1, 0, *range(2, 9)]], wanted, calibration_data.labels, precision)
    assert swapped.mean_difference > 2 * parity.mean_difference
    assert swapped.tolerance_exceeded


@pytest.mark.long
def test_the_native_answer_is_a_native_previous_mask(
    format: Format, made: Made, calibration_data: CalibrationData
) -> None:
    frame = to_input(calibration_data.clip[0])
    for precision, path in made.items():
        session = converter(format).load(path, precision=precision)
        native = session.encode_frame(frame)
        answer = session.native(native, session.encode_mask(no_mask(RESOLUTION)))
        assert session.decode_mask(answer).shape == (1, *RESOLUTION, 9)
        mask = session.decode_person(answer)
        assert np.array_equal(mask, person(session.decode_mask(answer)))
        fed_back = session.native(native, answer)
        assert np.array_equal(fed_back, session.native(native, session.encode_mask(mask)))
        assert not np.array_equal(fed_back, answer)


def test_the_checkpoint_is_a_session_of_labels(
    weights: Path, wanted: Floats, calibration_data: CalibrationData
) -> None:
    session = open_checkpoint(weights, threads=1)
    assert isinstance(session, LabelSession)
    assert np.abs(masks(session, calibration_data.clip, labelled=True) - wanted).max() < 1e-5


def test_a_network_of_a_mask_stays_the_session_it_is() -> None:
    session = Session.__new__(LabelSession)
    assert with_labels(session, 1) is session
    with pytest.raises(ValueError, match="gives 5 channels, and a network of ours gives 1 or 9"):
        with_labels(session, 5)


def test_calibration_feeds_back_the_person(weights: Path, calibration_data: CalibrationData) -> None:
    step = eager(checkpoint.load(weights).network())
    (frame, empty), (again, mask) = calibration(step, calibration_data.calibration[:1])
    assert np.array_equal(frame, again)
    assert mask.shape == empty.shape == (1, *RESOLUTION, 1)
    assert np.array_equal(mask, person(step(frame, empty)))


def test_the_loss_of_labels_is_a_mean_over_labels_and_not_over_pixels() -> None:
    reference = np.array([[1] * 98 + [3] * 2])
    ours = reference.copy()
    assert label_loss(ours, reference) == 0
    ours[0, -1] = 1
    assert label_loss(ours, reference) == pytest.approx(100 * (1 - (98 / 99 + 1 / 2) / 2))


def test_a_label_of_a_few_pixels_does_not_count() -> None:
    reference = np.array([[1] * 997 + [3] * 3])
    assert label_loss(np.ones_like(reference), reference) == pytest.approx(0.3, abs=0.01)


def test_the_loss_of_a_label_alone_exceeds_the_tolerance_and_is_kept_in_rows() -> None:
    truth = np.ones((1, 1, 100), np.uint8)
    reference = np.eye(9, dtype=np.float32)[[[[1] * 98 + [3] * 2]]]
    reference = np.float32(0.12) + np.float32(0.01) * reference.reshape(1, 1, 100, 9)
    ours = reference.copy()
    ours[..., -2:, :] = reference[..., :1, :]
    parity = compare(ours, reference, truth, "int8")
    assert parity.iou_loss_points == 0
    assert parity.label_loss_points == pytest.approx(100 * (1 - 0.98 / 2))
    assert parity.tolerance_exceeded is not None
    assert "its label maps are 51.00 points of mean IOU from the checkpoint's" in parity.tolerance_exceeded
    assert Parity.from_dict(json.loads(json.dumps(parity.to_dict()))) == parity
    assert Parity.from_dict(json.loads(json.dumps(asdict(parity)))) == parity


def test_the_parity_of_a_mask_says_nothing_of_labels() -> None:
    ones = np.ones((1, 8, 8), np.float32)
    parity = compare(ones, ones, np.ones((1, 8, 8), np.uint8), "fp32")
    assert "label_loss_points" not in parity.to_dict()
    assert "label_loss_points" not in parity.tolerance
