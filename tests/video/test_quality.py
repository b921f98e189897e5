"""The judges of refinement, on a disc that stands still and networks whose faults are known."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from evaluation.clip import Clip, Dataset
from models.segmenter import Segmenter
from tests.video.people import disc, mixed
from video.band import Floats
from video.quality import HEAD, compare
from video.settings import EPSILONS, LOWS, RADII
from video.settings import compare as settings

RESOLUTION = (32, 32)
TRUE = disc(60, size=(192, 192))
CLIP = Clip(
    "disc",
    ["1", "2", "3", "4"],
    lambda index: (mixed(TRUE), (TRUE > 0.5).astype(np.uint8)),
    read_alpha=lambda index: TRUE,
)
DATASET = Dataset("disc", "a disc", [CLIP])


def red(frame: Floats) -> Floats:
    return (frame[..., :1] > 0.5).astype(np.float32)


def cells(step, smoothing: float = 0.0) -> dict[tuple[str, str], dict[str, float]]:
    """{(fed back, mask): {column: mean}}."""
    lines = compare(step, RESOLUTION, DATASET, smoothing)
    means = [[float(cell.split(" ")[0]) for cell in line[2:]] for line in lines]
    return {(line[0], line[1]): dict(zip(HEAD, mean, strict=True)) for line, mean in zip(lines, means, strict=True)}


def test_refinement_is_seen_in_every_figure_of_a_coarse_mask():
    found = cells(lambda frame, prev: red(frame))
    refined, enlarged = found["none", "refined"], found["none", "enlarged"]
    assert refined["IOU %"] > enlarged["IOU %"] > 90
    assert refined["SAD"] < 0.6 * enlarged["SAD"]
    assert refined["gradient"] < 0.6 * enlarged["gradient"]
    assert refined["boundary F %"] >= enlarged["boundary F %"]


def test_a_network_that_needs_its_previous_mask_is_seen_to():
    found = cells(lambda frame, prev: red(frame) * np.float32(1 if prev.any() else 0.4))
    assert found["none", "enlarged"]["IOU %"] == 0
    # All but the first of four frames.
    assert found["previous mask", "enlarged"]["IOU %"] > 70


def test_flicker_is_seen_and_what_smoothing_takes_from_it():
    turns = itertools.cycle((0.4, 0.6))

    def flickering(frame: Floats, prev: Floats) -> Floats:
        return red(frame) * np.float32(next(turns))

    assert cells(flickering, 0.9)["none", "enlarged"]["dtSSD"] < 0.7 * cells(flickering)["none", "enlarged"]["dtSSD"]


def test_every_setting_is_judged_beside_the_mask_that_is_only_enlarged():
    still = replace(DATASET, clips=[replace(CLIP, frame_names=["1"])])
    found = settings(Segmenter(lambda frame, prev: red(frame), RESOLUTION), still)
    assert set(found) == {None, *itertools.product(RADII, EPSILONS, LOWS)}
    assert all(found[setting] < found[None] for setting in found if setting)
