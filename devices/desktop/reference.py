"""The fixed reference of every desktop measurement: MediaPipe's selfie network in LiteRT, computing in float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.session import Session
from devices.contract import Counts
from devices.desktop import copies, timing
from devices.desktop.model_loop import ModelLoop

NAME = "mediapipe-selfie"
WARM = Counts(samples=8, seconds=0.0)
FRAMES = 16
"""The first frames of a job, at the reference's own size: it is timed and not scored."""


class NoReference(Exception):
    """Why there is no reference in this process, in a few words."""


def opened(
    threads: int, frames: NDArray[np.uint8], sequences: Sequence[int]
) -> tuple[ModelLoop, list[Session], dict[str, Any]]:
    """The warm reference as a loop over `frames` (N, H, W, 3), its copies, and what a row says of it."""
    import models.reference

    try:
        from converters.references import fetch, open_reference

        reference = models.reference.read()[NAME]
        path = fetch(reference)

        def open_one() -> Session:
            return open_reference(reference, path, threads)

        session = open_one()
    except (ImportError, KeyError, OSError, ValueError) as error:
        raise NoReference(f"{NAME} could not be opened: {error}") from None
    loop = ModelLoop(session, _resized(frames[:FRAMES], session.resolution), _first(sequences, FRAMES))
    timing.sample(loop, WARM)
    sessions = copies.opened(loop, open_one, copies.MOST)
    said = {
        "name": NAME,
        "file": path.name,
        "sha256": reference.sha256,
        "format": reference.format,
        "weights": reference.precision,
    }
    return loop, sessions, said | {"computes": "fp32", "resolution": list(session.resolution), **session.facts}


def _resized(frames: NDArray[np.uint8], resolution: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    height, width = resolution
    return np.stack([np.asarray(cv2.resize(frame, (width, height)), np.uint8) for frame in frames])


def _first(sequences: Sequence[int], frames: int) -> list[int]:
    """The lengths of the sequences as far as the first `frames` reach."""
    kept: list[int] = []
    for length in sequences:
        if frames <= 0:
            break
        kept.append(min(length, frames))
        frames -= length
    return kept
