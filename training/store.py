"""Decode once: uint8 pixels, in a memory-mapped file or in memory, and the list of what lies where."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.datasets import Photo, Pixels

LONGEST_SIDE = 320


@dataclass(frozen=True)
class Entry:
    """One picture in the store: (height, width, 4) uint8 at `offset`, RGB and soft label."""

    source: str
    name: str
    group: str
    kind: str
    offset: int
    height: int
    width: int
    digest: str
    """sha256 of the pixels: a checkpoint names the data it saw by the hash over these."""


class Store:
    """Pictures to be read: `pixels` are those of all entries, one after the other."""

    def __init__(self, entries: Sequence[Entry], pixels: NDArray[np.uint8]) -> None:
        self.entries, self.pixels = entries, pixels

    @classmethod
    def open(cls, folder: Path) -> Store:
        """A read-only view of a store that was built in `folder`."""
        entries = [Entry(**values) for values in json.loads((folder / "index.json").read_text())]
        return cls(entries, np.memmap(folder / "pixels.u8", np.uint8, mode="r"))

    def __getitem__(self, number: int) -> NDArray[np.uint8]:
        """(H, W, 4) uint8: RGB and the soft label, a view of the file."""
        entry = self.entries[number]
        size = entry.height * entry.width * 4
        return self.pixels[entry.offset : entry.offset + size].reshape(entry.height, entry.width, 4)

    def digest(self, numbers: Iterable[int]) -> str:
        """One hash over the pixels of these entries, in order."""
        total = hashlib.sha256()
        for number in numbers:
            total.update(self.entries[number].digest.encode())
        return total.hexdigest()


def shrink(pixels: NDArray[np.uint8], longest: int = LONGEST_SIDE) -> NDArray[np.uint8]:
    """At most `longest` pixels on the longer side, by area averaging."""
    import cv2

    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return pixels
    return cv2.resize(pixels, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)  # type: ignore


def build(
    folder: Path,
    photos: Iterable[Photo],
    teacher: Callable[[Pixels], Pixels] | None = None,
    report: Callable[[str], None] = lambda _: None,
) -> Store:
    """Decode all photos into `folder`. Unlabelled ones get the teacher's soft mask, or are left out without one.

    An unreadable photo is reported and left out; ValueError when none is left. The index is written last: a folder
    without one is no store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    entries: list[Entry] = []
    offset = 0
    with (folder / "pixels.u8").open("wb") as out:
        for photo in photos:
            try:
                picture, label = photo.read()
            except ValueError as error:
                report(f"skipped: {error}")
                continue
            if label is None:
                if teacher is None:
                    continue
                label = teacher(picture)
            pixels = np.ascontiguousarray(shrink(np.dstack([picture, label])))
            pixels.tofile(out)
            entries.append(_entry(photo, pixels, offset))
            offset += pixels.size
            if len(entries) % 1000 == 0:
                report(f"{len(entries)} pictures")
    if not entries:
        raise ValueError("there is nothing to train on: no picture with a label could be read")
    (folder / "index.json").write_text(json.dumps([asdict(e) for e in entries]))
    return Store.open(folder)


def _entry(photo: Photo, pixels: Pixels, offset: int) -> Entry:
    height, width = pixels.shape[:2]
    digest = hashlib.sha256(pixels.data).hexdigest()
    return Entry(photo.source, photo.name, photo.group, photo.kind, offset, height, width, digest)


def in_memory(
    photos: Iterable[Photo],
    teach: Callable[[Sequence[Pixels]], list[Pixels]] | None = None,
    threads: int | None = None,
) -> Store:
    """The same in memory, decoded by so many threads (without a number, as the pool thinks best).

    `teach` gives many pictures their soft masks at once. ValueError when a picture cannot be read, or none is left.
    """
    chosen = list(photos)
    with ThreadPoolExecutor(threads) as pool:
        read = list(pool.map(lambda photo: photo.read(), chosen))
    bare = [i for i, (_, label) in enumerate(read) if label is None]
    if teach:
        for i, mask in zip(bare, teach([read[i][0] for i in bare]), strict=True):
            read[i] = read[i][0], mask
    kept = [(photo, np.dstack(pair)) for photo, pair in zip(chosen, read, strict=True) if pair[1] is not None]
    if not kept:
        raise ValueError("there is nothing to train on: no picture with a label could be read")
    offsets = np.cumsum([0, *(pixels.size for _, pixels in kept)])
    entries = [_entry(photo, pixels, int(at)) for (photo, pixels), at in zip(kept, offsets, strict=False)]
    return Store(entries, np.concatenate([pixels.ravel() for _, pixels in kept]))
