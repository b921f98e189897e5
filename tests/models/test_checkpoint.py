from dataclasses import replace

import pytest
import torch

from models import checkpoint
from models.hourglass import Hourglass
from models.variant import REFERENCE, get

TINY = get("s32-noskip-plain")


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.safetensors"
    network = Hourglass(TINY).eval()
    checkpoint.save(path, "s32-noskip-plain", TINY, network.state_dict(), {"training": [{"samples": 3}]})
    return path, network


def test_a_checkpoint_carries_its_variant_and_card(saved):
    path, network = saved
    loaded = checkpoint.load(path)
    assert (loaded.name, loaded.variant, loaded.card) == ("s32-noskip-plain", TINY, {"training": [{"samples": 3}]})
    assert loaded.sha256 == checkpoint.sha256(path)
    frame, prev = torch.rand(1, 3, 64, 64), torch.rand(1, 1, 64, 64)
    assert torch.equal(loaded.network()(frame, prev), network(frame, prev))


def rewrite(path, **changes):
    from safetensors.torch import safe_open, save_file

    with safe_open(path, "pt") as file:
        state = {k: file.get_tensor(k) for k in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    state.update(changes.pop("tensors", {}))
    for key in changes.pop("drop", ()):
        del state[key]
    save_file(state, path, {**metadata, **changes})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"drop": ["stem.frame.0.weight"]}, "lacks 1 tensors"),
        ({"tensors": {"extra": torch.zeros(1)}}, "does not"),
        ({"tensors": {"stem.frame.0.weight": torch.zeros(3)}}, "asks"),
        ({"tensors": {"head.logits.bias": torch.full((16,), float("nan"))}}, "not finite"),
        ({"variant": '{"squeeze": 4}'}, "tensors|asks"),
        ({"variant": "{"}, "metadata"),
        ({"format": "other"}, "no variant"),
    ],
)
def test_a_checkpoint_that_contradicts_itself_is_refused(saved, change, words):
    path, _ = saved
    rewrite(path, **change)
    with pytest.raises(checkpoint.BadCheckpoint, match=words):
        checkpoint.load(path)


def test_no_file_and_no_safetensors_are_refused_in_a_sentence(tmp_path):
    with pytest.raises(checkpoint.BadCheckpoint, match="no such file"):
        checkpoint.load(tmp_path / "none.safetensors")
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    with pytest.raises(checkpoint.BadCheckpoint, match="not a safetensors file"):
        checkpoint.load(tmp_path / "junk.safetensors")


@pytest.mark.parametrize("name", REFERENCE)
def test_every_reference_variant_ships_a_trained_checkpoint(name):
    path = checkpoint.find(name)
    assert path is not None
    assert path.stat().st_size < 4e6
    loaded = checkpoint.load(path)
    assert loaded.variant == REFERENCE[name]
    assert sum(run["samples"] for run in loaded.card["training"]) > 10_000


def test_a_checkpoint_of_another_variant_under_the_right_name_is_refused(saved, tmp_path):
    path, _ = saved
    checkpoint.check_name(path, "s32-noskip-plain", TINY)
    larger = replace(TINY, resolution=(320, 320))
    checkpoint.check_name(path, "s32-noskip-plain", larger)
    with pytest.raises(checkpoint.BadCheckpoint, match=r"is no checkpoint of live: its .* is .*, and live has"):
        checkpoint.check_name(path, "live", get("live"))
    (tmp_path / "noise.safetensors").write_bytes(b"noise")
    checkpoint.check_name(tmp_path / "noise.safetensors", "live", get("live"))


def test_every_command_refuses_a_folder_with_such_a_checkpoint(saved, tmp_path):
    from cli.inputs import trained

    path, _ = saved
    path.rename(tmp_path / "live.safetensors")
    with pytest.raises(checkpoint.BadCheckpoint, match=r"live\.safetensors: is no checkpoint of live"):
        trained(tmp_path)
