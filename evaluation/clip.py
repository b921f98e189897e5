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
Truth = NDArray[np.uint8]
"""(H, W) uint8: codes of `evaluation.truth`, where data know more than the person."""


HAIR_ALONE = "the masks tell hair from the rest, and not where the person is"


@dataclass(frozen=True)
class Clip:
    """A named run of pictures with their labels; a still is a clip of length one.

    `read` yields one (picture, label) pair a call, so that a large folder is never in memory whole; `read_label`,
    where there is one, is the cheaper way to the label alone. `read_alpha` is there where the truth is soft,
    `read_truth` where the data tell more labels than the person.
    """

    name: str
    frame_names: Sequence[str]
    read: Callable[[int], tuple[Picture, Label]] = field(repr=False)
    read_label: Callable[[int], Label] | None = field(default=None, repr=False)
    read_alpha: Callable[[int], Alpha] | None = field(default=None, repr=False)
    read_truth: Callable[[int], Truth] | None = field(default=None, repr=False)
    tells_person: bool = True
    """Whether the labels tell where the person is; those of hair alone do not."""

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
    labels: str = ""
    """How the labels of a folder were read, in a sentence, where it tells any."""
    no_labels: str = ""
    """Why the labels that a folder tells cannot be judged, in a sentence."""
    own_ids: bool = False
    """Whether masks without a classes.json were read as ids of this project's labels."""

    @property
    def labelled(self) -> bool:
        """Whether some clip tells more labels than the person."""
        return any(clip.read_truth for clip in self.clips)

    @cached_property
    def frames(self) -> int:
        return sum(len(clip) for clip in self.clips)
