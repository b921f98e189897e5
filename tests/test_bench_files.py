"""`bench.py FILE`, `describe` and `evaluate` on models of the user's."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench import main
from cli.ending import WRONG_USAGE
from tests.converters.inspection import graphs


@pytest.fixture
def run(monkeypatch, capsys):
    """The command as a user gives it: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["bench.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    (folder / "masks").mkdir()
    for clip in graphs.people(number=4).clips:
        picture, label = clip.read(0)
        Image.fromarray(picture).save(folder / "images" / f"{clip.name}.png")
        Image.fromarray(label * np.uint8(255)).save(folder / "masks" / f"{clip.name}.png")
    return folder


def planned(told: str) -> list[str]:
    return json.loads(told)["measure"]


def test_files_are_measured_beside_live_and_mediapipe(run, data, tmp_path):
    one, other = graphs.both(tmp_path / "one.onnx"), graphs.recurrent(tmp_path / "other.onnx")
    code, told, said = run(one, "--data", data, other, "--dry-run", "--json")
    assert code == 0, said
    assert [name.split("/")[0] for name in planned(told)] == ["live", "one", "other", "mediapipe-selfie"]
    assert "one.onnx: the mask is the output p, NCHW, probabilities, channel 1." in said
    code, told, said = run("--variants", "none", "--references", "none", "--data", data, one, "--dry-run", "--json")
    assert planned(told) == ["one/onnx/fp32/24x32/desktop/cpu1"]


@pytest.mark.long
def test_a_file_is_measured_like_one_of_ours(run, data, tmp_path):
    path = graphs.recurrent(tmp_path / "mine.onnx")
    alone = ("--variants", "none", "--references", "none", "--quick", "--data", data, "--out", tmp_path / "out")
    code, _, said = run(path, *alone, "--json")
    assert code == 0, said
    (row,) = [json.loads(line) for line in (tmp_path / "out/rows.jsonl").read_text().splitlines()]
    assert row["status"] == "ok"
    assert row["accuracy"]["iou"] > 0.93
    assert row["network"]["peer"] is False
    assert row["network"]["states"] == [["r1i", "r1o"]]
    assert "r1i is a state: what r1o gave for the frame before" in row["network"]["assumed"]
    code, told, said = run("evaluate", path, "--data", data, "--json")
    assert json.loads(told)["iou"] == pytest.approx(row["accuracy"]["iou"], abs=1e-6)
    assert "mine" in (tmp_path / "out/report.html").read_text()


def test_what_cannot_be_measured_is_said_and_the_rest_is_planned(run, data, tmp_path):
    right, wrong = graphs.plain(tmp_path / "right.onnx"), tmp_path / "wrong.onnx"
    wrong.write_bytes(b"nothing")
    code, told, said = run(right, wrong, tmp_path / "none.tflite", "--data", data, "--dry-run", "--json")
    assert code == WRONG_USAGE
    assert "right/onnx/fp32/24x32/desktop/cpu1" in planned(told)
    assert f"bench.py: {wrong}: not a model in onnx" in said
    assert f"bench.py: {tmp_path / 'none.tflite'}: there is no such file" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.onnx",), "none of the models named can be measured"),
        (("model.pt",), "not a model that can be inspected|there is no such file"),
        (("--variants", "none", "--references", "none"), "nothing remains to be measured"),
    ],
)
def test_nothing_to_measure_is_wrong_usage(run, arguments, words):
    import re

    code, _, said = run(*arguments, "--dry-run")
    assert code == WRONG_USAGE
    assert re.search(words, said)


def test_a_format_that_a_device_does_not_take_is_said(run, data, tmp_path):
    path = graphs.plain(tmp_path / "mine.onnx")
    code, told, said = run(path, "--data", data, "--formats", "tflite", "--dry-run", "--json")
    assert "mine is onnx, and desktop is to run tflite; it is left out." in said
    assert code == 0
    assert [name.split("/")[:2] for name in planned(told)] == [["live", "tflite"], ["mediapipe-selfie", "tflite"]]


def test_a_description_is_written_beside_the_model_and_read_again(run, data, tmp_path):
    path = graphs.ids8(tmp_path / "mine.onnx")
    code, _, said = run("describe", path)
    assert code == WRONG_USAGE
    assert "--mean " in said  # the question names its options
    assert "--std " in said
    code, told, said = run("describe", path, "--data", data, "--role", "reference")
    assert (code, told) == (0, f"{path}.toml\n"), said
    assert 'role = "reference"' in Path(f"{path}.toml").read_text()
    code, told, said = run("evaluate", path, "--data", data)
    assert code == 0
    assert told.startswith("IOU: 9")
    Path(f"{path}.toml").write_text(Path(f"{path}.toml").read_text().replace('"y"', '"z"'))
    code, _, said = run("evaluate", path, "--data", data)
    assert code == WRONG_USAGE
    assert said.splitlines()[-1] == "bench.py: mine.onnx.toml: output_name is 'z', but it gives y"


def test_several_models_are_listed_in_one_file(run, data, tmp_path):
    graphs.recurrent(tmp_path / "a.onnx", ("memory", "kept"), "scale")
    graphs.plain(tmp_path / "b.onnx")
    (tmp_path / "models.toml").write_text(
        '[first]\nfile = "a.onnx"\nstates = { memory = "kept" }\nconstants = { scale = 1 }\n'
        '[second]\nfile = "b.onnx"\nrole = "reference"\n'
    )
    alone = ("--variants", "none", "--references", "none", "--data", data, "--dry-run", "--json")
    code, told, said = run("--models", tmp_path / "models.toml", *alone)
    assert code == 0, said
    assert [name.split("/")[0] for name in planned(told)] == ["first", "second"]
    (tmp_path / "models.toml").write_text('[first]\nname = "a.onnx"\n')
    code, _, said = run("--models", tmp_path / "models.toml", *alone)
    assert code == WRONG_USAGE
    assert "[first] has no file" in said


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--mean", "0.5,0.5"), "is not one number or three"),
        (("--std", "0"), "has a zero"),
        (("--person-class", "person"), "is no class"),
        (("--state", "r1i"), "is no pair"),
        (("--constant", "a=b"), "ends in no number"),
        (("--input-layout", "HWC"), "is none of NHWC, NCHW"),
    ],
)
def test_a_wrong_answer_is_refused_in_a_sentence(run, tmp_path, option, words):
    code, _, said = run("evaluate", graphs.plain(tmp_path / "mine.onnx"), *option)
    assert code == WRONG_USAGE
    assert words in said


@pytest.mark.parametrize(
    ("name", "words"),
    [("mine.pt", "torch.onnx.export"), ("mine.pt2", "torch.onnx.export"), ("mine.mlpackage", "give the .onnx file")],
)
def test_a_format_that_is_not_run_is_refused_with_what_to_do_instead(run, tmp_path, name, words):
    path = tmp_path / name
    path.mkdir() if path.suffix == ".mlpackage" else path.write_bytes(b"")
    for arguments in ((path, "--dry-run"), ("evaluate", path), ("describe", path)):
        code, _, said = run(*arguments)
        assert code == WRONG_USAGE
        assert words in said, said


def test_precisions_and_the_whole_set_are_obeyed_beside_a_file(run, data, tmp_path):
    path = graphs.plain(tmp_path / "mine.onnx")
    few = ("--data", data, "--references", "none", "--dry-run", "--json")
    code, told, said = run(path, *few, "--precisions", "fp32,int8")
    assert code == 0, said
    live = [name for name in planned(told) if name.startswith("live/")]
    assert [name.split("/")[2] for name in live] == ["fp32", "int8"]
    code, told, said = run(path, *few, "--all", "--formats", "onnx")
    assert len([name for name in planned(told) if name.startswith("s")]) == 12
    code, _, said = run(path, *few, "--device", "nothing")
    assert code == WRONG_USAGE
    assert "the picture is the input" not in said, "a wrong device is said before the model is tried"
