"""State around the stateless network: pictures of any size in, and each mask is the next one's previous mask.

segmenter = Segmenter(step, resolution)
for picture in video:
    mask = segmenter.segment(picture)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from models.labels import person
from models.variant import Resolution

Floats = NDArray[np.float32]

Step = Callable[[Floats, Floats], Floats]
"""One frame through a network: frame (1, H, W, 3) RGB in [0, 1] and previous mask (1, H, W, 1) to mask (1, H, W, 1),
or to the probabilities (1, H, W, 9) of models/labels.py."""


class BadMask(ValueError):
    """What a model gave is no mask; its text says why in a sentence."""

    exit_code = 3
    """Of a command: it could not be measured."""


ROUNDING = 0.01
"""By how much a mask may leave [0, 1]: float16 and int8 round."""

ResizeMode = Literal["stretch", "letterbox"]
"""How a picture is brought to an input: its aspect not kept, or in the middle with black bars."""


class Segmenter:
    """A `Step` at `resolution` with its mask fed back unless `feedback` is off; `resize_mode` is how it takes pictures.

    `smoothing` in [0, 1] leans the mask on the previous one where the network is unsure, as MediaPipe's hair
    segmentation does (0.9 there); 0 feeds back what the network said. With `watch_cuts` the previous mask is forgotten
    where the scene changes; a picture of another size always begins anew.
    """

    def __init__(
        self,
        step: Step,
        resolution: Resolution,
        smoothing: float = 0.0,
        resize_mode: ResizeMode = "stretch",
        watch_cuts: bool = False,
        feedback: bool = True,
    ) -> None:
        self.step = step
        self.resolution = resolution
        self.smoothing = smoothing
        self.resize_mode = resize_mode
        self.watch_cuts = watch_cuts
        self.feedback = feedback
        self.size: tuple[int, ...] | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the previous mask: the next picture begins a new sequence."""
        self.previous = no_mask(self.resolution)
        self.seen: Floats | None = None

    def segment(self, picture: NDArray[np.uint8]) -> Floats:
        """The mask (H, W) float32 in [0, 1] of a picture (H, W, 3) uint8 RGB."""
        size = picture.shape[:2]
        return enlarge(unfitted(self.mask(self.prepare(picture)), size, self.resize_mode), size)

    def segment_labels(self, picture: NDArray[np.uint8]) -> Floats:
        """The label probabilities (H, W, 9) float32 of a picture (H, W, 3) uint8 RGB; ValueError as of `labels`."""
        size = picture.shape[:2]
        return enlarge(unfitted(self.labels(self.prepare(picture)), size, self.resize_mode), size)

    def prepare(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The picture (h, w, 3) as `mask` takes it; one of another size than the last begins a new sequence."""
        if picture.shape != self.size:
            self.reset()
            self.size = picture.shape
        return fitted(picture, self.resolution, self.resize_mode)

    def mask(self, frame: NDArray[np.uint8]) -> Floats:
        """The mask (H, W) of a frame (H, W, 3) uint8 RGB at `resolution`. BadMask as of `check_mask`."""
        self._advance(frame)
        return self.previous[0, :, :, 0]

    def labels(self, frame: NDArray[np.uint8]) -> Floats:
        """The label probabilities (H, W, 9) of a frame, which `smoothing` leaves as they are. ValueError for a network
        that gives a mask alone, BadMask as of `check_mask`."""
        given = self._advance(frame)
        if given.shape[3] == 1:
            raise ValueError("this network gives a mask and no labels")
        return given[0].copy()

    def _advance(self, frame: NDArray[np.uint8]) -> Floats:
        """What the step gives for a frame; the person's mask in it becomes the previous mask."""
        if self.watch_cuts:
            seen = glance(frame)
            if self.seen is not None and is_cut(self.seen, seen):
                self.reset()
            self.seen = seen
        given = check_mask(self.step(to_input(frame), self.previous if self.feedback else no_mask(self.resolution)))
        mask = given if given.shape[3] == 1 else person(given)
        # There is nothing to lean on where nobody was seen before.
        leans = self.smoothing and self.previous.any()
        # A copy, because a runtime may write its next answer into the same memory.
        self.previous = smooth(mask, self.previous, self.smoothing) if leans else mask.copy()
        return given


def check_mask(mask: Floats) -> Floats:
    """The same mask; BadMask when it holds NaN or values outside [0, 1]."""
    # Written so that a NaN is neither above nor below.
    if not (mask.min() >= -ROUNDING and mask.max() <= 1 + ROUNDING):
        raise BadMask("the model's masks hold values outside [0, 1], or none at all (NaN)")
    return mask


GLANCE = 16


def glance(frame: NDArray[np.uint8]) -> Floats:
    """What is left of a frame (H, W, 3) uint8 at a glance: (16, 16, 3) in [0, 1]."""
    return to_input(stretch(frame, (GLANCE, GLANCE)))[0]


def is_cut(before: Floats, now: Floats) -> bool:
    """Whether two glances, a frame apart, are of different scenes.

    They differ by more than motion or light does (0.09 at most over 1500 frames of parkour, dance, talk and signing),
    or by less but have hardly anything in common. A false alarm costs one frame the help of the last mask.
    """
    difference = float(np.abs(now - before).mean())
    if difference <= 0.05:
        return False
    return difference > 0.12 or _correlation(before, now) < 0.6


def _correlation(a: Floats, b: Floats) -> float:
    """Of the places within two glances, each channel about its mean; 0 where one is flat."""
    a, b = a - a.mean((0, 1)), b - b.mean((0, 1))
    lengths = math.sqrt(float((a * a).sum()) * float((b * b).sum()))
    return float((a * b).sum()) / lengths if lengths else 0.0


def no_mask(resolution: Resolution) -> Floats:
    """The previous mask of a first frame: (1, H, W, 1) zeros."""
    return np.zeros((1, *resolution, 1), np.float32)


def stretch(picture: NDArray[np.uint8], resolution: Resolution) -> NDArray[np.uint8]:
    """The whole picture (h, w, 3) at (H, W), its aspect not kept: by area where it shrinks, else bilinearly."""
    import cv2

    height, width = resolution
    shrinks = picture.shape[0] >= height and picture.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)


def fitted(picture: NDArray[np.uint8], resolution: Resolution, resize_mode: ResizeMode) -> NDArray[np.uint8]:
    """The whole picture (h, w, 3) at (H, W), brought there as `resize_mode` says."""
    if resize_mode == "stretch":
        return stretch(picture, resolution)
    canvas = np.zeros((*resolution, 3), np.uint8)
    rows, columns = box(picture.shape[:2], resolution)
    canvas[rows, columns] = stretch(picture, (rows.stop - rows.start, columns.stop - columns.start))
    return canvas


def unfitted(mask: Floats, size: tuple[int, ...], resize_mode: ResizeMode) -> Floats:
    """The part of a mask (H, W) or (H, W, C) that shows a picture of `size` (h, w): without the bars of a letterbox."""
    return mask if resize_mode == "stretch" else mask[box(size, mask.shape[:2])]


def box(size: tuple[int, ...], resolution: tuple[int, ...]) -> tuple[slice, slice]:
    """Rows and columns of (H, W) = `resolution` that a letterboxed picture of `size` (h, w) takes."""
    scale = min(whole / part for whole, part in zip(resolution, size, strict=True))
    inside = [max(1, round(part * scale)) for part in size]
    starts = [(whole - part) // 2 for whole, part in zip(resolution, inside, strict=True)]
    rows, columns = (slice(start, start + part) for start, part in zip(starts, inside, strict=True))
    return rows, columns


def to_input(frame: NDArray[np.uint8]) -> Floats:
    """(H, W, 3) uint8 to the network's (1, H, W, 3) float32 in [0, 1]."""
    return frame[None].astype(np.float32) / np.float32(255)


def enlarge(mask: Floats, size: tuple[int, ...]) -> Floats:
    """A mask (h, w) or (h, w, C) bilinearly at `size` (H, W)."""
    import cv2

    height, width = size
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def smooth(mask: Floats, previous: Floats, ratio: float) -> Floats:
    """p + (previous - p) * E(p)^2 * ratio, E the binary entropy in bits: a sure p stays, an unsure one leans back."""
    p = np.clip(mask, 1e-6, 1 - 1e-6)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return (mask + (previous - mask) * np.square(entropy) * np.float32(ratio)).astype(np.float32)
