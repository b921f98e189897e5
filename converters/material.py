"""Real frames with truth, as calibration and parity take them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from converters.registry import Calibration
from frames.clip import Clip, Footage
from models.segmenter import Step, no_mask, stretch, to_input
from models.variant import Resolution

PARITY_FRAMES = 30
"""How long the mask is fed back when an artifact is compared with its checkpoint."""
CALIBRATION_FRAMES = 48
EMPTY_EVERY = 4
"""Each how many calibration frames the previous mask is empty, as it is where a sequence begins."""


@dataclass(frozen=True)
class Material:
    """`clip` (PARITY_FRAMES, H, W, 3) uint8 RGB is one sequence with labels (PARITY_FRAMES, H, W) uint8, for parity.

    `calibration` (N, H, W, 3) uint8 RGB are frames of other sequences where there are any, `lengths` long each.
    """

    clip: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    calibration: NDArray[np.uint8]
    lengths: tuple[int, ...]

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256(repr((self.clip.shape, self.calibration.shape, self.lengths)).encode())
        for array in (self.clip, self.labels, self.calibration):
            digest.update(np.ascontiguousarray(array))
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        with path.open("wb") as file:
            np.savez(
                file, clip=self.clip, labels=self.labels, calibration=self.calibration, lengths=np.array(self.lengths)
            )

    @classmethod
    def read(cls, path: Path) -> Material:
        with np.load(path) as arrays:
            lengths = tuple(int(length) for length in arrays["lengths"])
            return cls(arrays["clip"], arrays["labels"], arrays["calibration"], lengths)


def prepare(footage: Footage, resolution: Resolution) -> Material:
    """The longest clip for parity, run to and fro when it is shorter than PARITY_FRAMES; the rest for calibration.

    Footage with a single clip calibrates on that one. Frames for calibration are spread evenly over the clips.
    """
    longest = max(footage.clips, key=len)
    there_and_back = [*range(len(longest)), *range(len(longest) - 2, 0, -1)] or [0]
    order = [there_and_back[i % len(there_and_back)] for i in range(PARITY_FRAMES)]
    others = [clip for clip in footage.clips if clip is not longest] or [longest]
    share = -(-CALIBRATION_FRAMES // len(others))
    chosen = [_spread(clip, share) for clip in others]
    return Material(
        clip=_frames(longest, order, resolution),
        labels=np.stack([_label(longest, i, resolution) for i in order]),
        calibration=np.concatenate([_frames(clip, indices, resolution) for clip, indices in zip(others, chosen, strict=True)]),
        lengths=tuple(len(indices) for indices in chosen),
    )


def calibration(step: Step, material: Material) -> Calibration:
    """The calibration frames, each with the mask that `step` fed back to itself up to there, or every few an empty one.

    Ranges seen on empty previous masks alone would clip what the network sees from its second frame on.
    """
    resolution = material.calibration.shape[1], material.calibration.shape[2]
    starts = set(np.cumsum([0, *material.lengths]).tolist())
    mask = no_mask(resolution)
    for i, picture in enumerate(material.calibration):
        frame = to_input(picture)
        if i in starts:
            mask = no_mask(resolution)
        yield frame, (no_mask(resolution) if i % EMPTY_EVERY == 0 else mask)
        mask = step(frame, mask)


def _spread(clip: Clip, count: int) -> list[int]:
    return sorted({round(i) for i in np.linspace(0, len(clip) - 1, count)})


def _frames(clip: Clip, indices: list[int], resolution: Resolution) -> NDArray[np.uint8]:
    return np.stack([stretch(clip.read(i)[0], resolution) for i in indices])


def _label(clip: Clip, index: int, resolution: Resolution) -> NDArray[np.uint8]:
    import cv2

    height, width = resolution
    return np.asarray(cv2.resize(clip.label(index), (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)
