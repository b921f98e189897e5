"""Copies of a network: how many there are, that each is another one, and that rounds take them in turn."""

from __future__ import annotations

import numpy as np
import pytest

from devices.desktop import copies
from devices.desktop.interleaved import ROUNDS
from devices.desktop.model_loop import ModelLoop
from tests.devices.shallow import SEQUENCES, waves


@pytest.mark.parametrize(
    ("open_seconds", "size", "number"),
    [
        (0.01, 500_000, copies.MOST),
        (0.25, 500_000, 4),
        (0.6, 500_000, 1),
        (30.0, 500_000, 1),
        (0.01, 20 << 20, 3),
        (0.01, 1 << 30, 1),
        (0.0, 0, copies.MOST),
    ],
)
def test_what_opens_slowly_or_is_large_has_fewer(open_seconds: float, size: int, number: int) -> None:
    assert copies.count(open_seconds, size) == number


def test_every_round_of_a_take_has_a_copy_of_its_own() -> None:
    assert copies.MOST >= ROUNDS


def test_copies_give_the_same_masks_and_are_taken_in_turn(shallow_tflite) -> None:
    from converters.registry import converter

    def open_one():
        return converter("tflite").load(shallow_tflite)

    loop = ModelLoop(open_one(), waves(), SEQUENCES)
    sessions = copies.opened(loop, open_one, 3)
    assert len(set(map(id, sessions))) == 3
    assert loop.session is sessions[0]
    give = copies.turn((loop, sessions))
    masks, taken = [], []
    for number in range(6):
        give(number)
        taken.append(sessions.index(loop.session))
        loop.rewind()
        for _ in loop.frames:
            loop.prepare()
            loop.run()
        loop.note()
        masks.append(loop.masks.copy())
    assert taken == [0, 1, 2, 0, 1, 2]
    assert all(np.array_equal(mask, masks[0]) for mask in masks)
