"""The pictures of an exported page: an excerpt of a data set, its frames packed and its truth as a page needs it."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evaluation.boundary import truth_and_judged
from evaluation.clip import Clip, Dataset
from evaluation.iou import IGNORED, Label

CLIPS, LENGTH, STILLS = 2, 5, 4
"""Clips, consecutive frames of each, and stills: steps for dtSSD, and few enough for a phone."""

PERSON, UNJUDGED, BOUNDARY_TRUTH, BOUNDARY_JUDGED = 1, 2, 4, 8
"""Bits of a pixel's code: IOU and dtSSD need the first two, boundary F the others."""


def excerpt(dataset: Dataset) -> Dataset:
    """The middles of the first `CLIPS` clips, `LENGTH` frames each, and the first `STILLS` stills; it says so."""
    clips = [_middle(clip) for clip in dataset.clips if not clip.still][:CLIPS]
    stills = [clip for clip in dataset.clips if clip.still][:STILLS]
    taken = sum(map(len, (*clips, *stills)))
    return replace(
        dataset,
        name=f"{dataset.name}, {taken} of {dataset.frames} frames for the web",
        description=f"{dataset.description} Of its {dataset.frames} frames, {taken} come with the page.",
        clips=(*clips, *stills),
    )


def _middle(clip: Clip) -> Clip:
    length = min(LENGTH, len(clip))
    first = (len(clip) - length) // 2
    read_label, read_alpha = clip.read_label, clip.read_alpha
    return Clip(
        clip.name,
        tuple(clip.frame_names[first : first + length]),
        lambda index: clip.read(first + index),
        (lambda index: read_label(first + index)) if read_label else None,
        (lambda index: read_alpha(first + index)) if read_alpha else None,
    )


def pack(frames: NDArray[np.uint8]) -> bytes:
    """Frames (N, H, W, 3) as gzip of each pixel's difference from its left neighbour, modulo 256."""
    left = np.zeros_like(frames)
    left[:, :, 1:] = frames[:, :, :-1]
    return gzip.compress((frames - left).tobytes(), mtime=0)


@dataclass(frozen=True)
class Truth:
    """The codes of all labels in run lengths: little-endian uint32, the code in the upper 8 bits, the length below."""

    runs: bytes
    counts: tuple[int, ...]
    """Runs of each frame."""
    sizes: tuple[tuple[int, int], ...]
    """(height, width) of each label."""


def truth(dataset: Dataset) -> Truth:
    """The truth of every frame of `dataset`, in order."""
    labels = [clip.label(index) for clip in dataset.clips for index in range(len(clip))]
    runs = [_runs(codes(label)) for label in labels]
    sizes = tuple((int(label.shape[0]), int(label.shape[1])) for label in labels)
    return Truth(b"".join(run.tobytes() for run in runs), tuple(map(len, runs)), sizes)


def codes(label: Label) -> NDArray[np.uint8]:
    """A label (H, W) as the sum of its pixels' bits, (H, W) uint8."""
    region, judged = truth_and_judged(label)
    bits: Sequence[tuple[int, NDArray[np.bool_]]] = (
        (PERSON, label == 1),
        (UNJUDGED, label == IGNORED),
        (BOUNDARY_TRUTH, region),
        (BOUNDARY_JUDGED, judged),
    )
    return np.sum([bit * where.astype(np.uint8) for bit, where in bits], axis=0, dtype=np.uint8)


def _runs(codes: NDArray[np.uint8]) -> NDArray[np.uint32]:
    flat = codes.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    return (flat[starts].astype(np.uint32) << 24 | lengths.astype(np.uint32)).astype("<u4")
