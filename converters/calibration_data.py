"""Labelled frames for int8 calibration and for the parity check."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.clip import Clip, Dataset
from models.labels import person
from models.segmenter import Floats, Step, no_mask, stretch, to_input
from models.variant import Resolution

PARITY_FRAMES = 30
"""Frames over which the mask is fed back when an artifact is compared with its checkpoint."""
CALIBRATION_FRAMES = 32


@dataclass(frozen=True)
class CalibrationData:
    """`clip` (PARITY_FRAMES, H, W, 3) uint8 RGB is one sequence, `labels` (PARITY_FRAMES, H, W) uint8 its labels.

    `calibration` (N, H, W, 3) uint8 RGB are frames of other clips: parity is not measured on calibration frames.
    """

    clip: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    calibration: NDArray[np.uint8]

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for array in astuple(self):
            digest.update(repr(array.shape).encode() + array.tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        np.savez(path, clip=self.clip, labels=self.labels, calibration=self.calibration)

    @classmethod
    def read(cls, path: Path) -> CalibrationData:
        with np.load(path) as arrays:
            return cls(arrays["clip"], arrays["labels"], arrays["calibration"])


def prepare(footage: Dataset, resolution: Resolution) -> CalibrationData:
    """The longest clip for parity, played forward and backward up to PARITY_FRAMES; the other clips for calibration.

    Each still gives its picture. Frames at even distances of the other clips fill up to CALIBRATION_FRAMES.
    A dataset of a single clip uses that clip for both.
    """
    longest = max(footage.clips, key=len)
    others = [clip for clip in footage.clips if clip is not longest] or [longest]
    clips = [clip for clip in others if not clip.still]
    share = -(-(CALIBRATION_FRAMES - len(others) + len(clips)) // len(clips)) if clips else 1
    pictures, labels = zip(*_read(longest, _to_and_fro(len(longest)), resolution), strict=True)
    calibration = [picture for clip in others for picture, _ in _read(clip, _spread(len(clip), share), resolution)]
    return CalibrationData(np.stack(pictures), np.stack(labels), np.stack(calibration))


def calibration(step: Step, frames: NDArray[np.uint8]) -> Iterator[tuple[Floats, Floats]]:
    """Each frame (H, W, 3) uint8 twice: with an empty previous mask, and with the person's mask that `step` made of it.

    Ranges of empty previous masks alone would be too narrow from the second frame on.
    """
    for picture in frames:
        frame, empty = to_input(picture), no_mask(picture.shape[:2])
        yield frame, empty
        given = step(frame, empty)
        yield frame, given if given.shape[-1] == 1 else person(given)


def _to_and_fro(length: int) -> list[int]:
    lap = [*range(length), *range(length - 2, 0, -1)]
    return [lap[i % len(lap)] for i in range(PARITY_FRAMES)]


def _spread(length: int, count: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, length - 1, max(1, min(count, length)))})


def _read(
    clip: Clip, indices: list[int], resolution: Resolution
) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
    import cv2

    height, width = resolution
    for index in indices:
        picture, label = clip.read(index)
        small = cv2.resize(label, (width, height), interpolation=cv2.INTER_NEAREST)
        yield stretch(picture, resolution), np.asarray(small, np.uint8)
