"""Make the cut-outs of the embedded sample, `evaluation/people`, from the clip office-man.

python scripts/make_sample.py FOLDER      FOLDER has images/NNNNN.jpg and masks/NNNNN.png of the clip, 0 or 255

Each frame becomes one RGBA PNG: the man's own colours and how much of a pixel he covers. The same input gives the same
pixels on every machine.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

OUT = Path(__file__).parents[1] / "evaluation" / "people" / "office-man"

HANDS = range(92, 110)
"""He looks up and puts both hands to his neck; the top of his head is at the picture's edge."""
LEANS = range(203, 221)
"""He leans back; his head is inside the picture."""

FRINGE = 3
"""Pixels inside the mask's edge that still show what was behind the man."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    OUT.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate([*HANDS, *LEANS]):
        picture = np.asarray(Image.open(folder / "images" / f"{frame:05}.jpg").convert("RGB"))
        mask = np.asarray(Image.open(folder / "masks" / f"{frame:05}.png").convert("L"))
        Image.fromarray(cut_out(picture, mask), "RGBA").save(OUT / f"{number:02}.png", optimize=True)


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
