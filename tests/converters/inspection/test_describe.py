"""Every kind of model is described right, or a question names the option that makes it right."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from converters.inspection.describe import describe, model_at
from converters.inspection.told import Question, Told
from converters.reference_session import open_reference
from evaluation.evaluate import evaluate
from models import description
from models.reference import BadReferenceModel, ReferenceModel
from models.segmenter import no_mask
from tests.converters.inspection import graphs
from tests.converters.inspection.graphs import people

PEOPLE = people()
SAMPLE_LIKE = people(visible=False)
"""People whom no model of red recognises."""


def score(model: ReferenceModel, dataset=PEOPLE) -> float:
    return evaluate(open_reference(model, Path(model.file)), model.resolution, dataset).iou


def independent(path: Path, output: str, read, dataset=PEOPLE, layout="NCHW") -> float:
    """The IOU of `read(raw output)` (h, w), by ONNX Runtime and OpenCV alone."""
    session = onnxruntime.InferenceSession(path)
    shape = session.get_inputs()[0].shape
    height, width = graphs.SIZE
    found = []
    for clip in dataset.clips:
        picture, label = clip.read(0)
        frame = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        feed = {session.get_inputs()[0].name: (frame.transpose(2, 0, 1) if layout == "NCHW" else frame)[None]}
        if shape[1] == 4:
            feed = {name: np.concatenate([x, np.zeros_like(x[:, :1])], axis=1) for name, x in feed.items()}
        (raw,) = session.run([output], feed)
        mask = cv2.resize(read(raw).astype(np.float32), label.shape[::-1], interpolation=cv2.INTER_LINEAR) >= 0.5
        found.append((mask & (label == 1)).sum() / (mask | (label == 1)).sum())
    return float(np.mean(found))


def softmax(raw: np.ndarray) -> np.ndarray:
    powers = np.exp(raw - raw.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("make", "output", "read", "layout"),
    [
        (graphs.plain, "y", lambda y: y[0, 0], "NCHW"),
        (graphs.mixed, "y", lambda y: y[0, 1], "NHWC"),
        (graphs.flat, "y", lambda y: y.reshape(graphs.SIZE), "NCHW"),
        (graphs.ids8, "y", lambda y: y[0, 0], "NCHW"),
        (graphs.ids32, "y", lambda y: y[0, 0], "NCHW"),
        (graphs.ids64, "y", lambda y: y[0, 0], "NCHW"),
        (graphs.float_ids, "y", lambda y: y[0, 0], "NCHW"),
        (graphs.logits, "y", lambda y: softmax(y)[0, 0], "NCHW"),
        (graphs.both, "p", lambda p: p[0, 1], "NCHW"),
        (graphs.background, "y", lambda y: 1 - y[0, 0], "NCHW"),
        (graphs.classes, "y", lambda y: y.argmax(axis=1)[0] == 15, "NCHW"),
        (graphs.with_alpha, "y", lambda y: y[0, 3], "NCHW"),
        (graphs.with_bright_alpha, "y", lambda y: y[0, 3] / 255, "NCHW"),
        (graphs.with_alpha8, "y", lambda y: y[0, 3] / 255, "NCHW"),
        (graphs.four, "y", lambda y: y[0, 0], "NCHW"),
        (graphs.bright, "y", lambda y: y[0, 0] / 255, "NCHW"),
    ],
)
def test_what_a_graph_takes_and_gives_is_found_out(tmp_path, make, output, read, layout):
    path = make(tmp_path / "mine.onnx")
    model = describe(path, dataset=PEOPLE)
    assert model.output_name == output
    wanted = independent(path, output, read, layout=layout)
    if make is graphs.classes:  # The likeliest class, whose mask is not that of 0 and 1 between its pixels.
        assert score(model) > wanted > 0.9
    else:
        assert score(model) == pytest.approx(wanted, abs=1e-6)
    assert score(model) > 0.93
    assert any("is the output" in sentence or "the output" in sentence for sentence in model.assumed)
    assert ReferenceModel.from_dict(model.to_dict()) == model


@pytest.mark.parametrize("make", [graphs.half, graphs.opened, graphs.no_batch, graphs.pixels])
def test_types_open_sides_and_a_missing_batch(tmp_path, make):
    path = make(tmp_path / "mine.onnx")
    model = describe(path, Told(resolution=graphs.SIZE), PEOPLE)
    assert model.resolution == graphs.SIZE
    assert score(model) > 0.93
    assert model.layout == ("NHWC" if make in (graphs.no_batch, graphs.pixels) else "NCHW")


def test_open_sides_are_256_unless_told(tmp_path):
    model = describe(graphs.opened(tmp_path / "mine.onnx"), dataset=PEOPLE)
    assert model.resolution == (256, 256)
    assert any("--resolution" in sentence for sentence in model.assumed)


@pytest.mark.parametrize("make", [graphs.plain, graphs.mixed, graphs.recurrent])
def test_openvino_is_described_like_onnx(tmp_path, make):
    import openvino as ov

    path = tmp_path / "mine.xml"
    ov.save_model(ov.convert_model(make(tmp_path / "mine.onnx")), path, compress_to_fp16=False)
    here, there = describe(path, dataset=PEOPLE), describe(tmp_path / "mine.onnx", dataset=PEOPLE)
    assert here.format == "openvino"
    assert here.states == there.states
    assert score(here) == pytest.approx(score(there), abs=1e-4)
    assert score(here) > 0.93


@pytest.mark.parametrize(
    ("at", "steep", "person", "background", "std"),
    [
        (0.5, 20, 0.7, 0.3, 1.0),
        (0.05, 20, 0.6, 0.45, 0.5),
        (1.4, 20, 0.9, 0.7, 0.229),
        (140.0, 0.5, 0.6, 0.5, 1 / 255),
    ],
)
def test_the_scale_of_colours_is_the_one_whose_masks_are_masks(tmp_path, at, steep, person, background, std):
    path = graphs.threshold(tmp_path / "mine.onnx", at, steep)
    model = describe(path, dataset=people(person, background))
    assert model.std[0] == pytest.approx(std)
    assert score(model, people(person, background)) > 0.93


def test_an_alpha_beside_a_picture_from_minus_one_is_considered(tmp_path):
    """From 0 to 1 all four channels are in [0, 1], and the masks show people, made bolder."""
    path, dataset = graphs.with_alpha_of_centred(tmp_path / "mine.onnx"), people(0.8, 0.1)
    with pytest.raises(Question, match=r"-1 to 1 .*--mean 0.5,0.5,0.5 --std 0.5,0.5,0.5.*; say --mean and --std"):
        describe(path, dataset=dataset)
    model = describe(path, Told(mean=(0.5,) * 3, std=(0.5,) * 3), dataset)
    assert (model.output, model.channel) == ("probabilities", 3)
    assert score(model, dataset) > 0.93


def test_what_no_picture_tells_is_asked_with_its_option_and_right_with_it(tmp_path):
    path = graphs.ids8(tmp_path / "mine.onnx")
    with pytest.raises(Question, match=r"^mine.onnx gives no mask of .*; say --mean and --std") as asked:
        describe(path, dataset=SAMPLE_LIKE)
    assert "\n" not in str(asked.value)
    model = describe(path, Told(mean=(0, 0, 0), std=(1, 1, 1)), SAMPLE_LIKE)
    assert any("IOU of" in sentence for sentence in model.unsure)
    assert score(model) > 0.93


def test_values_that_only_one_scale_brings_into_a_masks_range_tell_it(tmp_path):
    model = describe(graphs.plain(tmp_path / "mine.onnx"), dataset=people(background=0.3, visible=False))
    assert model.std == (1, 1, 1)
    assert model.unsure
    assert score(model) > 0.93


def test_a_class_that_no_picture_shows_is_asked_for(tmp_path):
    path = graphs.classes(tmp_path / "mine.onnx")
    with pytest.raises(Question, match="--person-class"):
        describe(path, dataset=SAMPLE_LIKE)
    with pytest.raises(Question, match="from 0 on"):
        describe(path, Told(person_classes=(21,)), PEOPLE)
    told = Told(person_classes=(15,), mean=(0, 0, 0), std=(1, 1, 1))
    assert score(describe(path, told, SAMPLE_LIKE)) > 0.93


def several(path: Path) -> Path:
    nodes = [("Gather", ["x", "red"], ["d0"], {"axis": 1}), ("Gather", ["x", "blue"], ["d1"], {"axis": 1})]
    height, width = graphs.SIZE
    outputs = dict.fromkeys(("d1", "d0"), ((1, 1, height, width), graphs.FLOAT))
    constants = graphs.RED | {"blue": np.array([2])}
    return graphs.save(path, nodes, {"x": ((1, 3, height, width), graphs.FLOAT)}, outputs, constants)


def test_of_several_masks_one_is_to_be_named(tmp_path):
    path = several(tmp_path / "mine.onnx")
    with pytest.raises(Question, match=r"d1 \(1x1x24x32, float32\), d0 .*--output NAME"):
        describe(path, dataset=PEOPLE)
    with pytest.raises(Question, match="gives no 'd2'"):
        describe(path, Told(output="d2"), PEOPLE)
    assert score(describe(path, Told(output="d0"), PEOPLE)) > 0.93


def test_an_input_that_may_lie_either_way_is_asked_for(tmp_path):
    nodes = [("Gather", ["x", "red"], ["y"], {"axis": 1})]
    path = graphs.save(
        tmp_path / "mine.onnx",
        nodes,
        {"x": ((1, 3, 8, 3), graphs.FLOAT)},
        {"y": ((1, 1, 8, 3), graphs.FLOAT)},
        graphs.RED,
    )
    with pytest.raises(Question, match="--input-layout NCHW or NHWC"):
        describe(path, dataset=PEOPLE)
    assert describe(path, Told(input_layout="NCHW"), PEOPLE).resolution == (8, 3)


def batch_of_four(path: Path) -> Path:
    return graphs.plain(path, shape=(4, 3, *graphs.SIZE))


def grey(path: Path) -> Path:
    height, width = graphs.SIZE
    ports = ((1, 1, height, width), graphs.FLOAT)
    return graphs.save(path, [("Identity", ["x"], ["y"], {})], {"x": ports}, {"y": ports})


def vector(path: Path) -> Path:
    height, width = graphs.SIZE
    nodes = [("ReduceMean", ["x", "axes"], ["y"], {"keepdims": 0})]
    inputs = {"x": ((1, 3, height, width), graphs.FLOAT)}
    return graphs.save(path, nodes, inputs, {"y": ((1, 3), graphs.FLOAT)}, {"axes": np.array([2, 3])})


@pytest.mark.parametrize(
    ("make", "words"),
    [(batch_of_four, "4 pictures at once"), (grey, "none of them is a picture"), (vector, "none of it has the sides")],
)
def test_what_is_no_such_model_is_refused_in_a_sentence(tmp_path, make, words):
    with pytest.raises(Question, match=words) as refused:
        describe(make(tmp_path / "mine.onnx"), dataset=PEOPLE)
    assert "\n" not in str(refused.value)


def frame(red: float) -> np.ndarray:
    return np.broadcast_to(np.array([red, 0.2, 0.1], np.float32), (1, *graphs.SIZE, 3)).copy()


@pytest.mark.parametrize("make", [graphs.four, graphs.previous, graphs.fed_back, graphs.recurrent])
def test_what_a_model_remembers_is_fed_back_and_forgotten_with_an_empty_mask(tmp_path, make):
    path = make(tmp_path / "mine.onnx")
    model = describe(path, dataset=PEOPLE)
    session = open_reference(model, path)
    empty = no_mask(graphs.SIZE)
    first = session(frame(0.8), empty)
    assert first == pytest.approx(0.6, abs=1e-6)
    second = session(frame(0.8), first.copy())
    assert second == pytest.approx(0.6 + 0.25 * (0.8 if make is graphs.recurrent else 0.6), abs=1e-6)
    assert session(frame(0.8), empty) == pytest.approx(0.6, abs=1e-6)
    again = session.native(session.encode_frame(frame(0.8)), session.encode_mask(empty))
    assert session.native(session.encode_frame(frame(0.8)), again) == pytest.approx(second)


def test_states_and_constants_with_names_of_their_own_are_asked_for_and_told(tmp_path):
    path = graphs.recurrent(tmp_path / "mine.onnx", ("memory", "kept"), "scale")
    with pytest.raises(Question, match=r"--state memory=OUTPUT|--constant scale=NUMBER"):
        describe(path, dataset=PEOPLE)
    told = Told(states=(("memory", "kept"),), constants=(("scale", 1.0),))
    assert score(describe(path, told, PEOPLE)) > 0.93
    with pytest.raises(Question, match="has no input 'r1i'"):
        describe(path, Told(states=(("r1i", "kept"),)), PEOPLE)
    with pytest.raises(Question, match="names the output 'r1o'"):
        describe(path, Told(states=(("memory", "r1o"),)), PEOPLE)


def test_a_description_beside_the_model_is_read_and_can_be_mended(tmp_path):
    path = graphs.recurrent(tmp_path / "mine.onnx")
    model = describe(path, dataset=PEOPLE)
    file = description.beside(path)
    file.write_text(description.text(model))
    assert "sha256" not in file.read_text()
    read = model_at(path, dataset=SAMPLE_LIKE)
    assert read.to_dict() | {"origin": ""} == model.to_dict() | {"origin": ""}
    assert read.origin == "mine.onnx.toml"
    file.write_text(file.read_text().replace('"own"', '"mine"'))
    with pytest.raises(BadReferenceModel, match=r"^mine.onnx.toml: role is 'mine', not one of reference, own"):
        model_at(path, dataset=PEOPLE)
    file.write_text("mean = [0, 0, 0]\n")
    assert model_at(path, dataset=PEOPLE).output_name == "pha"
    file.write_text("mean = [0, 0\n")
    with pytest.raises(ValueError, match=r"mine.onnx.toml: "):
        model_at(path, dataset=PEOPLE)
