"""Model files that a gate.toml names: of two commits of their owner's repository, of a saved folder, of two files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import bench
from cli.ending import WRONG_USAGE
from evaluation.folder import read as read_data
from gate.artifacts import GateArtifact, MissingArtifact
from gate.baseline import find
from gate.config import ModelCase, read
from gate.model_files import comparisons
from gate.run import Comparison
from models.description import beside
from reports.gitinfo import repository_of
from tests.conftest import need
from tests.converters.inspection import graphs

Told = dict[str, dict]
"""gate.json's configurations by their names."""
Gate = Callable[..., tuple[int, Told, str]]
Compared = Callable[[str], dict[str, Comparison]]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The owner's repository: a model, its gate.toml, and both committed."""
    need(None if shutil.which("git") else "git is not installed")
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "somebody")
    root = tmp_path / "mine"
    (root / "nets").mkdir(parents=True)
    net(root / "nets/net.onnx")
    declare(root, 'model = "net.onnx"')
    git(root, "init", "--quiet", "--initial-branch=main")
    commit(root)
    return root


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True)


def commit(root: Path) -> None:
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "a change")


def declare(root: Path, *entries: str) -> None:
    (root / "nets/gate.toml").write_text("".join(f"[[configuration]]\n{entry}\n" for entry in entries))


def net(path: Path, bolder: bool = False) -> Path:
    """What is red is a person; a `bolder` one takes a strip of the picture for a person as well, as fast."""
    height, width = graphs.SIZE
    strip = np.zeros((1, 1, height, width), np.float32)
    strip[..., -width // 16 :] = bolder
    nodes: graphs.Nodes = [
        ("Gather", ["x", "red"], ["r"], {"axis": 1}),
        ("Max", ["r", "strip"], ["s"], {}),
        ("Clip", ["s", "low", "high"], ["y"], {}),
    ]
    inputs, outputs = {"x": ((1, 3, height, width), graphs.FLOAT)}, {"y": ((1, 1, height, width), graphs.FLOAT)}
    limits = {"low": np.float32(0), "high": np.float32(1)}
    constants = {"strip": strip} | {name: np.array(value) for name, value in limits.items()}
    return graphs.save(path, nodes, inputs, outputs, graphs.RED | constants)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The pictures of `graphs` in a folder."""
    folder = tmp_path / "data"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for clip in graphs.people(number=4).clips:
        picture, label = clip.read(0)
        Image.fromarray(picture).save(folder / "images" / f"{clip.name}.png")
        Image.fromarray(label * np.uint8(255)).save(folder / "masks" / f"{clip.name}.png")
    return folder


@pytest.fixture
def gate(
    mine: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Gate:
    """`bench.py gate` with the repository's gate.toml: the exit code, the verdicts by name, and what was printed."""

    def run(*options: object) -> tuple[int, Told, str]:
        out = tmp_path / "out"
        shutil.rmtree(out, ignore_errors=True)
        declared = ("--configurations", mine / "nets/gate.toml", "--data", data, "--out", out, "--seconds", "1")
        monkeypatch.setattr(sys, "argv", ["bench.py", "gate", *map(str, (*declared, *options))])
        with pytest.raises(SystemExit) as ended:
            bench.main()
        told = json.loads((out / "gate.json").read_text()) if (out / "gate.json").exists() else {}
        said = capsys.readouterr()
        verdicts = {one["configuration"]: one for one in told.get("configurations", [])}
        return int(ended.value.code or 0), verdicts, said.err + said.out

    return run


@pytest.fixture
def compared(mine: Path, data: Path, tmp_path: Path) -> Compared:
    """What a gate would time, by name: the artifacts of both sides, or why there is none."""
    numbers = count()

    def run(baseline: str) -> dict[str, Comparison]:
        configurations = mine / "nets/gate.toml"
        found = find(baseline, configurations, root=repository_of(configurations.parent))
        cases = [case for case in read(configurations) if isinstance(case, ModelCase)]
        into = tmp_path / f"copies{next(numbers)}"
        pairs, _ = comparisons(cases, found, configurations.parent, into, read_data(data), lambda _: None)
        return {pair.name: pair for pair in pairs}

    return run


def alike(pair: Comparison) -> bool:
    assert isinstance(pair.baseline, GateArtifact)
    assert isinstance(pair.candidate, GateArtifact)
    return pair.baseline.sha256 == pair.candidate.sha256


def reason(pair: Comparison, side: str = "baseline") -> str:
    missing = getattr(pair, side)
    assert isinstance(missing, MissingArtifact)
    return missing.reason


def test_the_baseline_is_the_file_of_the_owners_commit(mine: Path, gate: Gate, compared: Compared) -> None:
    code, told, said = gate("--baseline", "main")
    assert (code, told["net.onnx"]["equal"]) == (0, True), said
    net(mine / "nets/net.onnx", bolder=True)
    code, told, said = gate("--baseline", "main")
    assert code == 1, said
    outcomes = {finding["metric"]: finding["outcome"] for finding in told["net.onnx"]["findings"]}
    assert outcomes["IOU"] == "fail"
    assert told["net.onnx"]["speed"]["first"], "both files were timed"
    commit(mine)
    assert not alike(compared("HEAD^1")["net.onnx"]), "the commit before still has the other file"
    assert alike(compared("HEAD")["net.onnx"])


def test_a_description_belongs_to_its_commit(mine: Path, compared: Compared) -> None:
    """The same file with another scale is another artifact, whether a file or gate.toml says so."""
    beside(mine / "nets/net.onnx").write_text("mean = [0, 0, 0]\nstd = [0.9, 0.9, 0.9]\n")
    assert not alike(compared("main")["net.onnx"])
    commit(mine)
    assert alike(compared("main")["net.onnx"])
    declare(mine, 'model = "net.onnx"\ndescription = { std = [1, 1, 1] }')
    assert not alike(compared("main")["net.onnx"])
    commit(mine)
    assert alike(compared("main")["net.onnx"])


def test_what_is_not_there_costs_its_own_entry(mine: Path, compared: Compared) -> None:
    graphs.plain(mine / "new.onnx")
    (mine / "nets/text.onnx").write_text("no model")
    os.mkfifo(mine / "nets/pipe.onnx")
    declare(
        mine,
        'model = "net.onnx"',
        'model = "../new.onnx"',
        'model = "lost.onnx"',
        'model = "text.onnx"',
        'model = "pipe.onnx"',
        'model = "net.onnx"\nthreads = 2\nbaseline = "../../mine.onnx"',
    )
    told = compared("main")
    assert alike(told["net.onnx"])
    assert reason(told["../new.onnx"]).endswith("has no ../new.onnx")
    assert reason(told["lost.onnx"], "candidate") == f"there is no {mine / 'nets/lost.onnx'}"
    assert reason(told["text.onnx"], "candidate").startswith("text.onnx: not a model")
    assert "pipe" in reason(told["pipe.onnx"], "candidate")
    assert reason(told["net.onnx on 2 threads"]) == "../../mine.onnx is outside the repository"


def test_an_entry_that_is_gone_is_a_regression(mine: Path, gate: Gate) -> None:
    graphs.plain(mine / "nets/other.onnx")
    commit(mine)
    declare(mine, 'model = "other.onnx"')
    code, told, said = gate("--baseline", "main")
    assert code == 1, said
    assert told["other.onnx"]["equal"]
    assert told["net.onnx"]["findings"][0]["words"].startswith("FAIL; the baseline checks it")


def test_a_saved_folder_keeps_the_files_and_their_descriptions(
    mine: Path, gate: Gate, compared: Compared, tmp_path: Path
) -> None:
    saved = tmp_path / "saved"
    beside(mine / "nets/net.onnx").write_text("mean = [0, 0, 0]\nstd = [0.9, 0.9, 0.9]\n")
    code, _, said = gate("--save", saved)
    assert code == 0, said
    assert "1 of 1 artifacts are in" in said
    found = find(str(saved), mine / "nets/gate.toml")
    assert [case.name for case in found.cases] == ["net.onnx"]
    assert alike(compared(str(saved))["net.onnx"])
    beside(mine / "nets/net.onnx").write_text("mean = [0, 0, 0]\nstd = [1, 1, 1]\n")
    assert not alike(compared(str(saved))["net.onnx"])
    (kept,) = (path for path in saved.rglob("net.onnx") if path.is_file())
    net(kept, bolder=True)
    assert reason(compared(str(saved))["net.onnx"]).endswith("is not the file that was saved: its hash is another")
    declare(mine, 'model = "lost.onnx"')
    code, _, said = gate("--save", saved)
    assert code == 3
    assert "bench.py: lost.onnx: there is no " in said


def test_a_run_keeps_no_files(mine: Path, compared: Compared, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/rows.jsonl").touch()
    assert reason(compared(str(tmp_path / "run"))["net.onnx"]).endswith("is a run, which keeps no copy of net.onnx")


def test_two_files_need_no_baseline(mine: Path, gate: Gate) -> None:
    code, _, said = gate()
    assert code == WRONG_USAGE
    assert "each entry of gate.toml names a baseline file, and net.onnx does not" in said
    shutil.copyfile(mine / "nets/net.onnx", mine / "nets/next.onnx")
    declare(mine, 'model = "next.onnx"\nbaseline = "net.onnx"')
    code, told, said = gate()
    assert (code, told["next.onnx"]["equal"]) == (0, True), said


def test_a_baseline_file_that_the_commit_does_not_have_is_the_one_on_the_disk_and_that_is_said(
    mine: Path, gate: Gate, compared: Compared
) -> None:
    shutil.copyfile(mine / "nets/net.onnx", mine / "nets/released.onnx")
    declare(mine, 'model = "net.onnx"\nbaseline = "released.onnx"')
    code, told, said = gate("--baseline", "main")
    assert (code, told["net.onnx"]["equal"]) == (0, True), said
    assert f"has no released.onnx: the file {mine / 'nets/released.onnx'} is the baseline." in said
    commit(mine)
    net(mine / "nets/released.onnx", bolder=True)
    assert alike(compared("main")["net.onnx"]), "the commit's file is the baseline"
