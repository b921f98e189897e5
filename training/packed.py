"""A pack: everything a training reads, in one file that needs NumPy, OpenCV, safetensors and PyTorch alone.

It is a safetensors file, so that it is read from where it lies: `index` is JSON (zlib, as uint8), `bytes` holds the
coded pictures and masks one after the other, `teacher.*` are the weights of `training.selfie`. `training.pack` makes
one.

Pictures are WebP. Masks are lossless WebP of `LEVELS` grey values; a picture without a person has none. What a thing
is cut out of and the photo itself share their bytes.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from training import datasets, split, store, validation
from training.datasets import Photo, Pixels

if TYPE_CHECKING:
    from torch import Tensor

    from training.answers import Teacher
    from training.loader import Data, Say

FORMAT = "training-pack-1"
LEVELS = 8
"""Grey values of a mask: enough for an edge a pixel wide, and half of the bytes of all 256."""

Span = tuple[int, int]
"""Where in `bytes` something lies: offset and length."""
Label = Literal["none", "empty"] | Span
"""No label; nobody is there; or the mask."""


class BadPack(ValueError):
    """A file that is no pack; its text is one sentence."""


@dataclass(frozen=True)
class Entry:
    """One picture; see `datasets.Photo`. Held-out ones are judged, not trained on."""

    source: str
    name: str
    group: str
    kind: str
    policy: datasets.Policy
    picture: Span
    label: Label
    held: bool = False


@dataclass(frozen=True)
class Pack:
    entries: tuple[Entry, ...]
    judged: dict[str, tuple[tuple[Span, Span], ...]]
    """{validation set: (picture, label)}; the label is lossless, as `validation.Judged` has it."""
    about: dict[str, Any]
    teacher: dict[str, Tensor] = field(repr=False)
    blob: NDArray[np.uint8] = field(repr=False)

    def photos(self) -> Iterator[Photo]:
        """Every entry, decoded when it is read."""
        for entry in self.entries:
            cut = entry.kind == datasets.THING
            yield Photo(
                entry.source, entry.name, entry.group, entry.kind, entry.policy, partial(self._read, entry, cut)
            )

    def _read(self, entry: Entry, cut: bool) -> tuple[Pixels, Pixels | None]:
        picture = self._picture(entry.picture)
        if entry.label == "none":
            return picture, None
        if entry.label == "empty":
            return picture, np.zeros(picture.shape[:2], np.uint8)
        label = _from_levels(self._grey(entry.label))
        return datasets.cropped(picture, label) if cut else (picture, label)

    def _picture(self, span: Span) -> Pixels:
        import cv2

        return cv2.cvtColor(_decoded(self._coded(span), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)  # type: ignore[return-value]

    def _grey(self, span: Span) -> Pixels:
        import cv2

        return _decoded(self._coded(span), cv2.IMREAD_GRAYSCALE)

    def _coded(self, span: Span) -> NDArray[np.uint8]:
        offset, length = span
        return self.blob[offset : offset + length]

    def judges(self) -> tuple[validation.Judged, ...]:
        """The validation sets."""
        return tuple(
            validation.Judged(name, [self._picture(p) for p, _ in shots], [self._grey(m) for _, m in shots])
            for name, shots in self.judged.items()
        )


def _decoded(coded: NDArray[np.uint8], how: int) -> Pixels:
    import cv2

    pixels = cv2.imdecode(coded, how)
    if pixels is None:
        raise BadPack("a picture of the pack cannot be decoded: is OpenCV built with WebP?")
    return pixels  # type: ignore[return-value]


def to_levels(label: Pixels) -> Pixels:
    """A soft label (H, W) 0..255 with `LEVELS` values, far apart so that no decoder mistakes one for another."""
    return (np.rint(label / 255 * (LEVELS - 1)) * (255 // (LEVELS - 1))).astype(np.uint8)


def _from_levels(coded: Pixels) -> Pixels:
    levels = np.rint(np.arange(256) / (255 // (LEVELS - 1))).clip(0, LEVELS - 1)
    return np.rint(levels / (LEVELS - 1) * 255).astype(np.uint8)[coded]


def read(path: Path) -> Pack:
    """BadPack when the file is none."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            if (file.metadata() or {}).get("format") != FORMAT:
                raise BadPack(f"{path}: is no pack of this project ({FORMAT})")
            index = json.loads(zlib.decompress(file.get_tensor("index").tobytes()))
            blob = file.get_tensor("bytes")
        with safe_open(path, framework="pt") as file:
            names = [key for key in file.keys() if key.startswith("teacher.")]  # noqa: SIM118
            teacher = {key.removeprefix("teacher."): file.get_tensor(key) for key in names}
    except (SafetensorError, OSError, KeyError, zlib.error) as error:
        raise BadPack(f"{path}: is not a pack that can be read ({error})") from None
    entries = tuple(_entry(values) for values in index["entries"])
    judged = {name: tuple((tuple(p), tuple(m)) for p, m in shots) for name, shots in index["judged"].items()}
    return Pack(entries, judged, index["about"], teacher, blob)  # type: ignore[arg-type]


def _entry(values: list[Any]) -> Entry:
    source, name, group, kind, policy, picture, label, held = values
    return Entry(
        source, name, group, kind, policy, tuple(picture), tuple(label) if isinstance(label, list) else label, held
    )


def open_data(pack: Pack, teacher: Teacher | None, say: Say, labels: datasets.Labels = "as they are") -> Data:
    """Decode a pack into memory; the teacher labels its unlabelled pictures, which are left out without one.

    What is held out was decided when the pack was made.
    """
    from training.loader import Data

    say(f"decoding a pack of {len(pack.entries)} pictures")
    opened = store.in_memory(datasets.settle(pack.photos(), labels), teacher.label if teacher else None)
    held = {entry.name for entry in pack.entries if entry.held}
    numbers = range(len(opened.entries))
    apart = tuple(i for i in numbers if opened.entries[i].name in held)
    train = tuple(i for i in numbers if opened.entries[i].name not in held)
    say(f"{len(train)} pictures train, {len(apart)} are held out")
    return Data(opened, split.Split(train, apart, ()), pack.judges())
