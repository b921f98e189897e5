"""What stands behind the person: a colour, a picture or a video, at the frame's size and time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from video.band import Bytes, Floats
from video.recolour import Colour
from video.replace import light_of

if TYPE_CHECKING:
    from video.read import Frame


@dataclass(frozen=True)
class Scene:
    """A background (H, W, 3) RGB, and the light it sheds, a small copy (h, w, 3) in [0, 1]."""

    picture: Bytes
    light: Floats

    @classmethod
    def of(cls, picture: Bytes) -> Scene:
        return cls(picture, light_of(picture))


Backdrop = Callable[[float], Scene]
"""Seconds, never falling, to what is behind the person then."""

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")


def parse_colour(text: str) -> Colour | None:
    """RGB in [0, 1] of a name such as `teal`, of #rgb or #rrggbb; None when it is no colour."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
    except ValueError:
        return None
    return red / 255, green / 255, blue / 255


def open_backdrop(text: str, size: tuple[int, int]) -> Backdrop:
    """A colour by its name or number, else a picture or video file, cut to fill `size` (H, W); ValueError when none."""
    if not Path(text).exists():
        if colour := parse_colour(text):
            return still(np.full((*size, 3), np.round(np.multiply(colour, 255)), np.uint8))
        if re.fullmatch(r"#?\w+", text):
            raise ValueError(f"{text}: neither a file nor a colour, such as teal or #204060")
    if Path(text).suffix.lower() in PICTURES:
        from evaluation.pictures import Unusable, read_picture

        try:
            return still(fill(read_picture(Path(text)), size))
        except Unusable as error:
            raise ValueError(f"{text}: {error}") from None
    return moving(text, size)


def still(picture: Bytes) -> Backdrop:
    scene = Scene.of(picture)
    return lambda seconds: scene


def moving(path: str, size: tuple[int, int]) -> Backdrop:
    """A video at its own rate, over again when it ends; read as it is needed."""
    frames = _frames(path)
    shown = [next(frames)]
    following = [next(frames)]
    cache = [Scene.of(fill(shown[0][1].picture, size))]

    def at(seconds: float) -> Scene:
        if following[0][0] > seconds:
            return cache[0]
        while following[0][0] <= seconds:
            shown[0], following[0] = following[0], next(frames)
        cache[0] = Scene.of(fill(shown[0][1].picture, size))
        return cache[0]

    return at


def _frames(path: str) -> Iterator[tuple[float, Frame]]:
    """Frames with their seconds, which go on rising when the video begins again."""
    from video.read import Frame, open_source

    offset = 0.0
    for _ in itertools.count():
        source = open_source(path)
        seconds = 0.0
        for item in source.items():
            if isinstance(item, Frame):
                seconds = float(item.pts * source.time_base)
                yield offset + seconds, item
        offset += seconds + float(1 / source.rate)
        source.close()


def fill(picture: Bytes, size: tuple[int, int]) -> Bytes:
    """The middle of a picture (h, w, 3) at `size` (H, W): its aspect kept, what is too much cut off."""
    import cv2

    height, width = size
    scale = max(height / picture.shape[0], width / picture.shape[1])
    rows, columns = min(picture.shape[0], round(height / scale)), min(picture.shape[1], round(width / scale))
    top, left = (picture.shape[0] - rows) // 2, (picture.shape[1] - columns) // 2
    middle = picture[top : top + rows, left : left + columns]
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(middle, (width, height), interpolation=how), np.uint8)
