"""The whole way from a camera picture to a mask that can be composited, as a loop of `devices.desktop.timing`.

`prepare` hands over the next frame of a ring as a camera would, untimed. The model's own last mask is its next
previous mask.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from converters.session import Session
from models.segmenter import box, no_mask, to_input

CAMERA = (1280, 720)
"""Width and height in pixels of the camera's picture and of the finished mask."""
RING = 16
"""Frames in the ring: too many for the nearest caches, few enough to lie ready at camera size."""

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""


class PipelineLoop:
    """Camera picture (720, 1280, 3) uint8 RGB in, `alpha` (720, 1280) uint8 out.

    Timed are the bilinear resize, the scaling to [0, 1], the model's layout and type, the model, its mask in 8 bits
    and that mask's bilinear enlargement. Reading the camera and compositing are not.
    """

    def __init__(self, session: Session, pictures: Sequence[Picture]) -> None:
        self.session = session
        self.mask = session.encode_mask(no_mask(session.resolution))
        self.pictures: Iterator[Picture] = itertools.cycle(pictures)
        # Beside the picture lie the black bars of a model that keeps its aspect.
        self.small = np.zeros((*session.resolution, 3), np.uint8)
        whole = slice(None), slice(None)
        self.rows, self.columns = whole if session.resize_mode == "stretch" else box(CAMERA[::-1], session.resolution)
        self.inside = self.small[self.rows, self.columns]
        self.size = self.inside.shape[1], self.inside.shape[0]

    def prepare(self) -> None:
        self.picture = next(self.pictures)

    def run(self) -> None:
        cv2.resize(self.picture, self.size, dst=self.inside, interpolation=cv2.INTER_LINEAR)
        frame = self.session.encode_frame(to_input(self.small))
        self.mask = self.session.native(frame, self.mask)
        mask = self.session.decode_person(self.mask)[0, self.rows, self.columns, 0]
        small_alpha = cv2.convertScaleAbs(mask, alpha=255)
        self.alpha = cv2.resize(small_alpha, CAMERA, interpolation=cv2.INTER_LINEAR)


def camera_pictures(frames: NDArray[np.uint8]) -> list[Picture]:
    """The ring: the first of `frames` (N, H, W, 3), in order, enlarged to the camera's size."""
    return [np.asarray(cv2.resize(f, CAMERA, interpolation=cv2.INTER_LINEAR), np.uint8) for f in frames[:RING]]
