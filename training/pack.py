"""Everything a training reads, in one small file: python -m training.pack DATA --out FILE

For machines without internet that take few megabytes: train.py --pack FILE needs this file and no folder. What trains,
what is held out and judged along the way, and the validation sets are inside, as are the teacher's weights; unlabelled
pictures travel without masks, for the teacher makes them anew. Pictures that look like a validation picture are left
out, and clips keep the frames that a training on the folder sees.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arguments import WRONG_USAGE, ArgumentParser
from training import datasets, packed, split, store, validation
from training.datasets import KEYED, PHOTO, THING, TRAIN_ONLY, Photo, Pixels
from training.packed import Entry, Label, Span

LIMIT = 36 * 2**20
VALIDATION = ("selfie-val", "selfie-val2", "video-val")


@dataclass(frozen=True)
class Coded:
    """A photo as it goes into a pack, and the thumbnail by which `training.split` knows near-duplicates."""

    photo: Photo
    picture: bytes
    label: bytes | None
    """None: no label; empty: nobody is there."""
    thumbnail: NDArray[np.float32]

    @property
    def held(self) -> bool:
        """Whether it is kept from training, by the rule of `training.split`."""
        labelled = self.photo.kind in (PHOTO, KEYED, THING) and self.photo.source not in TRAIN_ONLY
        return labelled and datasets.held_out(self.photo.group)


@dataclass
class Blob:
    """Coded pictures one after the other, equal ones once, and how many bytes each source took."""

    parts: list[bytes] = field(default_factory=list)
    sizes: Counter[str] = field(default_factory=Counter)
    pictures: Counter[str] = field(default_factory=Counter)
    _known: dict[bytes, Span] = field(default_factory=dict)
    _end: int = 0

    def add(self, source: str, coded: bytes) -> Span:
        if coded not in self._known:
            self._known[coded] = self._end, len(coded)
            self.parts.append(coded)
            self._end += len(coded)
            self.sizes[source] += len(coded)
        return self._known[coded]

    def entry(self, one: Coded) -> Entry:
        photo = one.photo
        self.pictures[photo.source] += 1
        picture = self.add(photo.source, one.picture)
        label: Label = "none" if one.label is None else self.add(photo.source, one.label) if one.label else "empty"
        return Entry(photo.source, photo.name, photo.group, photo.kind, photo.policy, picture, label, one.held)


def photos(data: Path) -> Iterator[Photo]:
    """What trains and what is held out, each set with its own labels: `train.py --labels` settles those later."""
    yield from datasets.development(data)
    if (data / "voc-person").is_dir():
        yield from datasets.voc_photos_of_things(data / "voc-person")


def code(photo: Photo, side: int, quality: int) -> Coded:
    """The photo with at most `side` pixels on its longer side. ValueError when it cannot be read."""
    picture, label = photo.read()
    pixels = store.shrink(picture if label is None else np.dstack([picture, label]), side)
    small = np.ascontiguousarray(pixels[..., :3])
    mask = None if label is None else np.ascontiguousarray(pixels[..., 3])
    if mask is not None:
        coded = without_loss(packed.to_levels(mask)) if mask.any() else b""
    return Coded(photo, lossy(small, quality), None if mask is None else coded, split.thumbnail(small))


def lossy(picture: Pixels, quality: int) -> bytes:
    import cv2

    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".webp", bgr, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()


def without_loss(mask: Pixels) -> bytes:
    import cv2

    # What WebP means by a quality above 100.
    return cv2.imencode(".webp", mask, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()


def all_coded(found: Iterable[Photo], side: int, quality: int, report: Callable[[str], None]) -> Iterator[Coded]:
    """One that cannot be read is reported and left out."""
    for photo in found:
        try:
            yield code(photo, side, quality)
        except ValueError as error:
            report(f"skipped: {error}")


def chosen(coded: list[Coded], foreign: Iterable[Pixels], judged: Iterable[str]) -> list[Coded]:
    """What trains, less what looks like a held-out or a `foreign` picture, and what is held out of sources `judged`."""
    against = [one.thumbnail for one in coded if one.held] + [split.thumbnail(picture) for picture in foreign]
    like = split.near(
        np.stack([one.thumbnail for one in coded]), np.array(against, np.float32).reshape(-1, split.SIDE * split.SIDE)
    )
    wanted = set(judged)
    return [one for one, bad in zip(coded, like, strict=True) if (one.photo.source in wanted if one.held else not bad)]


def shots(blob: Blob, sets: Iterable[validation.Judged], side: int, quality: int) -> dict[str, list[tuple[Span, Span]]]:
    """Validation sets: pictures shrink by area, labels by their nearest pixel, so that they stay 0, 1 and 255."""
    import cv2

    found: dict[str, list[tuple[Span, Span]]] = {}
    for one in sets:
        found[one.name] = []
        for picture, label in zip(one.pictures, one.labels, strict=True):
            small = store.shrink(picture, side)
            sharp = cv2.resize(label, small.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            spans = (
                blob.add(one.name, lossy(small, quality)),
                blob.add(one.name, without_loss(np.asarray(sharp, np.uint8))),
            )
            found[one.name].append(spans)
            blob.pictures[one.name] += 1
    return found


def save(
    path: Path,
    blob: Blob,
    entries: list[Entry],
    judged: Mapping[str, Any],
    teacher: Mapping[str, Any],
    about: Mapping[str, Any],
) -> None:
    """Write whole or not at all."""
    import torch
    from safetensors.torch import save_file

    index = {"entries": [astuple(entry) for entry in entries], "judged": judged, "about": about}
    packed_index = zlib.compress(json.dumps(index).encode(), 9)
    tensors = {f"teacher.{key}": value.contiguous() for key, value in teacher.items()}
    tensors["index"] = torch.frombuffer(bytearray(packed_index), dtype=torch.uint8)
    tensors["bytes"] = torch.frombuffer(bytearray(b"".join(blob.parts)), dtype=torch.uint8)
    blob.sizes["index"] = len(packed_index)
    blob.sizes["teacher"] = sum(value.numel() * value.element_size() for value in teacher.values())
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, {"format": packed.FORMAT})
    partial.replace(path)


def table(blob: Blob) -> str:
    """Pictures, bytes and bytes a picture of each source."""
    lines = [f"{'source':<20}{'pictures':>9}{'bytes':>12}{'each':>8}"]
    for source, size in sorted(blob.sizes.items(), key=lambda pair: -pair[1]):
        count = blob.pictures[source]
        lines.append(f"{source:<20}{count or '':>9}{size:>12}{size // count if count else '':>8}")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of training data (layouts: training/datasets.py)")
    parser.add_argument("--out", type=Path, required=True, help="the pack")
    parser.add_argument("--side", type=int, default=224, help="longest side of a picture (default 224)")
    parser.add_argument("--quality", type=int, default=60, help="of WebP, 1 to 100 (default 60)")
    options = parser.parse_args(arguments)
    report = lambda text: print(text, file=sys.stderr, flush=True)  # noqa: E731
    if not options.data.is_dir():
        parser.error(f"{options.data}: there is no such folder")
    if options.side < 32 or not 1 <= options.quality <= 100:
        parser.error("--side starts at 32, --quality lies between 1 and 100")
    try:
        blob = make(options.data, options.out, options.side, options.quality, report)
    except (ValueError, OSError) as error:
        report(f"training.pack: {error}")
        return WRONG_USAGE
    size = options.out.stat().st_size
    print(table(blob))
    print(f"wrote {options.out}: {size} bytes, {size / 2**20:.1f} MiB")
    if size > LIMIT:
        report(f"training.pack: more than {LIMIT // 2**20} MiB; a smaller --side or --quality takes less")
    return 0


def make(data: Path, out: Path, side: int, quality: int, report: Callable[[str], None]) -> Blob:
    """Write the pack of a folder. ValueError when there is nothing to train on."""
    from converters.references import fetch
    from models import reference
    from training import selfie
    from training.loader import HELD_OUT
    from training.options import TEACHER

    teacher = selfie.read(fetch(reference.read()[TEACHER]).read_bytes()).state_dict()
    sets = validation.of_folders(data / name for name in VALIDATION if (data / name).is_dir())
    coded = list(all_coded(photos(data), side, quality, report))
    if not any(not one.held for one in coded):
        raise ValueError(f"{data}: there is nothing to train on")
    kept = chosen(coded, [picture for one in sets for picture in one.pictures], HELD_OUT)
    report(f"{sum(not one.held for one in kept)} pictures train, {sum(one.held for one in kept)} are held out")
    blob = Blob()
    entries = [blob.entry(one) for one in kept]
    judged = shots(blob, sets, side, quality)
    save(out, blob, entries, judged, teacher, {"side": side, "quality": quality})
    return blob


if __name__ == "__main__":
    sys.exit(main())
