"""The gate on files of anybody's: states fed back, pictures laid out as each description says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bench
from cli.ending import WRONG_USAGE
from gate import described
from models import description
from tests.converters.inspection import graphs


@pytest.fixture
def gate(monkeypatch, capsys, tmp_path):
    """The gate of two files with the pictures of `graphs`: (exit code, gate.json, stderr)."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    for clip in graphs.people(number=6).clips:
        picture, label = clip.read(0)
        Image.fromarray(picture).save(folder / "images" / f"{clip.name}.png")
        Image.fromarray(label * np.uint8(255)).save(folder / "masks" / f"{clip.name}.png")

    def run(before: Path, now: Path) -> tuple[int, dict, str]:
        out = tmp_path / "out"
        files = ("--baseline-artifact", before, "--candidate-artifact", now, "--runtime", "onnxruntime")
        options = ("--data", folder, "--seconds", "1", "--out", out)
        monkeypatch.setattr(sys, "argv", ["bench.py", "gate", *map(str, (*files, *options))])
        with pytest.raises(SystemExit) as ended:
            bench.main()
        told = json.loads((out / "gate.json").read_text()) if (out / "gate.json").exists() else {}
        return int(ended.value.code or 0), told, capsys.readouterr().err

    return run


def weaker(path: Path) -> Path:
    """As `graphs.recurrent`, but with less of the red."""
    height, width = graphs.SIZE
    nodes: graphs.Nodes = [
        ("Gather", ["src", "red"], ["r"], {"axis": 1}),
        ("Mul", ["r", "a"], ["ra"], {}),
        ("Mul", ["r", "b"], ["r1o"], {}),
        ("Add", ["ra", "r1i"], ["pha"], {}),
    ]
    state = ("a", "b", "c", "d"), graphs.FLOAT
    inputs = {"src": ((1, 3, height, width), graphs.FLOAT), "r1i": state}
    outputs = {"pha": ((1, 1, height, width), graphs.FLOAT), "r1o": state}
    constants = graphs.RED | {"a": np.array(0.55, np.float32), "b": np.array(0.2, np.float32)}
    return graphs.save(path, nodes, inputs, outputs, constants)


@pytest.mark.long
def test_a_loss_of_accuracy_fails_whatever_the_tensors_are_called(gate, tmp_path):
    code, told, said = gate(graphs.recurrent(tmp_path / "before.onnx"), weaker(tmp_path / "now.onnx"))
    assert code == 1, said
    findings = json.dumps(told)
    assert "IOU" in findings
    assert "before.onnx: r1i is a state: what r1o gave for the frame before." in said


def test_what_is_not_known_is_asked_for_and_where_to_answer_is_said(gate, tmp_path):
    height, width = graphs.SIZE
    ports = ((1, 1, height, width), graphs.FLOAT)
    grey = graphs.save(tmp_path / "grey.onnx", [("Identity", ["x"], ["y"], {})], {"x": ports}, {"y": ports})
    code, told, said = gate(grey, graphs.plain(tmp_path / "now.onnx"))
    assert code == WRONG_USAGE
    assert not told
    assert "bench.py describe takes these options and keeps the answer" in said


def test_a_file_used_in_another_way_is_another_artifact(tmp_path):
    path, dataset = graphs.plain(tmp_path / "mine.onnx"), graphs.people()
    said: list[str] = []
    one = described.ready(path, "onnx", tmp_path / "a", dataset, said.append)
    again = described.ready(path, "onnx", tmp_path / "b", dataset, said.append)
    assert one.artifact.sha256 == again.artifact.sha256
    renamed = described.ready(graphs.plain(tmp_path / "other.onnx"), "onnx", tmp_path / "e", dataset, said.append)
    assert renamed.artifact.sha256 == one.artifact.sha256
    assert one.resolution == graphs.SIZE
    description.beside(path).write_text("mean = [0, 0, 0]\nstd = [0.9, 0.9, 0.9]\n")
    other = described.ready(path, "onnx", tmp_path / "c", dataset, said.append)
    assert other.artifact.sha256 != one.artifact.sha256
    description.beside(path).write_text('fit = "letterbox"\n')
    with pytest.raises(ValueError, match="black bars"):
        described.ready(path, "onnx", tmp_path / "d", dataset, said.append)
