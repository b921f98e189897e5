import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converters.inspection.told import Told
from devices.open_model import open_model
from models.checkpoint import save
from models.description import beside
from models.hourglass import Hourglass
from models.variant import VARIANTS, Variant

SMALL = Variant(stem=4, widths=(8, 8, 8), depths=(0, 0, 0), decoder=(4, 4, 4), head="plain")


def graph(path, inputs=("frame", "prev_mask"), channels=1, scale=0.5):
    """A one-operator artifact: the mean colour, scaled."""
    size = [32, 64]
    tensors = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3 if i == 0 else 1, *size])
        for i, name in enumerate(inputs)
    ]
    weights = helper.make_tensor("w", TensorProto.FLOAT, [channels, 3, 1, 1], [scale / 3] * 3 * channels)
    bias = helper.make_tensor("b", TensorProto.FLOAT, [channels], [scale] * channels)
    out = helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, channels, *size])
    node = helper.make_node("Conv", [inputs[0], "w", "b"], ["mask"])
    model = helper.make_model(
        helper.make_graph([node], "g", tensors, [out], [weights, bias]), opset_imports=[helper.make_opsetid("", 18)]
    )
    model.ir_version = 10
    onnx.save(model, path)
    return path


def test_an_artifact_runs_at_its_own_resolution(tmp_path):
    step, resolution = open_model(graph(tmp_path / "a.onnx"))
    assert resolution == (32, 64)
    mask = step(np.ones((1, 32, 64, 3), np.float32), np.zeros((1, 32, 64, 1), np.float32))
    assert mask.shape == (1, 32, 64, 1)
    assert mask == pytest.approx(1)


def test_any_other_model_is_inspected_and_what_is_assumed_is_said(tmp_path):
    from tests.converters.inspection import graphs

    path, said = graphs.recurrent(tmp_path / "mine.onnx"), []
    session, resolution = open_model(path, say=said.append, dataset=graphs.people())
    assert resolution == graphs.SIZE
    assert "mine.onnx: r1i is a state: what r1o gave for the frame before." in said
    assert session.reference.role == "own"
    assert [sentence for sentence in said if "not sure" in sentence] == []


def test_what_cannot_be_found_out_is_asked_for(tmp_path):
    path = graph(tmp_path / "a.onnx", inputs=("image", "prev_mask"))
    with pytest.raises(ValueError, match=r"^a.onnx gives no mask .* say --mean and --std") as caught:
        open_model(path)
    assert "\n" not in str(caught.value)
    answered = open_model(path, told=Told(mean=(0, 0, 0), std=(1, 1, 1)))[0]
    assert answered.reference.unsure
    beside(path).write_text("mean = [0, 0, 0]\nstd = [1, 1, 1]\n")
    assert open_model(path)[0].reference.mean == (0, 0, 0)


def test_a_checkpoint_runs_at_any_resolution(tmp_path):
    path = tmp_path / "small.safetensors"
    network = Hourglass(SMALL)
    save(path, "small", SMALL, network.state_dict(), {})
    step, resolution = open_model(path, resolution=(32, 96))
    assert resolution == (32, 96)
    assert step(np.ones((1, 32, 96, 3), np.float32), np.zeros((1, 32, 96, 1), np.float32)).shape == (1, 32, 96, 1)
    assert open_model(path)[1] == (256, 256)
    with pytest.raises(ValueError, match="multiples of 32"):
        open_model(path, resolution=(30, 32))


def test_a_variants_name_is_its_checkpoint():
    session, resolution = open_model("live-fast")
    assert session.network.variant == VARIANTS["live-fast"]
    assert resolution == (176, 176)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda p: p / "none.onnx", "there is no such model"),
        (lambda p: graph(p / "a.pb"), r"known suffixes are .*a checkpoint ends in \.safetensors"),
        (lambda p: graph(p / "a.onnx", channels=2), "it gives 2 channels, and a network of ours gives 1 or 9"),
        (lambda p: graph(p / "a.onnx", scale=3), r"gives values outside \[0, 1\]"),
    ],
)
def test_what_breaks_the_contract_is_said_in_a_sentence(tmp_path, make, sentence):
    path = make(tmp_path)
    with pytest.raises(ValueError, match=sentence) as caught:
        open_model(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.onnx", "a.tflite", "a.xml", "a.mlpackage", "a.safetensors"])
def test_a_damaged_file_is_said_in_a_sentence(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"\x00not a model" * 9)
    with pytest.raises(ValueError, match="not a") as caught:
        open_model(path)
    assert "\n" not in str(caught.value)


def test_another_resolution_than_an_artifacts_own_is_refused(tmp_path):
    path = graph(tmp_path / "a.onnx")
    assert open_model(path, resolution=(32, 64))[1] == (32, 64)
    with pytest.raises(ValueError, match="made for 32x64, not 64x64"):
        open_model(path, resolution=(64, 64))
