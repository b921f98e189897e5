"""A pack holds what the folder holds, and trains."""

import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from tests.conftest import ROOT
from tests.training.conftest import write_pair
from training import bundle, datasets, pack, packed, state, validation
from training.options import parse


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """The data of conftest.py with a validation set, a picture of which also lies among the selfies."""
    root = tmp_path_factory.mktemp("with-validation")
    for path in data.iterdir():
        (root / path.name).symlink_to(path)
    (root / "selfies").unlink()
    for number in range(12):
        write_pair(root / "selfies", f"s{number}", np.random.default_rng(100 + number))
    for number in (1, 500):
        write_pair(root / "selfie-val", f"v{number}", np.random.default_rng(100 + number))
    (root / "unlabelled" / "selfies").mkdir(parents=True)
    source = root / "selfies" / "images" / "s3.jpg"
    (root / "unlabelled" / "selfies" / "u3.jpg").write_bytes(source.read_bytes())
    return root


@pytest.fixture(scope="module")
def file(folder, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "data.pack"
    assert pack.main([str(folder), "--out", str(path), "--side", "64", "--quality", "90"]) == 0
    return path


@pytest.fixture(scope="module")
def opened(file):
    return packed.read(file)


def test_pictures_and_labels_come_back_nearly_as_they_were(folder, opened):
    whole = {photo.name: photo for photo in datasets.development(folder)}
    for photo in opened.photos():
        if photo.kind == datasets.THING:
            continue
        picture, label = photo.read()
        before, truth = whole[photo.name].read()
        assert max(picture.shape) <= 64
        small = shrunk(before, picture.shape)
        assert np.abs(picture.astype(int) - small).mean() < 12
        assert (label is None) == (truth is None)
        if label is not None:
            assert np.abs(label.astype(int) - shrunk(truth, label.shape)).mean() < 6


def shrunk(pixels, shape):
    import cv2

    return cv2.resize(pixels, shape[1::-1], interpolation=cv2.INTER_AREA)


def test_what_looks_like_a_validation_picture_is_left_out_and_shown_speakers_are(opened):
    names = {entry.name for entry in opened.entries}
    assert "selfies/s2" in names
    assert "selfies/s1" not in names
    assert not {entry.group.split("/")[-1] for entry in opened.entries} & datasets.SHOWN


def test_held_out_pictures_are_marked_by_the_rule_of_the_split(opened):
    for entry in opened.entries:
        labelled = entry.kind in (datasets.PHOTO, datasets.KEYED) and entry.source not in datasets.TRAIN_ONLY
        assert entry.held == (labelled and datasets.held_out(entry.group))
    assert any(entry.held for entry in opened.entries)


def test_a_thing_shares_the_bytes_of_its_photo(opened):
    spans = {entry.name: entry.picture for entry in opened.entries}
    things = [entry for entry in opened.entries if entry.kind == datasets.THING]
    assert things
    for thing in things:
        assert thing.picture == spans[thing.name.replace(datasets.THINGS, "voc-person")]
    read = {photo.name: photo.read for photo in opened.photos()}
    picture, label = read[things[0].name]()
    assert picture.shape[:2] == label.shape
    assert label[0].any()
    assert label[:, 0].any()


def test_levels_are_as_near_as_eight_can_be():
    soft = np.arange(256, dtype=np.uint8).reshape(16, 16)
    back = packed._from_levels(packed.to_levels(soft))
    assert np.abs(back.astype(int) - soft).max() <= 19
    assert {0, 255} <= set(back.ravel().tolist())


def test_validation_sets_are_judged_as_the_folder_is(folder, opened):
    (ours,) = opened.judges()
    (theirs,) = validation.of_folders([folder / "selfie-val"])
    assert ours.name == theirs.name == "selfie-val"
    assert set(np.unique(ours.labels[0])) <= {0, 1}
    truth = iter([np.asarray(label, np.float32) for label in ours.labels])
    perfect = validation.score(lambda frames: [next(truth) for _ in frames], [ours], (64, 64))
    assert perfect == {"selfie-val": 1.0}


def test_a_file_that_is_no_pack_is_a_sentence(tmp_path):
    (tmp_path / "x").write_bytes(b"not a pack")
    with pytest.raises(packed.BadPack, match="is not a pack"):
        packed.read(tmp_path / "x")


BARE = """
import runpy, sys
sys.modules.update(dict.fromkeys({refused}))
sys.argv = sys.argv[1:]
sys.path.insert(0, ".")
if sys.argv[0].endswith(".py"):
    runpy.run_path(sys.argv[0], run_name="__main__")
else:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
REFUSED = ["scipy", "PIL", "typer", "rich", "matplotlib", "platformdirs", "ai_edge_litert", "skimage", "onnx", "psutil"]


def bare(*arguments):
    """A module or script run as on a machine without the packages in REFUSED."""
    command = [sys.executable, "-c", BARE.format(refused=REFUSED), *map(str, arguments)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    return ran.stderr


@pytest.mark.long
def test_the_command_of_a_bare_machine_ends_in_time_comes_home_and_goes_on(file, tmp_path):
    """What `make gpu-training` runs, at toy size, on the machine's own processor."""
    names = ["s32-noskip-plain", "s32-skip-plain"]
    options = ["--pack", file, "--size", "32", "--batch", "4", "--threads", "1", "--save-every", "0"]
    options += ["--samples", "1000000", "--evaluate-every", "1000000"]
    run, out = tmp_path / "run", tmp_path / "out"
    said = bare("train.py", *names, *options, "--out", run, "--minutes", "0.1", "--rates", "hold")
    assert "the minutes are over" in said
    bare("training.bundle", run, "--out", out)
    kept = sorted(path.name for path in out.iterdir())
    assert kept == ["run-1.zip", "run-state.pt"]
    with zipfile.ZipFile(out / "run-1.zip") as files:
        assert set(files.namelist()) == {f"run/{n}/{f}" for n in names for f in ("checkpoint.safetensors", "log.csv")}

    fresh = tmp_path / "fresh"
    fresh.mkdir()
    os.replace(out / "run-state.pt", fresh / "state.pt")
    before = state.load(fresh / "state.pt")
    said = bare("train.py", *names, *options, "--out", fresh, "--minutes", "0.1", "--rates", "anneal")
    assert f"going on at step {before['step']} of" in said
    from models import checkpoint

    one = checkpoint.load(fresh / names[0] / "checkpoint.safetensors")
    assert one.card["training"][-1]["samples"] > 4 * before["step"]
    assert {"selfie-val", "portraits"} <= set(one.card["training"][-1]["log"][-1])
    assert "unlabelled-selfies" in one.card["data"]["sources"]


def test_a_compact_state_is_the_average_in_half_the_bytes(tmp_path):
    from models.variant import VARIANTS
    from training.learner import Learner

    options = parse(["s32-noskip-plain", "--data", str(tmp_path), "--out", str(tmp_path)])
    learner = Learner("s32-noskip-plain", VARIANTS["s32-noskip-plain"], (32, 32), options)
    learner.ready(torch.device("cpu"))
    small = state.compact({"step": 3, "learners": {learner.name: learner.state()}})
    again = state.whole(small["learners"][learner.name])
    learner.take(again)
    for key, value in learner.ema.state.items():
        assert torch.allclose(value.float(), again["network"][key].float(), rtol=1e-3, atol=1e-6)
    assert not again["optimizers"]


def test_files_are_shared_out_within_the_limit(tmp_path):
    sizes = [(tmp_path / str(i), size) for i, size in enumerate([6, 6, 6, 20, 1])]
    groups = bundle.shared_out(sizes, limit=15)
    assert [[path.name for path in group] for group in groups] == [["0", "1"], ["2"], ["3"], ["4"]]
