"""Other people's networks of several classes, judged by our labels through a map."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bench import main
from converters.reference_session import open_reference
from models import description, reference
from models.labels import LABELS, person
from models.reference import BadReferenceModel, ReferenceModel
from models.segmenter import no_mask

H, W = 16, 24
LABELLED = {"hair": 1, "body": 2, "face": 3, "clothes": [4, 5]}
COLOURS = {"background": (0, 0, 0), "hair": (255, 0, 0), "face": (255, 255, 0), "clothes": (0, 0, 255)}
"""What the toy network takes for which label: it sees sharp colours."""


def network(path: Path, ends: str = "") -> Path:
    """Six logits a pixel, NCHW: background is black, class 1 red, 3 yellow, 4 blue; 2 and 5 are never the largest.

    `ends` is the operator behind them: Softmax, ArgMax or none.
    """
    from onnx import TensorProto, helper, save

    weights = np.zeros((6, 3, 1, 1), np.float32)
    weights[1, :, 0, 0] = 40, -40, -40
    weights[3, :, 0, 0] = 20, 20, -40
    weights[4, :, 0, 0] = -40, -40, 40
    bias = np.array([10, 0, -30, 0, 0, -30], np.float32)
    nodes = [helper.make_node("Conv", ["x", "weights", "bias"], ["logits"])]
    shape: list[int] = [1, 6, H, W]
    kind = TensorProto.FLOAT
    if ends == "Softmax":
        nodes.append(helper.make_node("Softmax", ["logits"], ["y"], axis=1))
    elif ends == "ArgMax":
        nodes.append(helper.make_node("ArgMax", ["logits"], ["y"], axis=1, keepdims=1))
        shape, kind = [1, 1, H, W], TensorProto.INT64
    else:
        nodes[0].output[0] = "y"
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, H, W])],
        [helper.make_tensor_value_info("y", kind, shape)],
        [
            helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel()),
            helper.make_tensor("bias", TensorProto.FLOAT, bias.shape, bias),
        ],
    )
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


def described(path: Path, output: str, **fields: Any) -> ReferenceModel:
    stated = {"resolution": [H, W], "layout": "NCHW", "output": output, "output_layout": "NCHW", "labels": LABELLED}
    return description.of_fields("toy", path, stated | fields, "toy.onnx.toml")


def stripes() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A picture of a stripe of each colour, and its labels' ids."""
    names = list(COLOURS)
    columns = np.arange(W) * len(names) // W
    picture = np.array([COLOURS[name] for name in names], np.uint8)[columns][None].repeat(H, 0)
    return picture, np.array([LABELS.index(name) for name in names], np.uint8)[columns][None].repeat(H, 0)


KINDS = [("", "class-logits"), ("Softmax", "probabilities"), ("ArgMax", "class-ids")]


@pytest.mark.parametrize(("ends", "output"), KINDS)
def test_classes_become_labels(tmp_path, ends, output):
    model = described(network(tmp_path / "toy.onnx", ends), output)
    session = open_reference(model, Path(model.file))
    assert session.labels == ("background", "hair", "face", "body", "clothes")
    picture, ids = stripes()
    frame = picture[None].astype(np.float32) / 255
    answer = session(frame, no_mask((H, W)))
    assert answer.shape == (1, H, W, 9)
    assert answer.sum(axis=-1) == pytest.approx(1, abs=1e-5)
    assert np.array_equal(answer[0].argmax(axis=-1), ids)
    native = session.native(session.encode_frame(frame), session.encode_mask(no_mask((H, W))))
    assert np.array_equal(session.decode_person(native), person(answer))
    assert np.array_equal(session.native(session.encode_frame(frame), native), native)


def test_a_class_that_no_label_names_is_background(tmp_path):
    model = described(network(tmp_path / "toy.onnx", "Softmax"), "probabilities", labels={"hair": 1})
    answer = open_reference(model, Path(model.file))(stripes()[0][None].astype(np.float32) / 255, no_mask((H, W)))
    found = answer[0].argmax(axis=-1)
    assert set(found.ravel().tolist()) == {LABELS.index("background"), LABELS.index("hair")}


def test_a_class_that_the_model_does_not_give_is_named(tmp_path):
    path = network(tmp_path / "toy.onnx")
    model = described(path, "class-logits", labels={"hair": 9})
    with pytest.raises(BadReferenceModel, match=r"labels name class 9, but the output has 6 channels"):
        open_reference(model, path)


@pytest.mark.parametrize(
    "labels", [{"moustache": 1}, {"hair": "one"}, {"hair": [1, 1]}, {"hair": 1, "face": 1}, {"hair": -1}, "hair=1", 3]
)
def test_a_map_that_is_none_is_refused_by_its_field(tmp_path, labels):
    with pytest.raises(BadReferenceModel, match=r"labels is .* a table of labels and their classes, each once"):
        described(network(tmp_path / "toy.onnx"), "class-logits", labels=labels)


def test_a_description_with_labels_is_read_as_it_is_written(tmp_path):
    model = described(network(tmp_path / "toy.onnx"), "class-logits")
    file = description.beside(Path(model.file))
    file.write_text(description.text(model))
    assert 'labels = { "hair" = 1, "body" = 2, "face" = 3, "clothes" = [4, 5] }' in file.read_text()
    stated = description.read_fields(file)
    assert description.of_fields("toy", Path(model.file), stated, file.name).label_classes == model.label_classes
    assert ReferenceModel.from_dict(json.loads(json.dumps(model.to_dict()))).label_classes == model.label_classes


def test_a_model_of_a_mask_says_nothing_of_labels():
    assert all("labels" not in one.to_dict() for one in reference.read().values())


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The stripes, with lips where the network finds a face in the last row: it has no lips."""
    picture, ids = stripes()
    ids[-1][ids[-1] == LABELS.index("face")] = LABELS.index("lips")
    for part, pixels in (("images", picture), ("masks", ids)):
        (tmp_path / "data" / part).mkdir(parents=True)
        Image.fromarray(pixels).save(tmp_path / "data" / part / "a.png")
    (tmp_path / "data" / "classes.json").write_text(json.dumps(LABELS))
    return tmp_path / "data"


def test_evaluate_judges_it_as_a_network_of_ours(run: Run, data: Path, tmp_path: Path) -> None:
    path = network(tmp_path / "toy.onnx")
    told = ("--output-labels", "hair=1,body=2,face=3,clothes=4+5", "--mean", "0", "--std", "1")
    code, out, _ = run("evaluate", path, "--data", data, *told, "--json")
    assert code == 0
    found = json.loads(out)
    assert found["iou"] == 1
    labels = found["labels"]
    assert labels["lacking"] == ["lips"]
    assert labels["labels"]["hair"]["iou"] == labels["labels"]["clothes"]["iou"] == 1
    assert labels["labels"]["face"]["iou"] == pytest.approx(15 / 16)
    assert labels["mean_iou"] == pytest.approx((1 + 1 + 15 / 16) / 3)
    code, out, _ = run("evaluate", path, "--data", data, *told)
    assert "The model has no lips." in out
    code, _, said = run("describe", path, "--data", data, *told)
    assert code == 0, said
    code, out, _ = run("evaluate", path, "--data", data, "--json")
    assert json.loads(out)["labels"] == labels


@pytest.mark.parametrize(
    ("text", "words"),
    [("moustache=1", "is none of our labels"), ("hair=1,face=1", "a class twice"), ("hair=x", "is no class")],
)
def test_a_map_on_the_command_line_that_is_none_is_wrong_usage(run: Run, tmp_path: Path, text: str, words: str) -> None:
    code, _, said = run("evaluate", network(tmp_path / "toy.onnx"), "--output-labels", text)
    assert code == 64
    assert words in " ".join(said.split())
