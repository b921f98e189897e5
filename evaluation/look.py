"""A look at the masks of a whole set: how they were read, the person's share, and whether that looks right.

A set whose masks are inverted, empty or full gives numbers like any other; only a look at them tells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]
"""(256,): how many pixels hold each value."""

EDGE = 12
"""The top edge is a twelfth of a picture's height."""
INVERTED_EDGE = 0.6
INVERTED_STEP = 0.2
"""Masks look inverted when the person takes 60 % of the top edges, and 20 points less of the pictures' middles: a
person who fills the top edge fills the middle too."""


def _none() -> Counts:
    return np.zeros(256, np.int64)


@dataclass(frozen=True)
class Counted:
    """The values of one mask: of all its pixels, of its top edge, and of its middle third both ways."""

    whole: Counts = field(default_factory=_none)
    edge: Counts = field(default_factory=_none)
    middle: Counts = field(default_factory=_none)


@dataclass(frozen=True)
class Reading:
    """How the masks of one folder are read: in words, and as the label (0, 1, 255) of each value.

    `turned` of them are turned with their pictures; for `open_turns` nothing tells whether they should be.
    """

    how: str
    table: NDArray[np.uint8]
    masks: tuple[Counted, ...]
    turned: int = 0
    open_turns: int = 0


def count(values: NDArray[np.uint8]) -> Counted:
    """The counts of a mask (H, W)."""
    height, width = values.shape
    parts = (
        values,
        values[: max(1, height // EDGE)],
        values[height // 3 : max(1, 2 * height // 3), width // 3 : max(1, 2 * width // 3)],
    )
    return Counted(*(np.bincount(part.ravel(), minlength=256) for part in parts))


def looked(readings: Sequence[Reading]) -> tuple[str, ...]:
    """What is to be said of a set: one sentence on the reading and the share, and one for each thing that looks odd."""
    readings = [reading for reading in readings if reading.masks]
    if not readings:
        return ()
    whole, edge, middle = (_share(readings, part) for part in ("whole", "edge", "middle"))
    hows: dict[str, int] = {}
    for reading in readings:
        hows[reading.how] = hows.get(reading.how, 0) + len(reading.masks)
    how = "; ".join(hows) if len(hows) == 1 else "; ".join(f"{words} ({n} of them)" for words, n in hows.items())
    said = [f"Masks: {how}. The person takes {100 * whole:.1f} % of the pixels."]
    if whole in (0, 1):
        said.append(f"Warning: no pixel of any mask is {'background' if whole else 'person'}; are these the masks?")
    elif edge > INVERTED_EDGE and middle < edge - INVERTED_STEP:
        said.append(
            f"Warning: the masks look inverted: the person takes {100 * edge:.0f} % of the top edges and "
            f"{100 * middle:.0f} % of the middles."
        )
    if turned := sum(reading.turned for reading in readings):
        said.append(f"{turned} of the masks lie as their pictures are stored, and are turned with them.")
    if unsure := sum(reading.open_turns for reading in readings):
        said.append(
            f"Warning: {unsure} pictures have a rotation mark that keeps their size; their masks are taken to be "
            "upright already."
        )
    return tuple(said)


def _share(readings: Sequence[Reading], part: str) -> float:
    """The person's share of the judged pixels of a part of all masks; 0 when none is judged."""
    person = judged = 0
    for reading in readings:
        counts = sum((getattr(mask, part) for mask in reading.masks), _none())
        person += int(counts[reading.table == 1].sum())
        judged += int(counts[reading.table <= 1].sum())
    return person / judged if judged else 0.0
