"""Pictures with their ground truth, as every part of the suite takes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB."""
Label = NDArray[np.uint8]
"""(H, W) uint8: 0 background, 1 person, 255 not judged."""
Alpha = NDArray[np.float32]
"""(H, W) in [0, 1]: how much of a pixel the person covers."""


@dataclass(frozen=True)
class Clip:
    """A named run of pictures with their labels; a still is a clip of length one.

    `read` yields one (picture, label) pair a call, so that a large folder is never in memory whole; `read_label`,
    where there is one, is the cheaper way to the label alone. `read_alpha` is there where the truth is soft.
    """

    name: str
    frame_names: Sequence[str]
    read: Callable[[int], tuple[Picture, Label]] = field(repr=False)
    read_label: Callable[[int], Label] | None = field(default=None, repr=False)
    read_alpha: Callable[[int], Alpha] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.frame_names)

    @property
    def still(self) -> bool:
        return len(self) == 1

    def label(self, index: int) -> Label:
        """The label of one frame, without its picture."""
        return self.read_label(index) if self.read_label else self.read(index)[1]


@dataclass(frozen=True)
class Dataset:
    """Clips and stills under one name, with a sentence that says what they are and which pictures are missing."""

    name: str
    description: str
    clips: Sequence[Clip]
    problems: Sequence[str] = ()
    masks: Sequence[str] = ()
    """How the masks of a folder were read, and what looks odd about them, a sentence each."""

    @cached_property
    def frames(self) -> int:
        return sum(len(clip) for clip in self.clips)
