"""A saved run, whole or damaged."""

import pytest
import torch

from training import state

WHOLE = {"step": 3, "seconds": 1.0, "options": {}, "learners": {}}


def test_a_saved_run_is_read_and_none_is_none(tmp_path):
    path = tmp_path / "state.pt"
    assert state.load(path) is None
    state.save(path, WHOLE)
    assert state.load(path) == WHOLE


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"text", lambda b: b[100:]])
def test_a_damaged_one_is_set_aside_with_a_sentence(tmp_path, damage):
    path = tmp_path / "state.pt"
    said = []
    for number in (1, 2):
        state.save(path, WHOLE)
        path.write_bytes(damage(path.read_bytes()))
        assert state.load(path, said.append) is None
        assert (tmp_path / f"state.damaged-{number}.pt").exists()
    assert not path.exists()
    assert f"{path} is damaged and set aside as state.damaged-2.pt; the run begins anew" in said[1]


def test_what_is_no_run_is_set_aside_too(tmp_path):
    torch.save([1, 2], tmp_path / "state.pt")
    assert state.load(tmp_path / "state.pt", lambda _: None) is None
