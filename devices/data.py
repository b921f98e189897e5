"""What networks are shown and judged on: frames at the size of their input, and a hash of frames and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from devices.plan import Task
from models.bounds import check_memory
from models.segmenter import ResizeMode
from models.variant import Resolution

if TYPE_CHECKING:
    from evaluation.clip import Dataset


@dataclass(frozen=True)
class Data:
    """Dataset as a network takes it."""

    footage: Dataset
    frames: NDArray[np.uint8]
    """(N, H, W, 3) RGB at the network's resolution."""
    sequences: tuple[int, ...]
    """Clip lengths; they add up to N."""
    sha256: str
    """Of the frames and of their truth."""
    resize_mode: ResizeMode = "stretch"
    beside: tuple[Data, ...] = field(default=(), repr=False)
    """The same data set as models of other inputs take it."""

    def for_task(self, task: Task) -> Data:
        """What `task` takes."""
        taken = task.config.resolution, task.resize_mode
        return next((d for d in self.beside if (d.frames.shape[1:3], d.resize_mode) == taken), self)


def prepare(footage: Dataset, tasks: Iterable[Task]) -> Data:
    """Read all of `footage` as each of `tasks` takes it, at least one."""
    first, *others = dict.fromkeys((task.config.resolution, task.resize_mode) for task in tasks)
    return replace(prepare_one(footage, *first), beside=tuple(prepare_one(footage, *other) for other in others))


def prepare_one(footage: Dataset, resolution: Resolution, resize_mode: ResizeMode) -> Data:
    """Read all of `footage` as a network of one input takes it."""
    from evaluation import score

    check_memory(footage.frames, resolution)
    frames, sequences = score.prepare(footage, resolution, resize_mode)
    digest = hashlib.sha256(frames.tobytes())
    for clip in footage.clips:
        for index, name in enumerate(clip.frame_names):
            digest.update(f"{clip.name}/{name}".encode())
            digest.update(clip.label(index).tobytes())
    return Data(footage, frames, sequences, digest.hexdigest(), resize_mode)


def excerpt(footage: Dataset, frames: int) -> Dataset:
    """`frames` frames of `footage`, which says so; all of it when it has no more.

    Each clip gives its beginning, at most half of what is asked for: so there is a mask that is fed back, and one that
    must not be.
    """
    if footage.frames <= frames:
        return footage
    clips, wanted = [], frames
    for clip in footage.clips:
        length = min(len(clip), max(1, frames // 2), wanted)
        if length:
            clips.append(replace(clip, frame_names=clip.frame_names[:length]))
            wanted -= length
    taken = sum(map(len, clips))
    return replace(
        footage,
        name=f"{footage.name}, {taken} of {footage.frames} frames",
        description=f"{footage.description} Of its {footage.frames} frames, {taken} were judged.",
        clips=clips,
    )
