"""Effects on the nine labels: a part of a person in another colour, and every label drawn over the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from evaluation.overlay import LABEL_COLOURS
from models.labels import LABELS
from video.band import Box, Bytes, Floats, around, between, enlarged, put, take, thrice
from video.foreground import FAR, foreground, layers
from video.recolour import recoloured, toned
from video.replace import over, paste

PALETTE = {"background": (0, 0, 0), **LABEL_COLOURS}
"""RGB of each label."""
COLOURS = np.array([PALETTE[name] for name in LABELS], np.float32) / np.float32(255)
OPACITY = 0.6
"""Of the labels over the picture."""
LEGEND_LINE = 1 / 30
"""The height of a line of the legend, as a share of the picture's."""


@dataclass(frozen=True)
class Tint:
    """A label, and the tones (256, 1, 3) of the colour that it is given."""

    label: str
    tones: Bytes

    def probability(self, labels: Floats) -> Floats:
        """(h, w) of the probabilities (h, w, 9)."""
        return np.ascontiguousarray(labels[..., LABELS.index(self.label)])


def tinted_parts(picture: Bytes, coarse: Bytes, alphas: Sequence[Bytes], tints: Sequence[Tint]) -> tuple[Bytes, Bytes]:
    """A picture (H, W, 3) and its `coarse` copy (h, w, 3), each tint's colour where its alpha (h, w) covers them."""
    made, times = picture.copy(), picture.shape[0] // coarse.shape[0]
    for alpha, tint in zip(alphas, tints, strict=True):
        # Beside the part, nothing changes; a pixel of the coarse copy reaches one further in the whole picture.
        if box := around(alpha, 1):
            tinted = tinted_part(coarse, alpha, tint.tones)
            change = np.asarray(cv2.subtract(tinted[box], coarse[box], dtype=cv2.CV_16S), np.int16)
            add_enlarged(made, change, box, times)
            coarse = tinted
    return made, coarse


def add_enlarged(picture: Bytes, change: NDArray[np.int16], box: Box, times: int) -> None:
    """Add a `change` (h, w, 3), so many times as large, to the place in a picture (H, W, 3) that is so its `box`."""
    rows, columns = (slice(times * side.start, times * side.stop) for side in box)
    place = picture[rows, columns]
    whole = cv2.resize(change, place.shape[1::-1], interpolation=cv2.INTER_LINEAR) if times > 1 else change
    place[:] = cv2.add(place, whole, dtype=cv2.CV_8U)


def tinted_part(picture: Bytes, alpha: Bytes, tones: Bytes) -> Bytes:
    """A picture (H, W, 3) with the colour of `tones` where `alpha` (H, W) covers it, its light and shadow kept.

    At a soft edge the part's own share of a pixel is recoloured, by its own light: a bright wall behind dark hair does
    not glow in the hair's new colour.
    """
    box = around(alpha, round(FAR * min(alpha.shape)))
    if box is None:
        return picture
    part, cover = picture[box].copy(), np.ascontiguousarray(alpha[box])
    at = between(cover)
    own = foreground(part, cover, *layers(part, cover), at)
    edge = take(part, at) + thrice(take(cover, at)) * (toned(own, tones) - own)
    paste(recoloured(part, tones), part, cover)
    put(part, at, edge)
    made = picture.copy()
    made[box] = part
    return made


def before(behind: Bytes, front: Bytes, alpha: Bytes) -> Bytes:
    """A picture `front` (H, W, 3), as `alpha` (H, W) covers it, before `behind` (H, W, 3), which becomes the result."""
    at = between(alpha)
    edge = over(take(front, at), take(behind, at), take(alpha, at))
    paste(front, behind, alpha)
    put(behind, at, edge)
    return behind


def overlaid(picture: Bytes, labels: Floats) -> Bytes:
    """A picture (H, W, 3) with the colours of its labels' probabilities (h, w, 9) over it, and a legend."""
    size = picture.shape[:2]
    colours = enlarged(labels @ COLOURS, size)
    made = np.asarray(cv2.addWeighted(picture, 1 - OPACITY, colours, OPACITY, 0), np.uint8)
    key = legend(size[0])
    if key.shape[0] <= size[0] and key.shape[1] <= size[1]:
        made[size[0] - key.shape[0] :, : key.shape[1]] = key
    return made


@lru_cache(1)
def legend(height: int) -> Bytes:
    """(h, w, 3): the labels' names beside their colours, for a picture of that height."""
    from PIL import Image, ImageDraw, ImageFont

    line = max(9, round(height * LEGEND_LINE))
    font = ImageFont.load_default(0.75 * line)
    gap = line // 4
    width = line + 3 * gap + round(max(font.getlength(name) for name in LABELS))
    canvas = Image.new("RGB", (width, line * len(LABELS) + gap), (24, 24, 24))
    draw = ImageDraw.Draw(canvas)
    for index, name in enumerate(LABELS):
        top = index * line + gap
        box = (gap, top, gap + line - gap, top + line - gap)
        draw.rectangle(box, fill=PALETTE[name], outline=(128, 128, 128))
        draw.text((line + gap, top + (line - gap) / 2), name, fill=(255, 255, 255), font=font, anchor="lm")
    return np.asarray(canvas, np.uint8)


def smoothed(labels: Floats, previous: Floats, ratio: float) -> Floats:
    """Probabilities (..., 9) that lean on the previous ones where they are unsure, as `smooth` does with a mask.

    p + (previous - p) * min(E(p), 1)^2 * ratio, E the entropy of all nine in bits: they still sum to 1.
    """
    p = np.clip(labels, 1e-6, 1)
    entropy = np.minimum(-(p * np.log2(p)).sum(-1, keepdims=True), 1)
    return (labels + (previous - labels) * np.square(entropy) * np.float32(ratio)).astype(np.float32)


def of_person(labels: Floats, mask: Floats) -> Floats:
    """Probabilities (h, w, 9) whose person is no more than a mask (h, w): what is taken from them is background."""
    person = 1 - labels[..., 0]
    made = labels * np.minimum(mask / np.maximum(person, 1e-6), 1)[..., None]
    made[..., 0] = 1 - made[..., 1:].sum(-1)
    return np.asarray(made, np.float32)
