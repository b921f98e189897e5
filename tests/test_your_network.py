"""docs/your-network.md, line by line, on a network of one convolution."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import bench
import segment
from models import description
from tests.conftest import ROOT
from tests.converters.inspection import graphs
from tests.video.made import video

PAGE = (ROOT / "docs/your-network.md").read_text()
QUICK = {
    "bench.py": ["--quick", "--variants", "none", "--references", "none"],
    "gate": ["--seconds", "1", "--clock", "advises"],
}
"""What is added to a command that takes a time, so that the test neither takes it nor judges it."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the page takes for granted."""
    monkeypatch.chdir(tmp_path)
    for name in ("images", "masks"):
        (tmp_path / "DIR" / name).mkdir(parents=True)
    for clip in graphs.people(number=4).clips:
        picture, label = clip.read(0)
        Image.fromarray(picture).save(tmp_path / "DIR/images" / f"{clip.name}.png")
        Image.fromarray(label * np.uint8(255)).save(tmp_path / "DIR/masks" / f"{clip.name}.png")
    shutil.copy(tmp_path / "DIR/images/0.png", tmp_path / "photo.png")
    video(tmp_path / "clip.mp4", 2, (96, 160))
    return tmp_path


def run(line: str, monkeypatch: pytest.MonkeyPatch) -> int:
    _, program, *arguments = shlex.split(line)
    if program == "bench.py" and arguments[0].endswith(".onnx"):
        arguments += QUICK["bench.py"]
    elif arguments[0] == "gate":
        arguments += QUICK["gate"]
    monkeypatch.setattr(sys, "argv", [program, *arguments])
    with pytest.raises(SystemExit) as ended:
        (bench.main if program == "bench.py" else segment.main)()
    return int(ended.value.code or 0)


def nearly_the_same(path: Path, out: Path) -> None:
    """Copy a model with its weights times 1.0001."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path)
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype.kind == "f":
            tensor.CopyFrom(numpy_helper.from_array(values * values.dtype.type(1.0001), tensor.name))
    onnx.save(model, out)


def verdicts() -> list[dict[str, Any]]:
    return json.loads(Path("results/gate.json").read_text())["configurations"]


@pytest.mark.long
def test_the_page_is_true(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    network = torch.nn.Sequential(torch.nn.Conv2d(3, 1, 1), torch.nn.Sigmoid())
    with torch.no_grad():
        network[0].get_parameter("weight")[:] = torch.tensor([12.0, 0, 0]).reshape(1, 3, 1, 1)
        network[0].get_parameter("bias")[:] = -6
    export, use = blocks("python")
    names: dict[str, Any] = {"network": network}
    exec(export.replace("256", "32"), names)
    # Another file with the same masks: two that are the same pass without being measured.
    nearly_the_same(Path("mine.onnx"), Path("released.onnx"))
    *lines, gate, gate_of_entries = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) == 4
    for line in lines:
        assert run(line, monkeypatch) == 0, (line, capsys.readouterr().err)
    assert Path("mine.onnx.toml").is_file()
    assert Path("results/report.html").is_file()
    # A second seldom makes a sure time: then the gate ends with 2, and what it judges otherwise is below.
    assert run(gate, monkeypatch) in (0, 2), capsys.readouterr().err
    (gated,) = verdicts()
    outcomes = {found["metric"]: found["outcome"] for found in gated["findings"]}
    assert {name for name, outcome in outcomes.items() if outcome == "pass"} == {
        "size", "macs", "graph", "placement", "IOU", "boundary F",
    }  # fmt: skip
    assert gated["speed"]["first"], "both files were timed"
    assert "IOU: 9" in capsys.readouterr().out
    labels, entries = blocks("toml")
    description.check("selfie", tomllib.loads(labels), "the page")
    Path("gate.toml").write_text(entries)
    shutil.copy("mine.onnx", "released.onnx")
    assert run(gate_of_entries, monkeypatch) == 0, capsys.readouterr().err
    (gated,) = verdicts()
    assert (gated["configuration"], gated["equal"]) == ("mine.onnx", True)
    assert np.asarray(Image.open("out.png")).shape == (72, 96, 4)
    names = {"photo": np.asarray(Image.open("photo.png"))}
    exec(use, names)
    assert names["mask"].shape == (72, 96)
    assert len(names["frames"]) == 2


def test_every_answer_of_the_page_is_an_option_or_a_field() -> None:
    from cli.told import _options
    from converters.inspection.told import NAMES

    known = {option.__metadata__[0].default for option in _options().values()}
    for option in re.findall(r"--[a-z][a-z-]+", PAGE.split("| question")[1].split("\n\n")[0]):
        assert option in known | {"--resolution"}, option
    fields = re.findall(r"`(\w+)`", PAGE.split("fields of the description:")[1].split(". A file")[0])
    assert set(fields) <= set(NAMES)
