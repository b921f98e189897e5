"""A batch, or the ways a previous mask is simulated, as a picture for looking at.

python -m training.show priors OUT.png   every simulation, on the embedded sample
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.arguments import ArgumentParser
from training import prior
from training.geometry import compose, sample, spline_offsets
from training.sampler import Sample

Pixels = NDArray[np.uint8]
Way = Callable[[Pixels, Pixels, Pixels], tuple[Pixels, Pixels, Pixels]]
"""(frame, its truth, another's truth) to (frame, its truth, previous mask)."""
SIDE = 96
EXAMPLES = 5


def contact_sheet(samples: Sequence[Sample], columns: int = 6) -> np.ndarray:
    """(rows, columns * width, 3) uint8: each sample as previous mask, then each frame with its target drawn in."""
    import cv2

    cells = []
    for one in samples:
        parts = [cv2.cvtColor(one.previous, cv2.COLOR_GRAY2RGB)]
        parts += [outlined(frame, target) for frame, target in zip(one.frames, one.targets, strict=True)]
        cells.append(np.hstack(parts))
    rows = [np.hstack(cells[i : i + columns]) for i in range(0, len(cells) - columns + 1, columns)]
    return np.vstack(rows)


def outlined(frame: Pixels, truth: Pixels) -> Pixels:
    """A frame (S, S, 3) with the outline of its truth (S, S) in green."""
    import cv2

    outline = cv2.morphologyEx((truth > 127).astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    return np.where(outline[..., None] > 0, np.array([60, 255, 60], np.uint8), frame)


def save(path: Path, samples: Sequence[Sample], columns: int = 6) -> None:
    _write(path, contact_sheet(samples, columns))


def priors(seed: int = 0) -> Pixels:
    """(H, W, 3) uint8: a row for each simulation; in each pair the frame with its truth, and the mask that goes in."""
    import cv2

    from evaluation.sample import embedded

    stills = [clip for clip in embedded().clips if clip.still]
    shots = [_square(*clip.read(0)) for clip in stills[: 2 * EXAMPLES : 2]]
    others = shots[1:] + shots[:1]
    rng = np.random.default_rng(seed)
    ways: dict[str, Way] = {
        "empty: a first frame": lambda frame, truth, other: (frame, truth, prior.empty(SIDE)),
        "minor: the truth under a small affine": lambda frame, truth, other: (frame, truth, prior.minor(truth, rng)),
        "major: the truth under a large affine": lambda frame, truth, other: (frame, truth, prior.major(truth, rng)),
        "warped: the frame moved by a thin plate spline, its mask not moved": lambda frame, truth, other: _warped(
            frame, truth, rng
        ),
        "other: another picture's mask, as after a cut": lambda frame, truth, other: (frame, truth, other),
        "softened: as a network's own output, over all but the empty": lambda frame, truth, other: (
            frame,
            truth,
            prior.soften(truth, rng),
        ),
    }
    rows = []
    for text, way in ways.items():
        title = np.full((22, 2 * SIDE * EXAMPLES, 3), 255, np.uint8)
        cv2.putText(title, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        cells = []
        for (frame, truth), (_, other) in zip(shots, others, strict=True):
            picture, target, mask = way(frame, truth, other)
            cells.append(np.hstack([outlined(picture, target), cv2.cvtColor(mask, cv2.COLOR_GRAY2RGB)]))
        rows += [title, np.hstack(cells)]
    return np.vstack(rows)


def _square(picture: Pixels, label: Pixels) -> tuple[Pixels, Pixels]:
    """Both at (SIDE, SIDE), the label as a soft truth 0..255."""
    import cv2

    truth = np.where(label == 1, 255, 0).astype(np.uint8)
    small = (cv2.resize(array, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for array in (picture, truth))
    frame, mask = (np.asarray(array, np.uint8) for array in small)
    return frame, mask


def _warped(frame: Pixels, truth: Pixels, rng: Generator) -> tuple[Pixels, Pixels, Pixels]:
    y, x = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    grid = compose(np.stack([x, y], axis=-1), spline_offsets(rng, SIDE, 0.03))
    return sample(frame, grid), sample(truth, grid), truth


def _write(path: Path, picture: Pixels) -> None:
    import cv2

    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    pictures: dict[str, Callable[[], Pixels]] = {"priors": priors}
    parser.add_argument("what", choices=pictures)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    _write(options.out, pictures[options.what]())
    return 0


if __name__ == "__main__":
    sys.exit(main())
