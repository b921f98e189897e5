"""Pareto fronts of IOU against frames a second, and the recommended configuration. Pure functions of summaries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from devices.desktop.reference import NAME as REFERENCE
from devices.instructions import PLAIN
from devices.ratio import Ratio
from models.variant import VARIANTS
from reports.statistics import Interval, paired
from reports.summary import Scope, Summary

TOLERABLE_LOSS = 1.0
"""IOU points that a faster network may lose at most, with 95 % confidence, and still be recommended."""

FIT_IOU = 80.0
"""Percent. Below it no mask is usable, and nothing is recommended however fast it is."""

TRAINED_FOR_USE = tuple(name for name, one in VARIANTS.items() if name.startswith("live") and one.outputs == 1)
"""The networks for masks that were trained to be used; the others are an ablation."""


@dataclass(frozen=True)
class Point:
    """A configuration with a measured speed and an IOU: only these are on a Pareto chart."""

    summary: Summary
    fps: float
    """As measured; where a scope was measured in turns with a reference, the ratio times the reference's best FPS: so
    configurations compare though the machine was slower for some."""
    iou: float
    dominator: Summary | None = None
    """The configuration that is as accurate and shown to be faster; without ratios, one that is at least as good in
    both and better in one. None on the Pareto front."""
    fps_ci: Interval | None = None
    ratio: Ratio | None = None
    """That to the reference, which then decides and not `fps`."""

    @property
    def on_front(self) -> bool:
        return self.dominator is None

    @property
    def level(self) -> float:
        """IOU to the tenth of a point, as it is shown: runtimes that differ by rounding alone are equals in it."""
        return round(self.iou, 1)


@dataclass(frozen=True)
class Group:
    """Configurations that differ in their network alone."""

    scope: Scope
    runtime: str
    precision: str


@dataclass(frozen=True)
class Choice:
    """The recommended configuration of one scope, and the alternatives on the Pareto front."""

    scope: Scope
    recommended: Point
    loss: tuple[float, Interval] | None
    """IOU points against the most accurate and their interval, paired by picture; None when it is the most accurate."""
    front: tuple[Point, ...]
    """Fastest last."""
    best: Point
    """The most accurate on the Pareto front, and the fastest of several."""
    alike: tuple[Point, ...] = ()
    """Configurations as accurate as the recommended one, without a significant difference in speed."""

    @property
    def usable(self) -> bool:
        """Whether its IOU reaches FIT_IOU."""
        return self.recommended.iou >= FIT_IOU

    @property
    def most_accurate(self) -> Point:
        return self.best

    @property
    def fastest(self) -> Point:
        return self.front[-1]


def points(summaries: Iterable[Summary]) -> list[Point]:
    """Configurations that a device measured undisturbed, and whose own masks were scored.

    Beside ratios in a scope, what has none takes no part: FPS of other minutes do not compare.
    """
    found = [s for s in summaries if s.model is not None and s.iou is not None and not s.disturbed]
    quiet = quiet_fps(found)
    return [_point(s, quiet.get(s.scope)) for s in found if s.ratio or s.scope not in quiet]


def quiet_fps(summaries: Iterable[Summary]) -> dict[Scope, float]:
    """The reference's best FPS, of each scope in which a configuration was measured in turns with it."""
    best: dict[Scope, float] = {}
    for s in summaries:
        if s.ratio and s.reference_fps:
            best[s.scope] = max(s.reference_fps, best.get(s.scope, 0.0))
    return best


def _point(s: Summary, quiet: float | None) -> Point:
    assert s.model is not None
    assert s.iou is not None
    if quiet and s.ratio:
        return Point(s, quiet * s.ratio.times, s.iou, None, (quiet * s.ratio.low, quiet * s.ratio.high), s.ratio)
    return Point(s, s.model.fps, s.iou, None, s.model.fps_ci)


def times_as_fast(one: Summary, other: Summary) -> Ratio | None:
    """How many times as fast `one` is; None unless both were measured in turns with the reference."""
    if one.ratio and other.row.variant == REFERENCE:
        return one.ratio
    return one.ratio.over(other.ratio) if one.ratio and other.ratio else None


def fronts(points: Iterable[Point]) -> dict[Group, list[Point]]:
    """Dominance inside each device, runtime and precision."""
    groups: dict[Group, list[Point]] = defaultdict(list)
    for point in points:
        s = point.summary
        if not s.is_reference:
            groups[Group(s.scope, s.runtime, s.row.precision)].append(point)
    return {group: dominance(members) for group, members in groups.items()}


def scopes(points: Iterable[Point]) -> dict[Scope, list[Point]]:
    """Dominance across runtimes and precisions: what someone who may choose all of them looks at.

    The baseline is left out; PyTorch does not run on the target devices. Reference models are left out too.
    """
    groups: dict[Scope, list[Point]] = defaultdict(list)
    for point in points:
        if not point.summary.baseline and not point.summary.is_reference:
            groups[point.summary.scope].append(point)
    return {scope: dominance(members) for scope, members in groups.items()}


@dataclass(frozen=True)
class ReferenceComparison:
    """A reference model compared with the recommended configuration."""

    point: Point
    gain: tuple[float, Interval] | None
    """IOU points of ours minus the reference model's and their interval, paired by picture."""
    speed: Ratio | None
    """How many times as fast ours is; None unless both were measured in turns."""
    instructions: float | None = None
    """Our ARM instructions divided by the reference model's, no dot products; None unless both were counted."""


def reference_comparisons(choice: Choice, points: Iterable[Point]) -> list[ReferenceComparison]:
    """The reference models among `points` in the scope of `choice`, the most accurate first."""
    recommended = choice.recommended
    beside = [p for p in points if p.summary.is_reference and p.summary.scope == choice.scope]
    beside.sort(key=lambda p: p.iou, reverse=True)
    ours = recommended.summary.arm(PLAIN)

    def beside_ours(p: Point) -> ReferenceComparison:
        theirs = p.summary.arm(PLAIN)
        share = ours / theirs if ours and theirs else None
        speed = times_as_fast(recommended.summary, p.summary)
        return ReferenceComparison(p, paired(p.summary.ious, recommended.summary.ious), speed, share)

    return list(map(beside_ours, beside))


def dominance(points: Sequence[Point]) -> list[Point]:
    """The same points, each that is dominated with the dominator on the Pareto front that is its best substitute.

    Of several dominators the most accurate is named, then the fastest: the one a reader would take instead. Points
    that are equal in both stand side by side.
    """
    front = [p for p in points if not any(_dominates(q, p) for q in points)]
    best_first = sorted(front, key=lambda p: (p.level, p.fps), reverse=True)
    named = []
    for p in points:
        dominator = next((q.summary for q in best_first if _dominates(q, p)), None)
        named.append(replace(p, dominator=dominator))
    return named


def _dominates(a: Point, b: Point) -> bool:
    if a.ratio and b.ratio:
        return a.level >= b.level and a.ratio.over(b.ratio).low > 1
    return a.fps >= b.fps and a.level >= b.level and (a.fps > b.fps or a.level > b.level)


def choose(scope: Scope, points: Sequence[Point], tolerable: float = TOLERABLE_LOSS) -> Choice:
    """Recommend the fastest configuration whose IOU is at most `tolerable` points below the most accurate one's.

    The 95 % interval of the difference, paired by picture, must lie above -tolerable. With too few pictures for that
    the most accurate configuration is recommended: missing evidence is no evidence of equality.
    """
    front = tuple(sorted((p for p in points if p.on_front), key=lambda p: p.fps))
    best = max(front, key=lambda p: (p.level, p.fps))
    fit = (p for p in reversed(front) if p.fps > best.fps and p.iou >= FIT_IOU)
    losses = ((point, paired(best.summary.ious, point.summary.ious)) for point in fit)
    recommended, loss = next(
        ((point, loss) for point, loss in losses if loss and loss[1][0] >= -tolerable), (best, None)
    )
    alike = (p for p in points if p is not recommended and p.level >= recommended.level and _overlap(p, recommended))
    return Choice(scope, recommended, loss, front, best, tuple(sorted(alike, key=lambda p: p.fps, reverse=True)))


def overlooked(variants: Iterable[str]) -> str:
    """What to say when none of the measured `variants` is one of TRAINED_FOR_USE, in a sentence; empty otherwise."""
    if set(variants) & set(TRAINED_FOR_USE):
        return ""
    *others, last = TRAINED_FOR_USE
    return (
        f"None of the networks that were trained to be used is among these: {', '.join(others)} and {last}; "
        "python bench.py --variants 'live*' measures them."
    )


def _overlap(a: Point, b: Point) -> bool:
    """Whether two speeds have no significant difference: 1 is in the interval of their ratio or, without ratios, the
    intervals of their FPS overlap; False without intervals."""
    if a.ratio and b.ratio:
        between = a.ratio.over(b.ratio)
        return between.low <= 1 <= between.high
    one, other = a.fps_ci, b.fps_ci
    return one is not None and other is not None and one[0] <= other[1] and other[0] <= one[1]
