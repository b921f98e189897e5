"""The person in front, on drawn people whose truth is known and on filmed ones laid over each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
import pytest

from evaluation.sample import _cutout, embedded
from models.segmenter import Segmenter as Plain
from tests.converters.inspection import graphs
from tests.video.people import BLUE, GREEN, RED
from video.follow import follow
from video.segmenter import Segmenter

SIZE = 96, 144
Scene = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A frame (h, w, 3), and what is seen (h, w) of the person in front and of somebody else."""


def drawn(main: Iterable[float | None], other: Iterable[float | None], who_is_before: str = "main") -> Iterator[Scene]:
    """Two people, a red and a green one, the first larger, whose middles go along two lists of shares of the width."""
    for x, y in zip(main, other, strict=True):
        frame = np.empty((*SIZE, 3), np.uint8)
        frame[:] = BLUE
        places = {"main": figure(x, 0.3), "other": figure(y, 0.22)}
        hidden = "other" if who_is_before == "main" else "main"
        places[hidden] = places[hidden] & ~places[who_is_before]
        frame[places["main"]], frame[places["other"]] = RED, GREEN
        yield frame, places["main"], places["other"]


def figure(x: float | None, wide: float) -> np.ndarray:
    """A head over shoulders (h, w) about a share of the width; nobody for None."""
    made = np.zeros(SIZE, np.uint8)
    if x is not None:
        height, width = SIZE
        middle, half = round(x * width), round(wide * width / 2)
        cv2.ellipse(made, (middle, height), (half, round(1.3 * half)), 0, 0, 360, 1, -1)
        cv2.ellipse(made, (middle, height - round(1.9 * half)), (half // 2, round(0.75 * half)), 0, 0, 360, 1, -1)
    return made > 0


def soft(*people: np.ndarray) -> np.ndarray:
    """A mask (h, w) as a network gives it: its edges over some pixels."""
    whole = np.logical_or.reduce(people).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(whole, (0, 0), 1.0), np.float32)


def followed(scenes: Iterable[Scene]) -> list[tuple[float, float]]:
    """Of each frame the shares kept of the person in front and of the other."""
    before, kept = None, []
    for frame, main, other in scenes:
        mask, before = follow(frame, soft(main, other), before)
        kept.append((share(mask, main), share(mask, other)))
    return kept


def share(mask: np.ndarray, of: np.ndarray) -> float:
    return float((mask > 0.5)[of].mean()) if of.any() else 0.0


def line(start: float, end: float, frames: int) -> list[float]:
    return list(np.linspace(start, end, frames))


def test_the_larger_and_more_central_one_is_in_front_and_stays_it():
    for main, other in followed(drawn(line(0.35, 0.2, 20), line(0.8, 0.6, 20))):
        assert main > 0.97
        assert other < 0.02


def test_a_mask_of_one_person_stays_as_it_is():
    before = None
    for frame, main, _ in drawn(line(0.3, 0.6, 10), [None] * 10):
        mask = soft(main)
        kept, before = follow(frame, mask, before)
        assert (kept == mask).all()


def test_soft_edges_go_with_their_person():
    (frame, main, other) = next(drawn([0.35], [0.8]))
    whole = soft(main, other)
    kept, _ = follow(frame, whole, None)
    alone = soft(main)
    assert np.abs(kept - alone).max() < 0.02


@pytest.mark.parametrize("before", ["main", "other"])
def test_somebody_who_touches_them_and_goes_again_is_not_taken_in(before):
    there = line(0.95, 0.6, 25)
    kept = followed(drawn([0.4] * 60, [*there, *[0.6] * 10, *there[::-1]], before))
    assert min(main for main, _ in kept) > 0.9
    assert max(other for _, other in kept) < 0.5
    assert kept[-1][0] > 0.97
    assert kept[-1][1] == 0


@pytest.mark.parametrize("before", ["main", "other"])
def test_somebody_who_passes_by_is_told_from_them_again(before):
    kept = followed(drawn([0.5] * 80, line(1.1, -0.1, 80), before))
    assert kept[-1] == (pytest.approx(1, abs=0.03), 0)
    assert [main for main, _ in kept[:15] + kept[-15:]] == pytest.approx([1] * 30, abs=0.03)
    assert max(other for _, other in kept[:15] + kept[-15:]) < 0.03


def test_two_who_cross_are_told_apart_by_their_colours():
    kept = followed(drawn(line(0.3, 0.75, 60), line(0.75, 0.2, 60)))
    assert [main for main, _ in kept[-5:]] == pytest.approx([1] * 5, abs=0.03)
    assert max(other for _, other in kept[-5:]) < 0.03


def test_empty_frames_change_nothing_about_who_it_is():
    gone = [None] * 20
    scenes = [*drawn(line(0.4, 0.4, 10), [None] * 10), *drawn(gone, gone), *drawn([0.25] * 3, [0.7] * 3)]
    kept = followed(scenes)
    assert max(main for main, _ in kept[10:30]) == 0
    assert kept[-1][0] > 0.97
    assert kept[-1][1] < 0.02


def test_somebody_else_alone_for_a_while_is_shown_and_the_person_is_found_again():
    scenes = [
        *drawn([0.4] * 5, [None] * 5),
        *drawn([None] * 5, [0.9] * 5),
        *drawn([0.3] * 5, [0.9] * 5),
    ]
    kept = followed(scenes)
    assert kept[7][1] > 0.97
    assert kept[4][0] > 0.97


def test_a_hand_near_by_and_a_head_cut_off_from_its_body_are_parts_of_them():
    frame, main, _ = next(drawn([0.5], [None]))
    cut = main.copy()
    cut[SIZE[0] - 30 : SIZE[0] - 27] = False
    hand = np.zeros(SIZE, bool)
    hand[86:94, 96:102] = True
    _, before = follow(frame, soft(main), None)
    kept, _ = follow(frame, soft(cut, hand), before)
    assert share(kept, cut) > 0.95
    assert share(kept, hand) > 0.9


def test_somebody_much_larger_takes_the_place():
    frame = next(drawn([None], [None]))[0]
    speck = np.zeros(SIZE, bool)
    speck[40:48, 70:80] = True
    kept, before = follow(frame, soft(speck), None)
    assert share(kept, speck) > 0.5
    for frame, main, _ in drawn(line(1.1, 0.75, 12), [None] * 12):
        kept, before = follow(frame, soft(main, speck), before)
    assert share(kept, main) > 0.97
    assert share(kept, speck) == 0


def smaller(part: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.resize(part, None, fx=0.42, fy=0.42, interpolation=cv2.INTER_AREA), np.uint8)


def people(frames: int, other_at: Callable[[int], float], before: bool) -> Iterator[Scene]:
    """The man at the desk, filmed, and the astronaut's portrait going by before or behind him, at half size."""
    talk = embedded().clips[0]
    assert talk.read_alpha is not None
    colours, matte = map(smaller, _cutout("astronaut", 0))
    for index in range(frames):
        # To and fro, so that it goes on without a cut.
        turn = index % (2 * len(talk) - 2)
        at = min(turn, 2 * len(talk) - 2 - turn)
        scene, man = np.asarray(talk.read(at)[0]), talk.read_alpha(at) > 0.5
        height, width = man.shape
        there = np.zeros((height, width), np.uint8)
        paste = np.zeros_like(scene)
        left = round(other_at(index) * width) - matte.shape[1] // 2
        first, last = max(left, 0), min(left + matte.shape[1], width)
        if first < last:
            columns = slice(first - left, last - left)
            there[-matte.shape[0] :, first:last] = matte[:, columns]
            paste[-matte.shape[0] :, first:last] = colours[:, columns]
        other = there > 127
        if before:
            man = man & ~other
        else:
            other = other & ~man
        frame = np.where(other[..., None], paste, scene)
        small = (192, 144)
        yield (
            np.asarray(cv2.resize(frame, small, interpolation=cv2.INTER_AREA), np.uint8),
            cv2.resize(man.view(np.uint8), small, interpolation=cv2.INTER_AREA) > 0,
            cv2.resize(other.view(np.uint8), small, interpolation=cv2.INTER_AREA) > 0,
        )


@pytest.mark.parametrize("before", [False, True], ids=["behind", "before"])
def test_a_filmed_man_is_stayed_with_while_somebody_goes_by(before):
    kept = followed(people(90, lambda i: 1.2 - 1.4 * i / 89, before))
    main, other = np.array(kept).T
    assert main[:8].min() > 0.97
    assert main[-8:].min() > 0.97
    assert other[-3:].max() < 0.05
    assert main.mean() > 0.9


def test_a_cut_and_reset_begin_anew(tmp_path):
    """Through the Segmenter, with a network that takes what is red for a person."""
    path = graphs.plain(tmp_path / "mine.onnx")
    segmenter = Segmenter(path, people="main", mean=(0, 0, 0), std=(1, 1, 1))
    everybody = Segmenter(path, mean=(0, 0, 0), std=(1, 1, 1))
    left, right = (scene(*halves) for halves in (((8, 60), (90, 120)), ((8, 40), (70, 120))))
    segmenter.watch_cuts = everybody.watch_cuts = False
    assert whose(segmenter(left)) == (True, False)
    assert whose(segmenter(right)) == (True, False)
    assert whose(everybody(right)) == (True, True)
    segmenter.reset()
    assert whose(segmenter(right)) == (False, True)
    dark = scene((4, 30), (50, 124), wall=(0, 240, 30))
    segmenter.watch_cuts = True
    assert whose(segmenter(left)) == (False, True)
    assert whose(segmenter(dark)) == (False, True)


def scene(one: tuple[int, int], two: tuple[int, int], wall: tuple[int, int, int] = (0, 40, 220)) -> np.ndarray:
    made = np.full((96, 128, 3), wall, np.uint8)
    for first, last in (one, two):
        made[30:, first:last] = (250, 30, 20)
    return made


def whose(mask: np.ndarray) -> tuple[bool, bool]:
    return bool(mask[60, 20] > 0.5), bool(mask[60, 105] > 0.5)


def test_the_plain_segmenter_knows_nothing_of_people():
    assert not hasattr(Plain, "people")
