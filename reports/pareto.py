"""Which cells are worth shipping: IOU against frames a second, and who beats whom. Pure functions of summaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from devices.instructions import PLAIN
from models.variant import VARIANTS
from reports.statistics import Interval, paired
from reports.summary import Scope, Summary

TOLERABLE_LOSS = 1.0
"""IOU points that a faster network may be shown to lose, at most, and still be the one to ship."""

FIT_IOU = 80.0
"""Percent. Below it a mask is no use to anybody, and nothing is recommended however fast it is."""

TO_SHIP = tuple(name for name in VARIANTS if name.startswith("live"))
"""The networks that were trained to be used; the others are an ablation."""


@dataclass(frozen=True)
class Point:
    """A cell with a speed and an accuracy of its own: the only thing that may stand on a Pareto page."""

    summary: Summary
    fps: float
    iou: float
    dominator: Summary | None = None
    """The cell that is at least as good in both and better in one; None on the front."""

    @property
    def on_front(self) -> bool:
        return self.dominator is None

    @property
    def level(self) -> float:
        """IOU to the tenth of a point, as it is shown: runtimes that differ by rounding alone are equals in it."""
        return round(self.iou, 1)


@dataclass(frozen=True)
class Group:
    """Cells one of which can be called better than another for its network alone."""

    scope: Scope
    runtime: str
    precision: str


@dataclass(frozen=True)
class Choice:
    """What to ship in one scope, and what the neighbours on the front would give instead."""

    scope: Scope
    ship: Point
    loss: tuple[float, Interval] | None
    """IOU points against the most accurate and their interval, paired by picture; None when it is the most accurate."""
    front: tuple[Point, ...]
    """Fastest last."""
    alike: tuple[Point, ...] = ()
    """Cells as accurate as the one to ship, not told apart from it in speed by one run: the intervals overlap."""

    @property
    def fit(self) -> bool:
        """Whether it is worth shipping at all."""
        return self.ship.iou >= FIT_IOU

    @property
    def most_accurate(self) -> Point:
        return self.front[0]

    @property
    def fastest(self) -> Point:
        return self.front[-1]


def points(summaries: Iterable[Summary]) -> list[Point]:
    """Cells that a device measured and whose own masks were scored. The others have no place here."""
    return [Point(s, s.model.fps, s.iou) for s in summaries if s.model is not None and s.iou is not None]


def fronts(points: Iterable[Point]) -> dict[Group, list[Point]]:
    """Dominance inside each device, runtime and precision."""
    groups: dict[Group, list[Point]] = defaultdict(list)
    for point in points:
        s = point.summary
        if not s.peer:
            groups[Group(s.scope, s.runtime, s.row.precision)].append(point)
    return {group: dominance(members) for group, members in groups.items()}


def scopes(points: Iterable[Point]) -> dict[Scope, list[Point]]:
    """Dominance across runtimes and precisions: what someone who may choose all of them looks at.

    The baseline is left out; PyTorch is not what goes on a device. So are peers: they are not ours to ship.
    """
    groups: dict[Scope, list[Point]] = defaultdict(list)
    for point in points:
        if not point.summary.baseline and not point.summary.peer:
            groups[point.summary.scope].append(point)
    return {scope: dominance(members) for scope, members in groups.items()}


@dataclass(frozen=True)
class Rival:
    """A peer beside the cell to ship."""

    point: Point
    gain: tuple[float, Interval] | None
    """IOU points of ours over the peer's and their interval, paired by picture."""
    speed: float
    """Our FPS over the peer's."""
    instructions: float | None = None
    """Our ARM instructions over the peer's, on a core without dot products; None where either was not counted."""


def rivals(choice: Choice, points: Iterable[Point]) -> list[Rival]:
    """The peers among `points` that ran where the choice was made, the most accurate first."""
    ship = choice.ship
    beside = [p for p in points if p.summary.peer and p.summary.scope == choice.scope]
    beside.sort(key=lambda p: p.iou, reverse=True)
    ours = ship.summary.arm(PLAIN)

    def beside_ours(p: Point) -> Rival:
        theirs = p.summary.arm(PLAIN)
        share = ours / theirs if ours and theirs else None
        return Rival(p, paired(p.summary.ious, ship.summary.ious), ship.fps / p.fps, share)

    return list(map(beside_ours, beside))


def dominance(points: Sequence[Point]) -> list[Point]:
    """The same points, each that is dominated naming the dominator on the front that gives it the most.

    Of several dominators the most accurate is named, then the fastest: the one a reader would take instead. Points
    that are equal in both stand side by side.
    """
    front = [p for p in points if not any(_beats(q, p) for q in points)]
    best_first = sorted(front, key=lambda p: (p.level, p.fps), reverse=True)
    named = []
    for p in points:
        dominator = next((q.summary for q in best_first if _beats(q, p)), None)
        named.append(Point(p.summary, p.fps, p.iou, dominator))
    return named


def _beats(a: Point, b: Point) -> bool:
    return a.fps >= b.fps and a.level >= b.level and (a.fps > b.fps or a.level > b.level)


def choose(scope: Scope, points: Sequence[Point], tolerable: float = TOLERABLE_LOSS) -> Choice:
    """The fastest cell whose IOU is shown to be at most `tolerable` points below the most accurate one's.

    Shown means the 95 % interval of the difference, paired by picture, lies above -tolerable. With too few pictures
    to show it, the most accurate cell is chosen: the rule never mistakes missing evidence for equality.
    """
    front = tuple(sorted((p for p in points if p.on_front), key=lambda p: p.fps))
    best = front[0]
    fit = (p for p in reversed(front[1:]) if p.iou >= FIT_IOU)
    losses = ((point, paired(best.summary.ious, point.summary.ious)) for point in fit)
    ship, loss = next(((point, loss) for point, loss in losses if loss and loss[1][0] >= -tolerable), (best, None))
    alike = (p for p in points if p is not ship and p.level >= ship.level and _overlap(p, ship))
    return Choice(scope, ship, loss, front, tuple(sorted(alike, key=lambda p: p.fps, reverse=True)))


def overlooked(variants: Iterable[str]) -> str:
    """What to say when none of the measured `variants` is one of TO_SHIP, in a sentence; empty otherwise."""
    if set(variants) & set(TO_SHIP):
        return ""
    *others, last = TO_SHIP
    return (
        f"None of the networks that were trained to be used is among these: {', '.join(others)} and {last}; "
        "python bench.py --variants 'live*' measures them."
    )


def _overlap(a: Point, b: Point) -> bool:
    """Whether the intervals of two speeds have a point in common; without intervals nobody knows, so they do not."""
    one, other = (p.summary.model.fps_ci if p.summary.model else None for p in (a, b))
    return one is not None and other is not None and one[0] <= other[1] and other[0] <= one[1]
