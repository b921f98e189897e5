"""Nine labels against a truth: IOU of each label, summed over a data set, and which label is taken for which.

What is judged, and how:
- A network's answer is (h, w, 9) uint8: probabilities as shares of 255. Each is resized bilinearly to the truth's size,
  and a pixel is of the class (see `evaluation.truth`) whose labels have the largest sum.
- A label's IOU is the sum of the intersections over the sum of the unions of all pictures in which that label is a
  class of its own. A label that some pixels leave open is judged in a picture where others show it for sure: there the
  likeliest of the nine labels counts, and the open pixels are not judged. A label without one true pixel has no IOU.
- The mean is over the labels but background, which the person's own IOU judges. A union such as skin has a figure and
  is not in the mean, nor is a label that the network does not have.
- Intervals are those of the percentile bootstrap over pictures, or over blocks of frames in clips, as of the person's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.interval import drawn_ratios
from evaluation.truth import MEMBERS, NAMES, NOT_HAIR, PERSON, UNJUDGED, classes
from models.labels import BACKGROUND, LABELS
from models.segmenter import Floats, ResizeMode, box, enlarge

Shares = NDArray[np.uint8]
"""(..., 9): the probability of each label as a share of 255."""
Truth = NDArray[np.uint8]
"""(H, W): codes of `evaluation.truth`."""
Pixels = NDArray[np.int64]
"""(12, 12): pixels by the code of the truth and of what was found."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Counts:
    """The judged pixels of one picture: by class, true and found; and by their truth's code and the likeliest label."""

    classes: Pixels
    labels: Pixels

    @property
    def codes(self) -> frozenset[int]:
        """Those that the truth holds."""
        return frozenset(np.flatnonzero(self.labels.sum(axis=1)).tolist())


def shares(probabilities: Floats) -> Shares:
    """Probabilities (..., 9) in [0, 1] as they are kept and judged."""
    return np.rint(np.clip(probabilities, 0, 1) * np.float32(255)).astype(np.uint8)


def likeliest(found: Shares, size: tuple[int, ...], of: Sequence[int] = tuple(range(len(LABELS)))) -> Truth:
    """The likeliest of the classes `of`, codes, at each pixel of `size` (H, W); of equal ones the first."""
    best = np.full(size, -1, np.float32)
    where = np.zeros(size, np.uint8)
    for code in of:
        # One class at a time: nine planes of a large picture would be in memory at once.
        members = sorted(MEMBERS[code])
        plane = enlarge(found[..., members].sum(axis=-1, dtype=np.float32), size)
        higher = plane > best
        where[higher] = code
        best[higher] = plane[higher]
    return where


def count(found: Shares, truth: Truth, resize_mode: ResizeMode = "stretch") -> Counts:
    """The counts of one picture. ValueError for what has not nine labels."""
    if found.shape[-1] != len(LABELS):
        raise ValueError(f"an answer of {found.shape} has not {len(LABELS)} labels")
    size = truth.shape
    if resize_mode == "letterbox":
        found = found[box(size, found.shape[:2])]
    codes = np.setdiff1d(truth, UNJUDGED).tolist()
    of = classes(frozenset(codes))
    likeliest_label = likeliest(found, size)
    by_label = _tally(truth, likeliest_label)
    if len(of) == len(LABELS):
        return Counts(by_label, by_label)
    if not of:
        return Counts(np.zeros_like(by_label), by_label)
    class_of = np.full(256, UNJUDGED, np.uint8)
    for code in codes:
        class_of[code] = next(one for one in of if MEMBERS[code] <= MEMBERS[one])
    return Counts(_tally(class_of[truth], likeliest(found, size, of)), by_label)


def _tally(true: Truth, found: Truth) -> Pixels:
    judged = true != UNJUDGED
    pairs = true[judged].astype(np.intp) * len(NAMES) + found[judged]
    return np.bincount(pairs, minlength=len(NAMES) ** 2).reshape(len(NAMES), len(NAMES))


def overlap(counts: Counts, code: int) -> tuple[int, int, int]:
    """(intersection, union, true pixels) of one class or label in a picture; zeros where it is not judged there."""
    if code in classes(counts.codes):
        table = counts.classes
        found = table[:, code].sum()
    elif code < len(LABELS):
        table = counts.labels
        found = sum(table[other, code] for other in counts.codes if other == code or code not in MEMBERS[other])
    else:
        return 0, 0, 0
    both, true = int(table[code, code]), int(table[code].sum())
    if not true and code not in classes(counts.codes):
        return 0, 0, 0
    return both, true + int(found) - both, true


@dataclass(frozen=True)
class Figure:
    """One label's IOU in [0, 1], its 95 % interval (low, high), and how many true pixels and pictures it rests on."""

    iou: float
    ci: Interval
    pixels: int
    pictures: int


@dataclass(frozen=True)
class LabelScore:
    """The mean IOU with its 95 % interval, and the figures of each label, and of skin where the data leave it open.

    `labels` are by name, in the order of their ids; those without a true pixel are absent.
    """

    mean: float
    mean_ci: Interval
    labels: dict[str, Figure]
    confusion: dict[str, dict[str, int]] = field(repr=False)
    """Pixels by their true class and by the found one, where there are any."""
    lacking: tuple[str, ...] = ()
    """Labels of the data that the network does not have: they are not in the mean."""

    @property
    def worst(self) -> str:
        """The label with the lowest IOU of those in the mean."""
        return min((name for name in self.labels if self.counts(name)), key=lambda name: self.labels[name].iou)

    def counts(self, name: str) -> bool:
        """Whether a label is in the mean."""
        return in_mean(name) and name not in self.lacking

    def to_dict(self) -> dict[str, Any]:
        """JSON types only."""
        return {
            "mean_iou": self.mean,
            "mean_iou_ci": list(self.mean_ci),
            "worst": self.worst,
            "labels": {
                name: {"iou": one.iou, "iou_ci": list(one.ci), "pixels": one.pixels, "pictures": one.pictures}
                for name, one in self.labels.items()
            },
            "lacking": list(self.lacking),
            "confusion": self.confusion,
        }


def in_mean(name: str) -> bool:
    """Whether the mean is over a label of this name: over those of a network, without background."""
    return name in LABELS and name != LABELS[BACKGROUND]


def summarise(
    pictures: Sequence[Counts], blocks: Sequence[int], has: Iterable[str] = LABELS, seed: int = 0
) -> LabelScore | None:
    """The score of pictures, each of a block that the bootstrap draws together; None where no label can be judged.

    `has` are the labels that the network has.
    """
    codes = [code for code in range(len(NAMES)) if code not in (PERSON, NOT_HAIR)]
    if not pictures:
        return None
    found = np.array([[overlap(picture, code) for code in codes] for picture in pictures])
    there = [code for code in codes if found[:, code, 2].any()]
    lacking = tuple(NAMES[code] for code in there if code < len(LABELS) and NAMES[code] not in set(has))
    counted = [at for at, code in enumerate(there) if in_mean(NAMES[code]) and NAMES[code] not in lacking]
    if not counted:
        return None
    both, either, true = np.moveaxis(found[:, there], 2, 0)
    draws = drawn_ratios(both, either, blocks, seed)
    ious = both.sum(axis=0) / either.sum(axis=0)
    # A draw without one picture that has a label says nothing of it.
    means = np.nanmean(draws[:, counted], axis=1)
    figures = {
        NAMES[code]: Figure(
            float(ious[at]), _ends(draws[:, at]), int(true[:, at].sum()), int(np.count_nonzero(true[:, at]))
        )
        for at, code in enumerate(there)
    }
    return LabelScore(float(ious[counted].mean()), _ends(means), figures, _confusion(pictures), lacking)


@dataclass(frozen=True)
class Change:
    """By how much an IOU grew, as shares of 1, and the interval of that."""

    change: float
    ci: Interval


def changes(
    before: Sequence[Counts], now: Sequence[Counts], blocks: Sequence[int], seed: int = 0
) -> tuple[Change, dict[str, Change]] | None:
    """The change of the mean IOU of two networks on the same pictures, and of each label in it; None without any.

    Both are drawn together. An interval of the mean is of 95 %; those of the labels are wider, so that with 95 % all of
    them hold at once: the label that lost most is chosen from many.
    """
    codes = [code for code in range(len(LABELS)) if in_mean(LABELS[code])]
    pairs = [np.array([[overlap(one, code) for code in codes] for one in side]) for side in (before, now)]
    there = [at for at in range(len(codes)) if pairs and all(side.size and side[:, at, 2].any() for side in pairs)]
    if not there:
        return None
    old, new = (side[:, there] for side in pairs)
    both, either = (np.concatenate([old[..., which], new[..., which]], axis=1) for which in (0, 1))
    draws = drawn_ratios(both, either, blocks, seed)
    ious = both.sum(axis=0) / either.sum(axis=0)
    count = len(there)
    grown, drawn = ious[count:] - ious[:count], draws[:, count:] - draws[:, :count]
    names = [LABELS[codes[at]] for at in there]
    labels = {name: Change(float(grown[at]), _ends(drawn[:, at], 0.05 / count)) for at, name in enumerate(names)}
    return Change(float(grown.mean()), _ends(np.nanmean(drawn, axis=1))), labels


def _confusion(pictures: Sequence[Counts]) -> dict[str, dict[str, int]]:
    """Pixels by the name of their true class and of the found one; of a label that is open elsewhere in its picture, by
    the likeliest label."""
    whole = np.zeros((len(NAMES), len(NAMES)), np.int64)
    for picture in pictures:
        whole += picture.classes
        inner = sorted(code for code in picture.codes if code < len(LABELS) and code not in classes(picture.codes))
        whole[inner] += picture.labels[inner]
    return {
        NAMES[true]: {NAMES[found]: int(whole[true, found]) for found in np.flatnonzero(whole[true])}
        for true in np.flatnonzero(whole.any(axis=1))
    }


def _ends(draws: NDArray[np.floating], outside: float = 0.05) -> Interval:
    low, high = np.nanquantile(draws, [outside / 2, 1 - outside / 2])
    return float(low), float(high)
