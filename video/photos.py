"""`segment.py` on photos: one, or every one of a folder, each by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np

from evaluation.pictures import Unusable, read_picture
from models.files import refuse_special
from models.segmenter import Segmenter
from video.apply import Effects, seen_in
from video.backdrop import PICTURES
from video.read import Picture

WRITTEN = (".png", ".jpg", ".jpeg", ".webp")
OTHER_PHOTOS = (".heic", ".heif", ".avif", ".jxl")
"""Of cameras and phones, and not decoded here."""
WITH_ALPHA = (".png", ".webp")


def photos_of(path: Path) -> list[Path]:
    """The photos that `path` is, or holds when it is a folder; none when it is something else, such as a video."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix.lower() in PICTURES)
    return [path] if path.is_file() and path.suffix.lower() in PICTURES else []


def check(given: Path, out: Path, alpha: bool) -> None:
    """ValueError unless what is made of `given`, a photo or a folder of them, can be written to `out`."""
    if given.is_dir():
        if out.suffix or (out.exists() and not (out.is_dir() and not any(out.iterdir()))):
            raise ValueError(f"{out}: photos of a folder are written to a new folder, or an empty one")
        return
    refuse_special(out)
    kinds = WITH_ALPHA if alpha else WRITTEN
    if out.suffix.lower() not in kinds:
        what = "a cut-out" if alpha else "a photo"
        raise ValueError(f"{out}: {what} is written to {', '.join(kinds)}, not {out.suffix or 'a folder'!r}")
    if not out.parent.is_dir():
        raise ValueError(f"{out}: there is no folder {out.parent}")


def segment_all(
    given: Path,
    out: Path,
    segmenter: Segmenter,
    effects_for: Callable[[tuple[int, int]], Effects],
) -> Iterator[Path | Unusable]:
    """Each photo made and written: its new path, or why it could not be read. `effects_for` takes its (height, width).

    A photo of a folder keeps its name, as .png; where two differ in their suffixes alone, these stay: a.jpg.png.
    """
    photos = photos_of(given)
    stems = Counter(photo.stem.lower() for photo in photos)
    for photo in photos:
        try:
            picture = read_picture(photo)
        except Unusable as reason:
            yield reason
            continue
        segmenter.reset()
        height, width = picture.shape[:2]
        effects = effects_for((height, width))
        seen = seen_in(segmenter, segmenter.prepare(picture), (height, width), effects.of_labels)
        made = effects(picture, seen, effects.alphas(seen, picture), 0.0)
        name = photo.stem if stems[photo.stem.lower()] == 1 else photo.name
        place = out / f"{name}.png" if given.is_dir() else out
        place.parent.mkdir(parents=True, exist_ok=True)
        write(place, made)
        yield place


def write(path: Path, picture: Picture) -> None:
    """A picture (H, W, 3) RGB or (H, W, 4) RGBA uint8, by the suffix of `path`. OSError when it cannot be written."""
    order = cv2.COLOR_RGBA2BGRA if picture.shape[2] == 4 else cv2.COLOR_RGB2BGR
    done, data = cv2.imencode(path.suffix.lower(), cv2.cvtColor(np.ascontiguousarray(picture), order))
    if not done:
        raise OSError(f"{path}: cannot be encoded")
    path.write_bytes(data.tobytes())
