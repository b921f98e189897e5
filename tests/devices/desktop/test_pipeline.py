"""The two timed loops: a fresh frame each time, and the model's own last mask, not an older one."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from converters.session import Array, Quantisation, Session
from devices.contract import Counts
from devices.desktop.model_loop import ModelLoop, unrepeated
from devices.desktop.pipeline import CAMERA, RING, PipelineLoop, camera_pictures
from devices.desktop.timing import sample
from models.segmenter import to_input

H, W = 32, 64


@dataclass
class Recorder(Session):
    """A session that keeps what it is given and returns a mask that no other call returns."""

    layout: str = "NHWC"  # type: ignore[assignment]
    frame_quantisation: Quantisation | None = None
    mask_quantisation: Quantisation | None = None
    frames: list[Array] = field(default_factory=list)
    given: list[Array] = field(default_factory=list)
    returned: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.resolution = (H, W)
        self.facts = {}

    def native(self, frame: Array, prev_mask: Array) -> Array:
        self.frames.append(frame)
        self.given.append(prev_mask)
        shape = (1, H, W, 1) if self.layout == "NHWC" else (1, 1, H, W)
        kind = np.int8 if self.mask_quantisation else np.float32
        self.returned.append(np.full(shape, len(self.frames) if self.mask_quantisation else 1 / len(self.frames), kind))
        return self.returned[-1]


@pytest.fixture
def frames() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (RING + 4, H, W, 3), np.uint8)


def test_the_pipeline_has_the_next_frame_and_the_last_mask_each_time(frames: np.ndarray) -> None:
    session = Recorder()
    sample(PipelineLoop(session, camera_pictures(frames)), Counts(samples=2 * RING + 1, seconds=0))
    assert len(session.frames) == 2 * RING + 1
    for before, now in zip(session.frames, session.frames[1:], strict=False):
        assert not np.array_equal(before, now)
    assert np.array_equal(session.frames[0], session.frames[RING])
    assert len({frame.tobytes() for frame in session.frames}) == RING
    assert not session.given[0].any()
    assert all(mask is last for mask, last in zip(session.given[1:], session.returned, strict=False))


def test_the_model_has_every_frame_in_order_and_the_last_mask_except_where_a_sequence_begins(
    frames: np.ndarray,
) -> None:
    session = Recorder()
    count, first = len(frames), 7
    sample(ModelLoop(session, frames, (first, count - first)), Counts(samples=2 * count + 1, seconds=0))
    assert len(session.frames) == 2 * count + 1
    for i, (frame, given) in enumerate(zip(session.frames, session.given, strict=True)):
        assert np.array_equal(frame, to_input(frames[i % count]))
        if i % count in (0, first):
            assert not given.any()
        else:
            assert given is session.returned[i - 1]


def test_the_masks_that_are_scored_are_those_of_the_timed_frames(frames: np.ndarray) -> None:
    session = Recorder()
    loop = ModelLoop(session, frames, (len(frames),))
    sample(loop, Counts(samples=5, seconds=0))
    loop.rewind()
    sample(loop, Counts(samples=len(frames), seconds=0))
    loop.note()
    # The n-th call returns a mask of 1/n throughout; five calls came before the rewinding.
    expected = [1 / (5 + n) for n in range(1, len(frames) + 1)]
    assert np.allclose(loop.masks.mean((1, 2)), expected)


def test_a_single_frame_is_joined_by_its_mirror_image_as_a_sequence_of_its_own(frames: np.ndarray) -> None:
    shown, sequences = unrepeated(frames[:1], (1,))
    assert sequences == (1, 1)
    assert np.array_equal(shown[0], frames[0])
    assert np.array_equal(shown[0][:, ::-1], shown[1])
    assert unrepeated(frames, (3, 17))[0] is frames


def test_the_pipeline_gives_an_eight_bit_mask_of_the_camera_size(frames: np.ndarray) -> None:
    loop = PipelineLoop(Recorder(), camera_pictures(frames))
    for expected in (255, 128, 85):
        loop.prepare()
        loop.run()
        assert loop.alpha.shape == CAMERA[::-1]
        assert loop.alpha.dtype == np.uint8
        assert np.all(loop.alpha == expected)


def test_the_pipeline_shows_the_model_the_picture_in_its_layout(frames: np.ndarray) -> None:
    pictures = camera_pictures(frames)
    assert all(picture.shape == (*CAMERA[::-1], 3) for picture in pictures)
    upright, turned = Recorder(), Recorder(layout="NCHW")
    for session in (upright, turned):
        loop = PipelineLoop(session, pictures)
        loop.prepare()
        loop.run()
    assert turned.frames[0].shape == (1, 3, H, W)
    assert turned.frames[0].flags.c_contiguous
    assert np.array_equal(turned.frames[0].transpose(0, 2, 3, 1), upright.frames[0])
    # Bilinear there and back: the picture's means are kept, channel by channel.
    means = frames[0].reshape(-1, 3).mean(0) / 255
    assert np.allclose(upright.frames[0].reshape(-1, 3).mean(0), means, atol=0.02)


def test_a_model_in_integers_gets_integers(frames: np.ndarray) -> None:
    session = Recorder(frame_quantisation=Quantisation(1 / 255, -128), mask_quantisation=Quantisation(1 / 256, -128))
    loop = PipelineLoop(session, camera_pictures(frames))
    for _ in range(2):
        loop.prepare()
        loop.run()
    assert session.frames[0].dtype == np.int8
    assert np.all(session.given[0] == -128)
    assert session.given[1] is session.returned[0]
    assert np.all(loop.alpha == round((2 + 128) / 256 * 255))
