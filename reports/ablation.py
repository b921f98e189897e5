"""Ablation: the effect of each change of the network, from pairs of variants that differ in it. Pure functions."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.variant import VARIANTS, Resolution
from reports.pareto import times_as_fast
from reports.statistics import Interval, mean_ci
from reports.summary import Scope, Summary


@dataclass(frozen=True)
class Change:
    """One field of a Variant, from one value to another."""

    field: str
    before: Any
    after: Any
    words: str


CHANGES = (
    Change("squeeze", 4, 16, "squeeze 4 → 16"),
    Change("squeeze", 4, 32, "squeeze 4 → 32"),
    Change("skips", False, True, "with skip connections"),
    Change("head", "subpixel", "dense-separable", "with the dense head"),
    Change("head", "subpixel", "half", "with the half-resolution head"),
    Change("previous_mask", False, True, "with the previous mask"),
)


@dataclass(frozen=True)
class Grid:
    """Rows whose differences are the network's: all else is equal."""

    scope: Scope
    runtime: str
    precision: str
    resolution: Resolution
    evidence: str


@dataclass(frozen=True)
class Pair:
    before: str
    after: str
    iou: float
    """Difference of the mean IOU, in points."""
    speed: float | None
    """FPS after / FPS before; None unless both were measured."""


@dataclass(frozen=True)
class Effect:
    """One change over all the pairs that show it, the rest of the variant being the same inside a pair."""

    change: Change
    pairs: tuple[Pair, ...]
    pictures: int
    iou: float
    """IOU points gained, the mean of the pairs."""
    iou_ci: Interval
    """95 %, paired by picture. It covers the choice of pictures, not another training of the same networks."""
    speed: float | None
    """Geometric mean of the pairs' speed ratios; below 1 is slower."""

    @property
    def speed_range(self) -> Interval | None:
        ratios = [p.speed for p in self.pairs if p.speed is not None]
        return (min(ratios), max(ratios)) if ratios else None


def ablation(summaries: Iterable[Summary]) -> dict[Grid, list[Effect]]:
    """Every change that has a pair, for each grid. Measured and emulated rows make grids of their own."""
    grids: dict[Grid, dict[str, Summary]] = defaultdict(dict)
    for s in summaries:
        if s.iou is not None and s.ious:
            grids[Grid(s.scope, s.runtime, s.row.precision, s.row.resolution, s.row.evidence)][s.row.variant] = s
    effects = {grid: [e for change in CHANGES if (e := effect(change, rows))] for grid, rows in grids.items()}
    return {grid: found for grid, found in effects.items() if found}


def _speed(a: Summary, b: Summary) -> float | None:
    """How many times as fast `b` is as `a`: both in turns with the reference, or both by their FPS."""
    if a.paired or b.paired:
        found = times_as_fast(b, a)
        return found.times if found else None
    return b.model.fps / a.model.fps if a.model and b.model else None


def effect(change: Change, rows: Mapping[str, Summary]) -> Effect | None:
    """One change over the variants in `rows` (name -> summary); None when no pair shows it.

    Only pictures that every pair scored count, so that all pairs speak of the same ones.
    """
    masks = (name for name in rows if name in VARIANTS and VARIANTS[name].outputs == 1)
    names = {VARIANTS[name]: name for name in masks}
    found = [
        (rows[names[variant]], rows[names[other]])
        for variant in names
        if getattr(variant, change.field) == change.before
        and (other := replace(variant, **{change.field: change.after})) in names
    ]
    pictures = [p for p in found[0][0].ious if all(p in s.ious for pair in found for s in pair)] if found else []
    if len(pictures) < 2:
        return None
    differences = {p: sum(b.ious[p] - a.ious[p] for a, b in found) / len(found) for p in pictures}
    iou, iou_ci = mean_ci(differences)
    pairs = tuple(
        Pair(
            a.row.variant,
            b.row.variant,
            sum(b.ious[p] - a.ious[p] for p in pictures) / len(pictures),
            _speed(a, b),
        )
        for a, b in found
    )
    ratios = [p.speed for p in pairs if p.speed is not None]
    speed = math.exp(sum(map(math.log, ratios)) / len(ratios)) if ratios else None
    return Effect(change, pairs, len(pictures), iou, iou_ci, speed)
