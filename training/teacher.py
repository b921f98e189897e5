"""Soft masks from a stronger network: once for unlabelled pictures, and again for each sample as it was drawn.

The second is function matching (Beyer et al., "Knowledge distillation: a good teacher is patient and consistent",
2022): teacher and student see the very same augmented picture.

Any model that `devices.open_model` opens: MediaPipe's selfie segmentation by its name in references.toml, or a larger
network of our own by the path of its checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from models.segmenter import no_mask, to_input
from training.datasets import Pixels

Teach = Callable[[Pixels], Pixels]
"""picture (H, W, 3) uint8 RGB -> soft mask (H, W) uint8."""


def teacher(model: Path | str, threads: int = 1, mirrored: bool = True) -> Teach:
    """`mirrored` is the mean with the mirror image's.

    ValueError, one sentence, when there is no such model.
    """
    import cv2

    from devices.open_model import open_model

    step, (height, width) = open_model(model, threads=threads)
    empty = no_mask((height, width))

    def teach(picture: Pixels) -> Pixels:
        frame = to_input(np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8))
        mask = step(frame, empty)[0, :, :, 0].copy()
        if mirrored:
            mask += step(np.ascontiguousarray(frame[:, :, ::-1]), empty)[0, :, ::-1, 0]
            mask /= 2
        full = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        return np.rint(np.clip(full, 0, 1) * 255).astype(np.uint8)

    return teach


def looking_twice(teach: Teach, side: int) -> Teach:
    """The mean of a teacher's answer and of MediaPipe's for the mirror image at side x side.

    At 320 the two make fewer mistakes than either (docs/experiments.md). BadReferenceModel when the network of the
    second look cannot be had.
    """
    import torch

    from training import answers, selfie

    again = answers.of_network(selfie.published(), (side, side), torch.device("cpu"))

    def both(picture: Pixels) -> Pixels:
        mirrored = torch.from_numpy(np.ascontiguousarray(picture[:, ::-1])).permute(2, 0, 1)[None].float() / 255
        second = again(mirrored)[0, 0].numpy()[:, ::-1]
        return np.rint((teach(picture).astype(np.float32) + 255 * second) / 2).astype(np.uint8)

    return both
