"""Make the cut-outs of the embedded sample, `evaluation/people`, from clips of people.

python scripts/make_sample.py FOLDER...   named as in `CLIPS`, with images/*.jpg and masks/*.png of 0 and 255

Each frame becomes one RGBA picture, WebP without loss: the person's own colours and how much of a pixel the person
covers. The same input gives the same pixels on every machine.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

OUT = Path(__file__).parents[1] / "evaluation" / "people"


@dataclass(frozen=True)
class Source:
    """Which frames of a clip are cut out, and what was behind the person."""

    frames: tuple[int, ...]
    """Their places among the files of `images`, sorted."""
    blue_wall: bool = False


CLIPS = {
    # The hands go up to the neck, the top of the head at the picture's edge; then he leans back, the head inside.
    "office-man": Source((*range(92, 110), *range(203, 221))),
    # Head and shoulders before a blue wall, speaking.
    "sbia1a": Source((36, 39, 41, 44), blue_wall=True),
    "sbwe5n": Source(tuple(range(26, 35)), blue_wall=True),
    "swiz3n": Source(tuple(range(12, 30)), blue_wall=True),
}

FRINGE = 3
"""Pixels inside the mask's edge that still show what was behind the person."""

SPILL = 16
"""Pixels inside the mask's edge that may carry the blue wall's light."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    for folder in parser.parse_args().folders:
        clip = folder.resolve().name
        if clip not in CLIPS:
            parser.error(f"{folder}: no clip of that name is in the sample; there are {', '.join(CLIPS)}")
        cut_out_clip(CLIPS[clip], folder, OUT / clip)


def cut_out_clip(source: Source, folder: Path, out: Path) -> None:
    """Write the cut-outs 00.webp, 01.webp and so on to `out`."""
    out.mkdir(parents=True, exist_ok=True)
    pictures, masks = (sorted((folder / part).iterdir()) for part in ("images", "masks"))
    for number, frame in enumerate(source.frames):
        picture = np.asarray(Image.open(pictures[frame]).convert("RGB"))
        mask = np.asarray(Image.open(masks[frame]).convert("L"))
        if source.blue_wall:
            picture = without_blue(picture, mask)
        cut = Image.fromarray(cut_out(picture, mask), "RGBA")
        cut.save(out / f"{number:02}.webp", lossless=True, exact=True, quality=100, method=6)


def without_blue(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`picture` with green and blue no stronger than red within `SPILL` pixels of the mask's edge.

    For people before a blue wall whose skin, hair and clothes are no bluer than grey: what is bluer is the wall's
    light.
    """
    shape = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SPILL + 1, 2 * SPILL + 1))
    # Above and at the sides the picture's edge counts as the wall; below, the person goes on.
    inside = cv2.erode(np.pad(mask, ((1, 0), (1, 1))), shape)[1:, 1:-1] >= 128
    return np.where(inside[..., None], picture, np.minimum(picture, picture[..., :1])).astype(np.uint8)


def cut_out(picture: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) uint8 RGBA of a person in `picture` (H, W, 3) uint8 RGB with a hard `mask` (H, W), 0 or 255.

    The edge is softened over about two pixels and drawn in by half a pixel. The rim of the mask, whose colours are
    mixed with the background, takes the colours next to it inside; where the person is not, pixels are black.
    """
    inside = (mask >= 128).astype(np.float32)
    soft = cv2.GaussianBlur(inside, (0, 0), 1.3, borderType=cv2.BORDER_REPLICATE)
    alpha = np.clip((soft - 0.4) / 0.5, 0, 1)
    core = cv2.erode(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * FRINGE + 1, 2 * FRINGE + 1)))[..., None]
    weight = cv2.GaussianBlur(core, (0, 0), FRINGE)[..., None]
    spread = cv2.GaussianBlur(picture * core, (0, 0), FRINGE) / np.maximum(weight, 1e-4)
    near = cv2.dilate((alpha > 0).astype(np.uint8), np.ones((5, 5), np.uint8))[..., None]
    colours = np.round((core * picture + (1 - core) * spread) * near)
    return np.dstack([np.clip(colours, 0, 255), np.round(255 * alpha)]).astype(np.uint8)


if __name__ == "__main__":
    main()
