"""What a baseline's name stands for, what it checks, and git's own reasons where it stands for nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from devices.contract import Config
from gate import artifacts, baseline
from gate.artifacts import GateArtifact, MissingArtifact
from gate.config import GateCase, Tolerance
from reports import gitinfo
from reports.rows import append
from tests.conftest import ROOT, need
from tests.devices.test_paired import network
from tests.reports.made_up import row

CONFIG = Config("s16-skip-plain", "onnx")
TOML = ROOT / "gate.toml"
Git = Callable[..., str]

BENCH = """
import json
print(json.dumps([{"variant": "live", "resolution": [64, 96], "macs": 1}, {"variant": "old", "resolution": [32, 32]}]))
"""
"""Stands for a commit's code, which tells its networks' own resolutions."""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Git:
    """A repository with one commit, which the code under test takes for its own; runs git there."""
    need(None if shutil.which("git") else "git is not installed")
    root = tmp_path / "theirs"
    root.mkdir()
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "somebody")
    monkeypatch.setattr(gitinfo, "ROOT", root)
    monkeypatch.chdir(root)

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    (root / "bench.py").write_text(BENCH)
    (root / "gate.toml").write_text('[[configuration]]\nvariant = "live"\nformat = "tflite"\n')
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    return git


def refused(name: str) -> str:
    with pytest.raises(ValueError, match=r"is no baseline|is a folder and a git ref") as told:
        baseline.find(name, gitinfo.ROOT / "gate.toml")
    return str(told.value)


def test_a_commit_tells_what_it_checks_at_its_own_resolutions(theirs: Git) -> None:
    found = baseline.find("main", gitinfo.ROOT / "gate.toml")
    assert found.name == f"main ({theirs('rev-parse', 'HEAD')[:10]})"
    assert found.cases == (GateCase(Config("live", "tflite", resolution=(64, 96)), default_size=True),)
    assert found.sizes == {"live": (64, 96), "old": (32, 32)}
    assert not found.notes
    assert not found.unreadable


def test_a_commit_may_check_networks_that_are_gone_by_now(theirs: Git) -> None:
    (gitinfo.ROOT / "gate.toml").write_text('[[configuration]]\nvariant = "old"\nformat = "tflite"\n')
    theirs("commit", "--quiet", "--all", "--message", "two")
    (case,) = baseline.find("HEAD", gitinfo.ROOT / "gate.toml").cases
    assert case == GateCase(Config("old", "tflite", resolution=(32, 32)), default_size=True)


@pytest.mark.parametrize(
    "text", ["[[configuration", "[[configuration]]\nvariant = 'nobody'\nformat = 'tflite'\n", "x = 1\n"]
)
def test_a_baseline_whose_gate_toml_cannot_be_read_says_so(theirs: Git, text: str) -> None:
    (gitinfo.ROOT / "gate.toml").write_text(text)
    theirs("commit", "--quiet", "--all", "--message", "two")
    unreadable = baseline.find("HEAD", gitinfo.ROOT / "gate.toml").unreadable
    assert unreadable
    assert unreadable.startswith("its gate.toml cannot be read: ")


def test_a_commit_without_gate_toml_is_noted(theirs: Git) -> None:
    found = baseline.find("main", gitinfo.ROOT / "mine.toml")
    assert found.notes == (f"{found.name} has no mine.toml.",)


def test_an_unknown_ref_is_said_in_gits_words(theirs: Git) -> None:
    said = refused("no-such-ref")
    assert "it is no git ref of this repository (git says: fatal: Needed a single revision)" in said
    assert "expected commit type, but the object dereferences to tree type" in refused("HEAD:".rstrip(":") + "^{tree}")


def test_a_shallow_clone_says_what_mends_it(theirs: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs("commit", "--quiet", "--allow-empty", "--message", "two")
    source = f"file://{gitinfo.ROOT}"
    subprocess.run(["git", "clone", "--quiet", "--depth", "1", source, tmp_path / "shallow"], check=True)
    monkeypatch.setattr(gitinfo, "ROOT", tmp_path / "shallow")
    said = refused("HEAD^1")
    assert "this clone, which is shallow" in said
    assert "`fetch-depth: 0`" in said


def test_a_folder_of_another_user_says_what_mends_it(theirs: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    said = refused("main")
    assert "which belongs to another user" in said
    assert f"`git config --global --add safe.directory {gitinfo.ROOT}`" in said


def test_a_name_of_two_refs_is_refused(theirs: Git) -> None:
    theirs("tag", "v1", "--message", "a tag")
    theirs("branch", "v1")
    said = refused("v1")
    assert "git says: warning: refname 'v1' is ambiguous" in said
    assert "refs/heads/v1 or refs/tags/v1" in said


def test_a_folder_that_holds_no_baseline_does_not_hide_the_ref_of_its_name(theirs: Git) -> None:
    (gitinfo.ROOT / "main").mkdir()
    assert baseline.find("main", gitinfo.ROOT / "gate.toml").name.startswith("main (")
    (gitinfo.ROOT / "empty").mkdir()
    assert "it is a folder without artifacts of gate --save and without rows" in refused("empty")


def test_a_saved_folder_with_the_name_of_a_ref_must_be_said_which(theirs: Git) -> None:
    baseline.save([GateCase(CONFIG)], gitinfo.ROOT / "main")
    assert "write ./main or refs/heads/main" in refused("main")
    assert baseline.find("./main", gitinfo.ROOT / "gate.toml").cases == (GateCase(CONFIG),)
    assert baseline.find("refs/heads/main", gitinfo.ROOT / "gate.toml").sizes


@pytest.mark.parametrize("around", [False, True], ids=["alone", "in another repository"])
def test_without_a_checkout_the_gate_says_what_else_to_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, around: bool
) -> None:
    """The sources as an archive gives them, also where somebody keeps that in a repository of their own."""
    need(None if shutil.which("git") else "git is not installed")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    root = tmp_path / "theirs" / "bench"
    root.mkdir(parents=True)
    (root / "bench.py").touch()
    if around:
        subprocess.run(["git", "init", "--quiet"], cwd=root.parent, check=True)
    monkeypatch.setattr(gitinfo, "ROOT", root)
    assert gitinfo.commit_of("HEAD") is None
    assert gitinfo.checkout_words() == "this checkout"
    said = refused("main")
    assert "a git ref needs a git checkout" in said
    assert "is no git checkout (git says: " in said
    assert said.endswith("or --baseline-artifact")


def test_a_saved_folder_declares_what_was_declared_and_what_lies_in_it(tmp_path: Path) -> None:
    cases = [GateCase(CONFIG, Tolerance(slowdown=0.01), default_size=True), GateCase(replace(CONFIG, threads=2))]
    model = artifacts.of_file(network(tmp_path / "one.onnx", 0.25), "onnx")
    artifacts.save({case.config: model for case in cases} | {Config("live", "onnx"): model}, tmp_path / "saved")
    baseline.save(cases, tmp_path / "saved")
    found = baseline.find(str(tmp_path / "saved"), TOML)
    assert found.cases == (*cases, GateCase(Config("live", "onnx"), default_size=True))
    (tmp_path / "saved" / baseline.DECLARED).unlink()
    former = baseline.find(str(tmp_path / "saved"), TOML)
    assert {case.name for case in former.cases} == {CONFIG.name, Config("live", "onnx").name}
    (tmp_path / "saved" / baseline.DECLARED).write_text('[{"config": 3}]')
    assert "cannot be read" in (baseline.find(str(tmp_path / "saved"), TOML).unreadable or "")


def test_what_a_saved_artifact_says_of_itself_is_not_believed(tmp_path: Path) -> None:
    path = network(tmp_path / "one.onnx", 0.25)
    true = artifacts.of_file(path, "onnx")
    artifacts.save({CONFIG: true}, tmp_path / "saved")
    record = artifacts.place(tmp_path / "saved", CONFIG) / artifacts.RECORD
    forged = {"bytes": 10**9, "macs": 10**12, "graph": {"ops": {}, "leftovers": {"PAD": 99}}, "parity": None}
    forged |= {"path": "../../one.onnx"}
    record.write_text(json.dumps(json.loads(record.read_text()) | forged))
    (found,) = artifacts.of_folder(tmp_path / "saved", [CONFIG]).values()
    assert isinstance(found, GateArtifact)
    assert replace(found, path=path) == true
    assert found.path.parent == record.parent
    record.write_text(json.dumps({"sha256": "0" * 64}))
    (other,) = artifacts.of_folder(tmp_path / "saved", [CONFIG]).values()
    assert isinstance(other, MissingArtifact)
    assert other.reason.endswith("is not the artifact that was saved: its hash is another")


def test_an_earlier_run_tells_the_resolution_of_each_network(tmp_path: Path) -> None:
    append(tmp_path / "run" / "rows.jsonl", row("s16-skip-plain", "onnx", resolution=(64, 64)))
    found = baseline.find(str(tmp_path / "run"), TOML)
    assert found.sizes == {"s16-skip-plain": (64, 64)}
    assert not found.cases
