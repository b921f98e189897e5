"""The network alone, as a loop of `devices.desktop.timing`: what is timed is also what is scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from converters.session import Session
from evaluation.labels import shares
from models.labels import LABELS
from models.segmenter import no_mask, to_input


class ModelLoop:
    """Native frame and mask in ordinary memory in, native mask there out; frames in order, round and round.

    The model's own last mask is its next previous mask, and an empty one where a sequence begins. The copies into and
    out of the runtime's own tensors are timed, as an application pays them. Laying the frame out in the model's layout
    and type is not, nor is noting its mask in `masks` (N, H, W), and its labels in `labels` (N, H, W, 9) as shares of
    255, which is None where the network has none.
    """

    def __init__(self, session: Session, frames: NDArray[np.uint8], sequences: Sequence[int]) -> None:
        self.session = session
        self.frames = frames
        self.starts = frozenset(np.cumsum([0, *sequences]).tolist())
        self.empty = session.encode_mask(no_mask(session.resolution))
        self.masks = np.empty(frames.shape[:3], np.float32)
        self.labels = np.empty((*self.masks.shape, len(LABELS)), np.uint8) if session.labels else None
        self.rewind()

    def rewind(self) -> None:
        """Begin again at the first frame."""
        self.at = -1

    def prepare(self) -> None:
        self.note()
        self.at = (self.at + 1) % len(self.frames)
        if self.at in self.starts:
            self.mask = self.empty
        self.frame = self.session.encode_frame(to_input(self.frames[self.at]))

    def run(self) -> None:
        self.mask = self.session.native(self.frame, self.mask)

    def note(self) -> None:
        """Keep the last mask; the next `prepare` does it too."""
        if self.at >= 0:
            self.masks[self.at] = self.session.decode_person(self.mask)[0, :, :, 0]
            if self.labels is not None:
                self.labels[self.at] = shares(self.session.decode_mask(self.mask)[0])


def unrepeated(frames: NDArray[np.uint8], sequences: Sequence[int]) -> tuple[NDArray[np.uint8], Sequence[int]]:
    """The same, a single frame being joined by its mirror image as a sequence of its own: no input repeats at once."""
    if len(frames) > 1:
        return frames, sequences
    return np.concatenate([frames, frames[:, :, ::-1]]), (*sequences, 1)
