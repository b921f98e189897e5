"""What judges a network along the way: pictures never trained on, each from an empty previous mask, by IOU alone.

The last word is `training.evaluation`'s, by the suite's own protocol; this is its `iou` of stills, in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evaluation.iou import iou
from models.segmenter import enlarge, stretch
from models.variant import Resolution
from training.store import Store

Pixels = NDArray[np.uint8]
Predict = Callable[[Pixels], NDArray[np.float32]]
"""Frames (N, H, W, 3) uint8 RGB to masks (N, H, W) in [0, 1]."""
BATCH = 32


@dataclass(frozen=True, eq=False)
class Judged:
    """A named set: pictures (h, w, 3) uint8 RGB and labels (h, w) uint8, 0 background, 1 person, 255 not judged."""

    name: str
    pictures: Sequence[Pixels] = field(repr=False)
    labels: Sequence[Pixels] = field(repr=False)

    @lru_cache(maxsize=4)  # noqa: B019  # As long-lived as the run.
    def frames(self, resolution: Resolution) -> Pixels:
        """(N, H, W, 3) uint8 as a network of that resolution takes them."""
        return np.stack([stretch(picture, resolution) for picture in self.pictures])


def score(predict: Predict, sets: Iterable[Judged], resolution: Resolution) -> dict[str, float]:
    """{set: mean IOU over its pictures, in 0..1}."""
    found = {}
    for judged in sets:
        frames = judged.frames(resolution)
        masks = (mask for at in range(0, len(frames), BATCH) for mask in predict(frames[at : at + BATCH]))
        pairs = zip(masks, judged.labels, strict=True)
        found[judged.name] = float(np.mean([iou(enlarge(mask, label.shape), label) for mask, label in pairs]))
    return found


def of_folders(folders: Iterable[Path]) -> tuple[Judged, ...]:
    """Folders of the reader's own pictures (frames/folder.py), every third frame of their clips."""
    from evaluation import folder

    sets = []
    for path in folders:
        footage = folder.read(path)
        shots = [clip.read(i) for clip in footage.clips for i in range(0, len(clip), 3)]
        sets.append(Judged(path.name, [picture for picture, _ in shots], [label for _, label in shots]))
    return tuple(sets)


def of_store(store: Store, numbers: Iterable[int], sources: Sequence[str]) -> tuple[Judged, ...]:
    """The held-out pictures of some sources of a store; a source without one is omitted."""
    held: dict[str, list[int]] = {source: [] for source in sources}
    for number in numbers:
        if (source := store.entries[number].source) in held:
            held[source].append(number)
    return tuple(
        Judged(
            source,
            [np.ascontiguousarray(store[i][..., :3]) for i in chosen],
            [(store[i][..., 3] > 127).astype(np.uint8) for i in chosen],
        )
        for source, chosen in held.items()
        if chosen
    )
