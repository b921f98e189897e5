"""Which frames of a data set the page shows."""

from __future__ import annotations

import numpy as np

from evaluation.clip import Clip, Dataset
from evaluation.score import score
from reports.record import examples, shared


def clip(name: str, people: list[bool]) -> Clip:
    """White frames; a person fills the left half of those of `people`."""
    label = np.zeros((20, 40), np.uint8)
    label[:, :20] = 1
    picture = np.full((20, 40, 3), 255, np.uint8)
    frames = [label if there else np.zeros_like(label) for there in people]
    return Clip(name, [f"{i:03d}" for i in range(len(people))], lambda i: (picture, frames[i]))


def test_every_network_shows_the_same_frames() -> None:
    clips = [clip("a", [True]), clip("walk", [True] * 9), clip("b", [True]), clip("c", [True]), clip("d", [True])]
    assert shared(Dataset("made up", "", clips)) == [1 + 4, 0, 10, 11]
    assert shared(Dataset("made up", "", clips[:1])) == [0]


def test_the_worst_frame_has_a_person() -> None:
    dataset = Dataset("made up", "", [clip("walk", [False, True, True])])
    masks = np.zeros((3, 20, 40), np.float32)
    masks[0] = 1  # wrong, and nobody is there
    masks[1, :, :20] = 1
    masks[2, :, :10] = 1
    found = examples(masks, dataset, score(masks, dataset))
    assert [(one["kind"], one["frame"]) for one in found] == [("shared", "001"), ("worst", "002")]
    empty = Dataset("made up", "", [clip("walk", [False])])
    assert [one["kind"] for one in examples(masks[:1], empty, score(masks[:1], empty))] == ["shared"]
