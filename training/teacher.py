"""Soft masks for unlabelled pictures from a stronger network, run once when the store is built.

Any model that `devices.open_model` opens: MediaPipe's selfie segmentation by its name in peers.toml, or a larger
network of our own by the path of its checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from devices.open_model import open_model
from models.segmenter import no_mask, to_input
from training.datasets import Pixels


def teacher(model: Path | str, threads: int = 1) -> Callable[[Pixels], Pixels]:
    """picture (H, W, 3) uint8 RGB -> soft mask (H, W) uint8, the mean over the picture and its mirror image.

    ValueError, one sentence, when there is no such model.
    """
    import cv2

    step, (height, width) = open_model(model, threads=threads)
    empty = no_mask((height, width))

    def teach(picture: Pixels) -> Pixels:
        frame = to_input(np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
        mirrored = step(np.ascontiguousarray(frame[:, :, ::-1]), empty)
        mask = (step(frame, empty).copy() + mirrored[:, :, ::-1])[0, :, :, 0] / 2
        full = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return np.rint(np.clip(full, 0, 1) * 255).astype(np.uint8)

    return teach
