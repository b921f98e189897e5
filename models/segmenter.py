"""State around the stateless network: feed it pictures of any size, and each mask is the next one's hint.

segmenter = Segmenter(step, resolution)
for picture in video:
    mask = segmenter.segment(picture)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.variant import Resolution

Floats = NDArray[np.float32]

Step = Callable[[Floats, Floats], Floats]
"""One frame through a network: frame (1, H, W, 3) RGB in [0, 1] and previous mask (1, H, W, 1) to mask (1, H, W, 1)."""


class Segmenter:
    """A `Step` at `resolution` with the mask fed back.

    `smoothing` in [0, 1] leans the mask on the previous one where the network is unsure, as MediaPipe's hair
    segmentation does (0.9 there); 0 feeds back what the network said.
    """

    def __init__(self, step: Step, resolution: Resolution, smoothing: float = 0.0) -> None:
        self.step = step
        self.resolution = resolution
        self.smoothing = smoothing
        self.reset()

    def reset(self) -> None:
        """Forget the previous mask: the next picture begins a new sequence."""
        self.previous = no_mask(self.resolution)

    def segment(self, picture: NDArray[np.uint8]) -> Floats:
        """The mask (H, W) float32 in [0, 1] of a picture (H, W, 3) uint8 RGB."""
        mask = self.step(to_input(stretch(picture, self.resolution)), self.previous)
        # A copy, because a runtime may write its next answer into the same memory.
        self.previous = smooth(mask, self.previous, self.smoothing) if self.smoothing else mask.copy()
        return enlarge(self.previous[0, :, :, 0], picture.shape[:2])


def no_mask(resolution: Resolution) -> Floats:
    """The previous mask of a first frame: (1, H, W, 1) zeros."""
    return np.zeros((1, *resolution, 1), np.float32)


def stretch(picture: NDArray[np.uint8], resolution: Resolution) -> NDArray[np.uint8]:
    """The whole picture (h, w, 3) at (H, W), its aspect not kept: by area where it shrinks, else bilinearly."""
    import cv2

    height, width = resolution
    shrinks = picture.shape[0] >= height and picture.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)


def to_input(frame: NDArray[np.uint8]) -> Floats:
    """(H, W, 3) uint8 to the network's (1, H, W, 3) float32 in [0, 1]."""
    return frame[None].astype(np.float32) / np.float32(255)


def enlarge(mask: Floats, size: tuple[int, ...]) -> Floats:
    """A mask (h, w) bilinearly at `size` (H, W)."""
    import cv2

    height, width = size
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def smooth(mask: Floats, previous: Floats, ratio: float) -> Floats:
    """p + (previous - p) * E(p)^2 * ratio, E the binary entropy in bits: a sure p stays, an unsure one leans back."""
    p = np.clip(mask, 1e-6, 1 - 1e-6)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    return (mask + (previous - mask) * np.square(entropy) * np.float32(ratio)).astype(np.float32)
