"""train.py as a user runs it: real processes, a real (tiny) data folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


def command(data, out, *more, samples=40, names=("s32-noskip-plain",)):
    options = [
        "--size",
        "32",
        "--batch",
        "4",
        "--samples",
        str(samples),
        "--threads",
        "1",
        "--save-every",
        "0",
        "--teacher",
        "none",
    ]
    return [str(ROOT / "train.py"), *names, "--data", str(data), "--out", str(out), *options, *more]


def run(arguments, cache, **more):
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, *arguments], cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True, **more
    )


def finish(process):
    _, words = process.communicate(timeout=180)
    assert process.returncode == 0, words
    return words


def weights(out):
    from models import checkpoint

    return checkpoint.load(out / "checkpoint.safetensors")


@pytest.fixture(scope="module")
def whole(data, tmp_path_factory):
    """A run that nothing disturbed, and the cache it decoded into."""
    cache, out = tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("whole")
    finish(run(command(data, out), cache))
    return out, cache


@pytest.mark.long
def test_a_run_that_was_killed_ends_like_one_that_was_not(data, whole, tmp_path):
    out, cache = whole
    process = run(command(data, tmp_path), cache)
    deadline = time.monotonic() + 120
    while not (tmp_path / "state.pt").exists():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (tmp_path / "checkpoint.safetensors").exists()
    assert "going on at step" in finish(run(command(data, tmp_path), cache))
    one, two = weights(out), weights(tmp_path)
    assert all(torch.equal(one.state[key], two.state[key]) for key in one.state)
    logged = [[entry["loss"] for entry in run.card["training"][-1]["log"]] for run in (one, two)]
    assert logged[0] == pytest.approx(logged[1], rel=1e-5)


@pytest.mark.long
def test_a_network_learns_in_company_what_it_learns_alone(data, whole, tmp_path):
    out, cache = whole
    names = ("s32-skip-plain", "s32-noskip-plain")
    finish(run(command(data, tmp_path, names=names), cache))
    alone, together = weights(out), weights(tmp_path / "s32-noskip-plain")
    assert all(torch.equal(alone.state[key], together.state[key]) for key in alone.state)
    assert weights(tmp_path / "s32-skip-plain").card["training"][-1]["variant"] == "s32-skip-plain"


def test_another_run_does_not_overwrite_a_folder(data, whole):
    out, cache = whole
    process = run(command(data, out, "--seed", "7"), cache)
    assert "holds another run" in process.communicate(timeout=120)[1]
    assert process.returncode == 64


def test_the_card_says_what_was_done(whole, data):
    assert (whole[0] / "curves.png").stat().st_size > 1000
    card = weights(whole[0]).card
    assert card["data"]["sources"] == [
        "ccp",
        "ccp-upper",
        "cutouts",
        "portraits",
        "scenes",
        "selfies",
        "talking-heads",
        "things",
        "voc-person",
    ]
    assert len(card["data"]["sha256"]) == 64
    (stage,) = card["training"]
    assert (stage["samples"], stage["size"], stage["variant"]) == (40, 32, "s32-noskip-plain")


@pytest.mark.long
def test_a_stage_starts_from_another_checkpoint_and_its_card_goes_on(data, whole, tmp_path):
    out, cache = whole
    more = ["--init", str(out / "checkpoint.safetensors"), "--frames", "2", "--temporal-weight", "1"]
    words = finish(run(command(data, tmp_path, *more), cache))
    assert "fresh: nothing" in words
    assert [stage["frames"] for stage in weights(tmp_path).card["training"]] == [1, 2]


def test_the_features_of_a_checkpoint_are_followed(data, whole, tmp_path):
    from models.checkpoint import sha256

    out, cache = whole
    teacher = out / "checkpoint.safetensors"
    finish(run(command(data, tmp_path, "--feature-teacher", str(teacher)), cache))
    (stage,) = weights(tmp_path).card["training"]
    assert (stage["feature_teacher"], stage["feature_weight"]) == (sha256(teacher)[:12], 0.3)
    one, two = weights(out).state, weights(tmp_path).state
    assert any(not torch.equal(one[key], two[key]) for key in one)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (["--size", "33"], "multiples of 32"),
        (["--init", "none.safetensors"], "no such file"),
        (["--temporal-weight", "1"], "needs --frames 2"),
        (["--feature-weight", "1"], "another trunk"),
        (["--feature-teacher", "none.safetensors"], "there is no such file"),
        (["--rates", "anneal"], "needs --minutes"),
        (["--distill-weight", "1.5"], "between 0 and 1"),
        (["--pack", "none.pack"], "one of --data and --pack"),
    ],
)
def test_a_users_mistake_is_a_sentence(data, whole, tmp_path, change, words):
    process = run(command(data, tmp_path, *change), whole[1])
    text = process.communicate(timeout=120)[1]
    assert process.returncode == 64
    assert words in text
    assert "Traceback" not in text


def test_a_folder_without_data_is_a_sentence(tmp_path):
    process = run(command(tmp_path, tmp_path / "out"), tmp_path / "cache")
    text = process.communicate(timeout=120)[1]
    assert process.returncode == 64
    assert "nothing to train on" in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_two_processes_under_torchrun_agree_with_each_other(data, whole, tmp_path):
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node=2", "--master_port=29611"]
    words = finish(run([*launcher, *command(data, tmp_path)], whole[1]))
    assert "wrote" in words
    stage = weights(tmp_path).card["training"][-1]
    assert stage["processes"] == 2


@pytest.mark.slow
def test_bfloat16_is_for_the_arithmetic_alone(data, whole, tmp_path):
    out, cache = whole
    finish(run(command(data, tmp_path, "--bf16"), cache))
    one, two = weights(out), weights(tmp_path)
    assert {value.dtype for value in two.state.values()} == {value.dtype for value in one.state.values()}
    assert not all(torch.equal(one.state[key], two.state[key]) for key in one.state)
    known, other = (card["training"][-1]["log"][-1]["loss"] for card in (one.card, two.card))
    assert other == pytest.approx(known, rel=0.02)
