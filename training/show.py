"""A batch as a picture: frames, previous masks and targets side by side, for looking at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.sampler import Sample


def contact_sheet(samples: Sequence[Sample], columns: int = 6) -> np.ndarray:
    """(rows, columns * width, 3) uint8: each sample as previous mask, then each frame with its target drawn in."""
    import cv2

    cells = []
    for sample in samples:
        parts = [cv2.cvtColor(sample.previous, cv2.COLOR_GRAY2RGB)]
        for frame, target in zip(sample.frames, sample.targets, strict=True):
            outline = cv2.morphologyEx((target > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
            parts.append(np.where(outline[..., None] > 0, np.array([60, 255, 60], np.uint8), frame))
        cells.append(np.hstack(parts))
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells) - columns + 1, columns)]
    return np.vstack(rows)


def save(path: Path, samples: Sequence[Sample], columns: int = 6) -> None:
    import cv2

    cv2.imwrite(str(path), cv2.cvtColor(contact_sheet(samples, columns), cv2.COLOR_RGB2BGR))
