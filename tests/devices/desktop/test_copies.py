"""Copies of a network: how many there are, that each is another one, and that rounds take them in turn."""

from __future__ import annotations

import numpy as np
import pytest

from devices.desktop import copies
from devices.desktop.interleaved import ROUNDS
from devices.desktop.model_loop import ModelLoop
from models.segmenter import no_mask, to_input
from tests.devices.shallow import SEQUENCES, convert, waves


@pytest.mark.parametrize(
    ("open_seconds", "size", "number"),
    [
        (0.01, 500_000, copies.MOST),
        (0.9, 500_000, copies.MOST),
        (30.0, 500_000, 1),
        (0.01, 20 << 20, 3),
        (0.01, 1 << 30, 1),
        (0.0, 0, copies.MOST),
    ],
)
def test_what_is_large_or_opens_slowly_has_fewer(open_seconds: float, size: int, number: int) -> None:
    assert copies.most(open_seconds, size) == number


@pytest.mark.parametrize(("seconds", "number"), [(0.01, 10), (0.3, 4), (0.6, 2), (2.0, 2)])
def test_no_more_are_opened_than_a_second_allows(shallow_tflite, seconds: float, number: int) -> None:
    """The first session is there; one more is always opened, and another where it would be done in time."""
    from converters.registry import converter

    now = 0.0

    def open_one():
        nonlocal now
        now += seconds
        return converter("tflite").load(shallow_tflite)

    loop = ModelLoop(open_one(), waves(), SEQUENCES)
    assert len(copies.opened(loop, open_one, copies.MOST, lambda: now)) == number


def test_a_copy_of_openvino_is_another_one_with_the_same_masks(tmp_path) -> None:
    pytest.importorskip("openvino")
    from converters.registry import converter

    session = converter("openvino").load(convert(tmp_path, "openvino"))
    copy = session.copy()
    assert copy is not None
    assert copy is not session
    frame, mask = session.encode_frame(to_input(waves()[0])), session.encode_mask(no_mask(session.resolution))
    assert np.array_equal(copy.native(frame, mask), session.native(frame, mask))
    assert copy.facts == session.facts


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
