"""What is timed: the network alone, and the whole way from a camera picture to a mask that can be composited.

Both are loops of `devices.timing`: `prepare` hands over the next frame of a ring as a camera would, untimed; `run` is
timed. In both the model's own last mask is its next previous mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from converters.session import Array, Session

CAMERA = (1280, 720)
"""Width and height in pixels of the camera's picture and of the finished mask."""
RING = 16
"""Frames in the ring: too many for the nearest caches, few enough to lie ready at camera size."""

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""


class ModelLoop:
    """Native frame and mask in ordinary memory in, native mask in ordinary memory out.

    The copies into and out of the runtime's own tensors are timed, as an application pays them; laying the frame out
    in the model's layout and type is not.
    """

    def __init__(self, session: Session, frames: Sequence[Array]) -> None:
        self.session = session
        self.mask = session.encode_mask(empty_mask(session))
        self.frames: Iterator[Array] = itertools.cycle(frames)

    def prepare(self) -> None:
        self.frame = next(self.frames)

    def run(self) -> None:
        self.mask = self.session.native(self.frame, self.mask)


class PipelineLoop:
    """Camera picture (720, 1280, 3) uint8 RGB in, `alpha` (720, 1280) uint8 out.

    Timed are the bilinear resize, the scaling to [0, 1], the model's layout and type, the model, its mask in 8 bits
    and that mask's bilinear enlargement. Reading the camera and compositing are not.
    """

    def __init__(self, session: Session, pictures: Sequence[Picture]) -> None:
        self.session = session
        self.mask = session.encode_mask(empty_mask(session))
        self.pictures: Iterator[Picture] = itertools.cycle(pictures)

    def prepare(self) -> None:
        self.picture = next(self.pictures)

    def run(self) -> None:
        height, width = self.session.resolution
        small = cv2.resize(self.picture, (width, height), interpolation=cv2.INTER_LINEAR)
        frame = self.session.encode_frame(to_float(small))
        self.mask = self.session.native(frame, self.mask)
        small_alpha = cv2.convertScaleAbs(self.session.decode_mask(self.mask)[0, :, :, 0], alpha=255)
        self.alpha = cv2.resize(small_alpha, CAMERA, interpolation=cv2.INTER_LINEAR)


def ring_of(frames: NDArray[np.uint8]) -> list[Picture]:
    """The first frames of (N, H, W, 3), in order; a single one is joined by its mirror image: no input repeats."""
    ring = [np.array(frame) for frame in frames[:RING]]
    return ring if len(ring) > 1 else [ring[0], np.ascontiguousarray(ring[0][:, ::-1])]


def camera_pictures(ring: Sequence[Picture]) -> list[Picture]:
    """The same frames enlarged to the camera's size."""
    return [np.asarray(cv2.resize(frame, CAMERA, interpolation=cv2.INTER_LINEAR), np.uint8) for frame in ring]


def to_float(picture: Picture | cv2.typing.MatLike) -> NDArray[np.float32]:
    """(H, W, 3) uint8 to (1, H, W, 3) float32 in [0, 1]."""
    return np.multiply(picture, np.float32(1 / 255), dtype=np.float32)[None]


def empty_mask(session: Session) -> NDArray[np.float32]:
    """The previous mask of a first frame: zeros (1, H, W, 1)."""
    return np.zeros((1, *session.resolution, 1), np.float32)
