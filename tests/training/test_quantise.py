"""What int8 costs: losses are paired by picture, and the worst of them decides."""

import pytest
import torch

from evaluation.clip import Dataset
from models import checkpoint
from models.arguments import WRONG_USAGE
from models.hourglass import Hourglass
from models.variant import Variant
from training import quantise
from training.quantise import Loss, Losses, compare

FACES = Dataset("faces", "", [])


def test_a_loss_is_paired_by_picture():
    before = [90.0, 50.0, 70.0]
    found = compare("onnx", FACES, before, [iou - 0.25 for iou in before])
    assert (found.data, found.images, found.points) == ("faces", 3, pytest.approx(0.25))
    # Unpaired, pictures as unlike as these would leave a wide interval.
    assert found.interval == pytest.approx((0.25, 0.25))
    with pytest.raises(ValueError, match="argument 2 is shorter"):
        compare("onnx", FACES, before, before[:2])


def test_the_worst_decides():
    fine, poor = Loss("onnx", "faces", 3, 90.0, 89.8, (0.1, 0.3)), Loss("tflite", "faces", 3, 90.0, 89.6, (0.3, 0.5))
    assert quantise.verdict([fine]).endswith("0.20 points, within 0.3: static quantisation is enough.")
    assert "lost by tflite on faces: 0.40 points, over 0.3" in quantise.verdict([fine, poor])
    assert "| onnx | faces | 3 | 90.00 | 89.80 | +0.20 | +0.10 to +0.30 |" in quantise.markdown([fine])


def test_a_note_keeps_other_formats_and_the_weights(tmp_path):
    path, variant = tmp_path / "net.safetensors", Variant(resolution=(32, 32))
    state = Hourglass(variant).state_dict()
    checkpoint.save(path, "s16-skip-dense", variant, state, {"note": "kept"})
    quantise.note(path, Losses([Loss("onnx", "faces", 3, 90.0, 89.8, (0.1, 0.3))], {"onnx": 0.9}, []))
    quantise.note(path, Losses([Loss("tflite", "faces", 3, 90.0, 89.6, (0.3, 0.5))], {}, []))
    one = checkpoint.load(path)
    assert one.card["int8"]["lost"] == {
        "onnx": {"parity clip": 0.9, "faces": pytest.approx(0.2)},
        "tflite": {"faces": pytest.approx(0.4)},
    }
    assert one.card["int8"]["processor"]
    assert one.card["note"] == "kept"
    assert all(torch.equal(one.state[name], tensor) for name, tensor in state.items())


def test_a_mistake_is_a_sentence(tmp_path, capsys):
    assert quantise.main([str(tmp_path / "none.safetensors"), "--validation", str(tmp_path)]) == WRONG_USAGE
    assert "there is no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        quantise.main(["x", "--validation", "y", "--formats", "tflite,other"])
    assert "--formats tflite,other" in capsys.readouterr().err
