"""Fewer frames, and said so."""

from __future__ import annotations

import numpy as np
import pytest

from devices.data import excerpt
from evaluation.clip import Clip, Dataset


def clip(name: str, length: int) -> Clip:
    def read(i: int) -> tuple[np.ndarray, np.ndarray]:
        return np.full((2, 2, 3), i, np.uint8), np.full((2, 2), i % 2, np.uint8)

    return Clip(name, [str(i) for i in range(length)], read)


FOOTAGE = Dataset("walks", "Two walks and a still.", [clip("a", 5), clip("b", 5), clip("still", 1)])


@pytest.mark.parametrize(
    ("frames", "lengths"), [(2, [1, 1]), (4, [2, 2]), (5, [2, 2, 1]), (9, [4, 4, 1]), (11, [5, 5, 1]), (99, [5, 5, 1])]
)
def test_each_clip_gives_its_beginning_and_half_at_most(frames: int, lengths: list[int]) -> None:
    few = excerpt(FOOTAGE, frames)
    assert [len(one) for one in few.clips] == lengths
    assert few.clips[0].frame_names[0] == "0"


def test_an_excerpt_is_no_longer_called_what_it_was_taken_from() -> None:
    assert excerpt(FOOTAGE, 4).name == "walks, 4 of 11 frames"
    assert "4 were judged" in excerpt(FOOTAGE, 4).description
    assert excerpt(FOOTAGE, 11) is FOOTAGE
