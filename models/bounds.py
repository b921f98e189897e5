"""What a machine can take: processors and memory, each with the sentence for a wish beyond it."""

from __future__ import annotations

import os

MOST_SIDE = 2048
"""Of a network's input, in pixels."""
MOST_SIDE_OF_OTHERS = 4096
"""The same of a model that is not this project's."""
MOST_CLASSES = 65_536
"""Classes of an output, more than any segmentation network has."""
LARGEST = 1e9
"""Of a number that a model is given: what colours are shifted by, a constant. Its inverse is the least divisor."""


def processors() -> int:
    """Those that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def check_threads(threads: int) -> None:
    """ValueError unless this process has as many processors."""
    if threads > (most := processors()):
        raise ValueError(f"{threads} threads: this machine has {most} processor{'s' * (most != 1)} for them")


def check_memory(frames: int, resolution: tuple[int, int]) -> None:
    """ValueError where frames (N, H, W, 3) uint8 and their masks in float32 take more than half of the free memory."""
    import psutil

    height, width = resolution
    needed, free = frames * height * width * (3 + 4), psutil.virtual_memory().available
    if needed > free / 2:
        raise ValueError(
            f"{frames} frames at {height}x{width} take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free; "
            "choose a smaller resolution or fewer frames"
        )
