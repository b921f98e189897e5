"""Where the artifacts of a gate come from: a file, a saved folder, an earlier run, a git ref."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from converters.artifact import Parity
from converters.cache import Cache, sha256
from devices.contract import Config
from gate import artifacts
from gate.artifacts import GateArtifact, MissingArtifact
from reports import gitinfo
from reports.rows import append
from tests.conftest import ROOT
from tests.converters.test_files import external
from tests.devices.test_paired import network
from tests.reports.made_up import failed, row

CELL = Config("s16-skip-plain", "onnx")
PARITY = Parity(30, 1e-5, 1e-7, 0.0, {"max_difference": 1e-3})


@pytest.fixture
def artifact(tmp_path: Path) -> GateArtifact:
    return artifacts.of_file(network(tmp_path / "one.onnx", 0.25), "onnx", parity=PARITY)


def test_the_content_is_what_counts_and_not_the_name(artifact: GateArtifact, tmp_path: Path) -> None:
    same = artifacts.of_file(network(tmp_path / "other-name.onnx", 0.25), "onnx")
    other = artifacts.of_file(network(tmp_path / "two.onnx", 0.5), "onnx")
    assert artifact.sha256 == same.sha256 != other.sha256
    assert artifact.bytes == artifact.path.stat().st_size
    assert artifact.graph["ops"] == {"Gather": 1, "Mul": 2, "Add": 1}


def test_a_model_of_two_files_is_both_of_them(tmp_path: Path) -> None:
    def pair(name: str, weights: bytes) -> str:
        (tmp_path / f"{name}.xml").write_text("<net/>")
        (tmp_path / f"{name}.bin").write_bytes(weights)
        return artifacts.content(tmp_path / f"{name}.xml")

    assert pair("a", b"1") == pair("b", b"1") != pair("c", b"2")


def test_a_saved_folder_gives_back_what_was_saved(artifact: GateArtifact, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    other = replace(CELL, precision="int8")
    artifacts.save({CELL: artifact, other: MissingArtifact("it has no checkpoint")}, folder)
    artifact.path.unlink()
    found = artifacts.of_folder(folder, [CELL, other])
    mine = found[CELL]
    assert isinstance(mine, GateArtifact)
    assert replace(mine, path=artifact.path) == replace(artifact, parity=None), "parity is of the candidate alone"
    assert mine.path.is_relative_to(folder)
    absent = found[other]
    assert isinstance(absent, MissingArtifact)
    assert f"{folder} holds no {other.name}" == absent.reason


@pytest.mark.parametrize("damage", ["artifact", "truncated", "keys"])
def test_a_damaged_saved_artifact_is_missing(artifact: GateArtifact, tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "saved"
    artifacts.save({CELL: artifact}, folder)
    (place,) = folder.iterdir()
    if damage == "artifact":
        network(place / "model.onnx", 0.5)
    else:
        (place / artifacts.RECORD).write_text("{" if damage == "truncated" else "{}")
    assert isinstance(artifacts.of_folder(folder, [CELL])[CELL], MissingArtifact)


def test_an_earlier_run_gives_the_artifacts_it_measured(tmp_path: Path) -> None:
    run, cache = tmp_path / "run", Cache(tmp_path / "cache")
    model = network(tmp_path / "s16-skip-plain.onnx", 0.25)
    measured = row("s16-skip-plain", "onnx")
    measured = replace(measured, artifact=measured.artifact | {"sha256": sha256(model)})
    append(run / "rows.jsonl", measured)
    append(run / "rows.jsonl", failed())
    (gone,) = artifacts.of_run(run, [CELL], cache).values()
    assert isinstance(gone, MissingArtifact)
    assert "the cache no longer has the s16-skip-plain" in gone.reason
    entry = cache.root / measured.artifact["key"]
    entry.mkdir(parents=True)
    network(entry / "s16-skip-plain.onnx", 0.25)
    other = replace(CELL, variant="live")
    found = artifacts.of_run(run, [CELL, other], cache)
    mine, absent = found[CELL], found[other]
    assert isinstance(mine, GateArtifact)
    assert mine.path.parent == entry
    assert mine.macs == 0, "counted in its graph, which has no convolution, whatever the row says"
    assert isinstance(absent, MissingArtifact)
    assert "has no row of live/onnx" in absent.reason
    network(entry / "s16-skip-plain.onnx", 0.5)
    (forged,) = artifacts.of_run(run, [CELL], cache).values()
    assert isinstance(forged, MissingArtifact)
    assert forged.reason.endswith(f"is not what {run} measured: its hash is another")


@pytest.mark.usefixtures("checkout")
def test_a_ref_is_a_commit_or_nothing() -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert gitinfo.commit_of("HEAD") == head.strip()
    assert gitinfo.commit_of("--all") is None
    assert gitinfo.commit_of("no-such-ref") is None


@pytest.mark.usefixtures("checkout")
def test_the_tree_of_a_commit_is_that_commit_and_leaves_nothing(tmp_path: Path) -> None:
    with gitinfo.tree("HEAD") as there:
        assert (there / "gate.toml").is_file()
        assert not (there / ".git").exists()
        kept = there
    assert not kept.exists()


@pytest.mark.usefixtures("checkout")
def test_a_commit_whose_files_are_not_here_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="0000000000: its files cannot be had"), gitinfo.tree("0" * 40):
        pass
    monkeypatch.setenv("PATH", "")
    assert gitinfo.commit_of("HEAD") is None, "without git no ref means anything"


def test_a_baseline_that_does_not_end_is_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.setattr(artifacts, "CONVERT_SECONDS", 0.5)
    made = artifacts._convert(tmp_path, CELL)
    assert isinstance(made, MissingArtifact)
    assert made.reason.endswith(f"could not make {CELL.name}: it was stopped after 0.5 s")


def test_what_an_old_commit_cannot_make_is_absent_with_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "bench.py").write_text("import sys\nsys.exit('bench.py: this one is too old.')\n")
    made = artifacts._convert(tmp_path, CELL)
    assert isinstance(made, MissingArtifact)
    assert made.reason.endswith(f"could not make {CELL.name}: bench.py: this one is too old")
    assert artifacts.sizes_of(tmp_path) == {}


def test_external_data_of_zeros_is_another_artifact(tmp_path: Path) -> None:
    for name in ("a", "b"):
        external(tmp_path / name / "model.onnx", "model.onnx.data")
    (tmp_path / "b" / "model.onnx.data").write_bytes(bytes(1024))
    one, other = (artifacts.of_file(tmp_path / name / "model.onnx", "onnx") for name in ("a", "b"))
    assert one.sha256 != other.sha256
    assert one.bytes == (tmp_path / "a" / "model.onnx").stat().st_size + 1024
    artifacts.save({CELL: one}, tmp_path / "saved")
    (tmp_path / "a" / "model.onnx.data").unlink()
    kept = artifacts.of_folder(tmp_path / "saved", [CELL])[CELL]
    assert isinstance(kept, GateArtifact)
    assert kept.sha256 == one.sha256
    (tmp_path / "saved" / "s16-skip-plain.onnx.fp32.256x256" / "model.onnx.data").write_bytes(bytes(1024))
    assert isinstance(artifacts.of_folder(tmp_path / "saved", [CELL])[CELL], MissingArtifact)
