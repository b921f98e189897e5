"""A model of any kind on pictures and videos, from Python.

segmenter = Segmenter("mine.onnx")
mask = segmenter(picture)  # (H, W, 3) uint8 RGB to (H, W) float32 in [0, 1]
for picture, mask in segmenter.video("clip.mp4"):
    ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from converters.inspection.told import Told
from devices.open_model import open_model
from models import segmenter
from models.labels import LABELS, person
from models.segmenter import Floats, no_mask
from models.variant import Resolution
from video.band import Bytes, halved
from video.follow import Person, follow
from video.parts import of_person, smoothed
from video.read import Frame, Picture, open_source

People = Literal["all", "main"]
"""Whom a mask shows: everybody, or the person in front alone, who is followed through a video (video/follow.py)."""


class Segmenter(segmenter.Segmenter):
    """A file of any format, a checkpoint, or a name: a variant's or one of references.toml.

    `answers` are those of `told`, for a file that does not tell all by itself: mean=(0.5, 0.5, 0.5), output="pha".
    What is assumed about it goes to `say`. Each picture is taken for the next frame of a video; `reset` begins anew, as
    a picture of another size does. The network is given its previous mask of everybody, also where `people` is "main".
    ValueError, one sentence, for what is no model.
    """

    def __init__(
        self,
        model: Path | str = "live",
        format: str = "tflite",
        resolution: Resolution | None = None,
        threads: int = 1,
        smoothing: float = 0.0,
        feedback: bool = True,
        say: Callable[[str], None] = lambda _: None,
        told: Told | None = None,
        people: People = "all",
        **answers: Any,
    ) -> None:
        self.people = people
        told = replace(told or Told(), **answers)
        session, size = open_model(model, resolution=resolution, threads=threads, format=format, say=say, told=told)
        super().__init__(session, size, smoothing, session.resize_mode, watch_cuts=True, feedback=feedback)
        self.session = session

    def __call__(self, picture: Picture) -> Floats:
        """The mask (H, W) float32 in [0, 1] of a picture (H, W, 3) uint8 RGB."""
        return self.segment(picture)

    def reset(self) -> None:
        """Forget the previous mask and the person in front: the next picture begins a new sequence."""
        super().reset()
        self.person: Person | None = None
        self.labelled: Floats | None = None

    def prepare(self, picture: Bytes) -> Bytes:
        """As of models.segmenter, but faster where the picture is large (`halved`)."""
        return super().prepare(halved(picture, self.resolution))

    def mask(self, frame: Bytes) -> Floats:
        """As of models.segmenter, of the person in front alone where they are asked for."""
        mask = super().mask(frame)
        if self.people == "main":
            mask, self.person = follow(frame, mask, self.person)
        return mask

    def labels(self, frame: Bytes) -> Floats:
        """As of models.segmenter, leaning on the labels before by `smoothing`, and of the person in front alone."""
        labels = super().labels(frame)
        if self.smoothing and self.labelled is not None:
            labels = smoothed(labels, self.labelled, self.smoothing)
        self.labelled = labels
        if self.people == "main":
            kept, self.person = follow(frame, person(labels)[..., 0], self.person)
            labels = of_person(labels, kept)
        return labels

    @cached_property
    def gives_labels(self) -> bool:
        """Whether the network gives the nine labels; found by running it on a black frame."""
        black = np.zeros((1, *self.resolution, 3), np.float32)
        return self.step(black, no_mask(self.resolution)).shape[-1] == len(LABELS)

    def video(self, path: Path | str) -> Iterator[tuple[Picture, Floats]]:
        """Each frame of a video, or of `camera`, with its mask. ValueError for what is no video."""
        self.reset()
        with closing(open_source(str(path))) as source:
            for item in source.items():
                if isinstance(item, Frame):
                    yield item.picture, self(item.picture)
