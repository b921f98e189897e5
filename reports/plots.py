"""Charts as inline SVG: text stays text, and every colour is a variable of the page, so that it follows light and dark.

One code everywhere: colour is the runtime, shape is the precision, a filled mark was measured, a hollow one was not.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from reports.ablation import Effect, Grid
from reports.arm import Tally
from reports.pareto import Point
from reports.statistics import FRAME_MS, Interval
from reports.summary import RUNTIMES, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that stand for a variable of the page's style sheet, and are replaced by it.
INK, FAINT, RULE, PAPER, BAD = "#010101", "#020202", "#030303", "#040404", "#060606"
COLOURS = {RUNTIMES[f]: f"#0500{i:02x}" for i, f in enumerate(RUNTIMES, start=1)}
OTHER = "#0500ff"
_VARIABLES = {
    INK: "var(--ink)",
    FAINT: "var(--faint)",
    RULE: "var(--rule)",
    PAPER: "var(--paper)",
    BAD: "var(--bad)",
} | {colour: f"var(--runtime-{i})" for i, colour in enumerate([*COLOURS.values(), OTHER], start=1)}
WIDTH = 500
"""Pixels of a chart of which two stand side by side, or one on a phone."""

SHAPES = {"fp32": "o", "fp16": "s", "int8": "^"}

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": RULE,
    "axes.labelcolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": RULE,
    "ytick.color": RULE,
    "xtick.labelcolor": FAINT,
    "ytick.labelcolor": FAINT,
    "xtick.minor.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
}


class Chart:
    """Axes of a given size that remember what each mark has to say when pointed at."""

    def __init__(self, name: str, width: float, height: float, left: float = 58) -> None:
        """All in pixels; `left` is the room for what stands at the vertical axis."""
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        self.name = name
        self.groups: dict[str, tuple[str, Summary | None]] = {}
        right, top, bottom = 10, 8, 48
        with rc_context(_STYLE):
            self.figure: Figure = Figure(figsize=(width / 100, height / 100), dpi=100)
            box = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
            self.axes: Axes = self.figure.add_axes(box)

    def group(self, of: Summary | None, text: str = "") -> str:
        """A group id for what shows `of` and is hidden with it by the page's filters.

        With `text` it is a mark, which says that when pointed at, and to a screen reader.
        """
        key = f"group-{len(self.groups)}"
        self.groups[key] = text, of
        return key

    def svg(self, label: str) -> str:
        """`label` says in a sentence what the chart shows."""
        from matplotlib import rc_context

        stream = io.StringIO()
        with rc_context({**_STYLE, "svg.hashsalt": self.name}):
            self.figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        return _inline(stream.getvalue(), self.groups, label)


JOINED = "joined"
"""The id of a Pareto front's line, which is not drawn while a filter leaves out some of its marks."""


def _inline(svg: str, groups: Mapping[str, tuple[str, Summary | None]], label: str) -> str:
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    box = re.search(r'viewBox="([^"]+)"', svg)
    assert box
    drawing = svg[svg.index(">", box.end()) + 1 :]
    svg = f'<svg viewBox="{box[1]}" role="img" aria-label="{html.escape(label)}">{drawing}'
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    for key, (text, of) in groups.items():
        data = "".join(f' {name}="{html.escape(value)}"' for name, value in (of.attributes if of else {}).items())
        mark = f'<g class="mark"{data}><title>{html.escape(text)}</title>' if text else f"<g{data}>"
        svg = svg.replace(f'<g id="{key}">', mark)
    svg = svg.replace(f'<g id="{JOINED}">', f'<g class="{JOINED}">')
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    # Ids of several charts would collide in one page; those that nothing points at go.
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", svg))
    return re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", svg)


def colour(s: Summary) -> str:
    return COLOURS.get(s.runtime, OTHER)


def shape(s: Summary) -> str:
    return SHAPES.get(s.row.precision, "D")


@dataclass(frozen=True)
class Mark:
    """A configuration in a scatter chart of IOU: `x` is a speed or a count."""

    summary: Summary
    x: float
    iou: float
    best: bool
    """On the Pareto front of its group: filled, joined to the others there, labelled."""
    says: str
    x_interval: Interval | None = None


def pareto(
    name: str,
    groups: Sequence[Sequence[Point]],
    width: int,
    height: int,
    limits: Limits,
    references: Sequence[Point] = (),
) -> str:
    """IOU against FPS with whiskers of both intervals; each group's Pareto front is joined and labelled.

    `references` are labelled stars outside the Pareto fronts.
    """

    def mark(point: Point) -> Mark:
        s = point.summary
        verdict = f"dominated by {point.dominator.name}" if point.dominator else "on the Pareto front"
        says = f"{point.fps:.0f} FPS, IOU {point.iou:.1f} %"
        says = f"{s.name}, a reference model: {says}" if s.is_reference else f"{s.name}: {says}; {verdict}"
        return Mark(s, point.fps, point.iou, point.on_front, says, point.fps_ci)

    chart = Chart(name, width, height)
    marks = [[mark(p) for p in group] for group in groups]
    best = _scatter(chart, marks, limits, [mark(p) for p in references], _steps)
    if limits[0][0] < 30 < limits[0][1]:
        chart.axes.axvline(30, color=FAINT, linewidth=1, linestyle=":")
    chart.axes.set_xlabel("model FPS (log scale) →")
    count = sum(map(len, groups))
    return chart.svg(f"IOU against frames a second for {count} configurations; {best} are on the Pareto front.")


def counted(name: str, tallies: Sequence[Tally], references: Sequence[Tally], limits: Limits, what: str) -> str:
    """IOU against ARM instructions, fewer to the left: a count, so it has no interval. `what` says of which core."""

    def mark(tally: Tally) -> Mark:
        s = tally.summary
        verdict = f"dominated by {tally.dominator.name}" if tally.dominator else "on the Pareto front"
        says = f"{tally.instructions:.1f} M instructions, IOU {tally.iou:.1f} %"
        says = f"{s.name}, a reference model: {says}" if s.is_reference else f"{s.name}: {says}; {verdict}"
        return Mark(s, tally.instructions, tally.iou, tally.dominator is None, says)

    chart = Chart(name, WIDTH, 400)
    best = _scatter(chart, [[mark(t) for t in tallies]], limits, [mark(t) for t in references])
    chart.axes.set_xlabel("← million ARM instructions an inference (log scale)")
    return chart.svg(f"IOU against {what} for {len(tallies)} artifacts; {best} are on the Pareto front. It is no time.")


def _scatter(
    chart: Chart,
    groups: Sequence[Sequence[Mark]],
    limits: Limits,
    references: Sequence[Mark],
    joined: Callable[[Sequence[Mark]], Sequence[Mark]] = lambda front: front,
) -> int:
    """Draw the marks of `groups` and of `references`; returns how many are on a Pareto front.

    `joined` takes a front's marks from left to right and gives those that its line joins.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.ticker import NullFormatter

    ax = chart.axes
    ax.set_xscale("log")
    marks = [mark for group in groups for mark in group]
    for mark in (*marks, *references):
        s = mark.summary
        # One object for both: a page has hundreds of marks, and `errorbar` makes a dozen objects for each.
        whiskers = LineCollection(
            _whiskers(mark), colors=colour(s), linewidths=1, alpha=0.55 if mark.best else 0.18, gid=chart.group(s)
        )
        ax.add_collection(whiskers, autolim=False)
        if s.is_reference:
            ax.plot(
                [mark.x],
                [mark.iou],
                "*",
                markersize=11,
                mfc=PAPER,
                mec=colour(s),
                zorder=4,
                gid=chart.group(s, mark.says),
            )
            continue
        ax.plot(
            [mark.x],
            [mark.iou],
            shape(s),
            markersize=8 if mark.best else 5.5,
            markerfacecolor=colour(s) if mark.best else PAPER,
            markeredgecolor=colour(s),
            alpha=1 if mark.best else 0.75,
            zorder=4 if mark.best else 3,
            gid=chart.group(s, mark.says),
        )
    fronts = [sorted((mark for mark in group if mark.best), key=lambda mark: mark.x) for group in groups]
    for front in map(joined, fronts):
        xs, ious = [m.x for m in front], [m.iou for m in front]
        ax.plot(xs, ious, color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=2, gid=JOINED)
    ax.set_xlim(limits[0])
    ax.set_ylim(limits[1])
    ax.set_xticks(_ticks(*limits[0]))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylabel("IOU, % →")
    best = [mark for front in fronts for mark in front]
    several = len({mark.summary.row.precision for mark in marks}) > 1
    names = [f"{m.summary.row.variant} {m.summary.row.precision if several else ''}".strip() for m in best]
    labels = [(m, name) for m, name in zip(best, names, strict=True)]
    labels += [(m, m.summary.row.variant) for m in references]
    _label(chart, labels, [(m.x, m.iou) for m in (*marks, *references)])
    return len(best)


def _steps(front: Sequence[Mark]) -> list[Mark]:
    """Those that no mark farther right is above: where two have no significant difference in speed, both are on the
    Pareto front, and its line has no dent."""
    kept: list[Mark] = []
    for mark in reversed(front):
        if not kept or mark.iou > kept[-1].iou:
            kept.append(mark)
    return kept[::-1]


Limits = tuple[Interval, Interval]


def limits(points: Sequence[Point]) -> Limits:
    """(FPS range, IOU range) that hold all `points` with room, so that several charts share their axes."""
    return _limits([(p.fps, p.summary, p.iou) for p in points])


def count_limits(tallies: Sequence[Tally]) -> Limits:
    """(range of instructions in millions, IOU range) that hold all `tallies` with room."""
    return _limits([(t.instructions, t.summary, t.iou) for t in tallies])


def _limits(found: Sequence[tuple[float, Summary, float]]) -> Limits:
    xs = [x for x, _, _ in found]
    iou = [edge for _, s, iou in found for edge in (iou, *(s.iou_ci or ()))]
    room = max(0.3, 0.05 * (max(iou) - min(iou)))
    return (min(xs) * 0.75, max(xs) * 1.45), (min(iou) - room, min(100, max(iou) + room))


def latency(name: str, summaries: Sequence[Summary], longest: float) -> str:
    """For each configuration: the median as a mark, the middle 80 % as a band, up to p99 as a line; `longest` in ms."""
    names = [f"{s.row.variant} {s.row.precision}" for s in summaries]
    chart = Chart(name, WIDTH, 70 + 17 * len(names), _room(names))
    ax = chart.axes
    for y, s in enumerate(summaries):
        assert s.model is not None
        ax.plot([s.model.p50, s.model.p99], [y, y], color=colour(s), linewidth=1, gid=chart.group(s))
        band = [_p10(s.row.timing["model_ns"]), s.model.p90]
        ax.plot(band, [y, y], color=colour(s), linewidth=5, alpha=0.4, solid_capstyle="butt", gid=chart.group(s))
        says = f"{s.name}: p50 {s.model.p50:.2f}, p90 {s.model.p90:.2f}, p99 {s.model.p99:.2f} ms"
        ax.plot([s.model.p50], [y], shape(s), color=colour(s), markersize=5, gid=chart.group(s, says))
    _rows(ax, names)
    ax.set_xlim(0, longest * 1.05)
    if longest > FRAME_MS * 0.8:
        ax.axvline(FRAME_MS, color=FAINT, linewidth=1, linestyle=":")
    ax.set_xlabel("← milliseconds a frame, model alone")
    return chart.svg(f"Distribution of frame times of {len(summaries)} configurations.")


def sustained(name: str, summaries: Sequence[Summary]) -> str:
    """FPS of the network alone over minutes of load, a line a configuration."""
    chart = Chart(name, 2 * WIDTH, 320)
    ax = chart.axes
    for s in summaries:
        minutes, fps = zip(*((b.start / 60, b.fps) for b in s.sustained), strict=True)
        says = f"{s.name}: {fps[0]:.0f} FPS at first, {fps[-1]:.0f} at last"
        ax.plot(minutes, fps, color=colour(s), linewidth=1.6, gid=chart.group(s, says))
        ax.plot(minutes[-1:], fps[-1:], shape(s), color=colour(s), markersize=5, gid=chart.group(s, says))
    ax.set_ylim(0, 1.15 * max(b.fps for s in summaries for b in s.sustained))
    ends = [Mark(s, s.sustained[-1].start / 60, s.sustained[-1].fps, True, "") for s in summaries]
    _label(chart, [(mark, f"{mark.summary.row.variant} {mark.summary.row.precision}") for mark in ends], [])
    ax.set_xlabel("minutes under load")
    ax.set_ylabel("model FPS →")
    return chart.svg(f"Frames a second of {len(summaries)} configurations over minutes of load.")


def _p10(ns: Sequence[int]) -> float:
    import numpy as np

    return float(np.percentile(ns, 10)) / 1e6


def effects(name: str, grids: Mapping[Grid, Sequence[Effect]], what: Literal["IOU", "speed"]) -> str:
    """What each change does to IOU (with its interval) or to speed (with the range of its pairs), a lane a grid."""
    words = list(dict.fromkeys(e.change.words for effects in grids.values() for e in effects))
    chart = Chart(name, WIDTH, 70 + len(words) * (24 + 9 * len(grids)), _room(words))
    ax = chart.axes
    for lane, (grid, found) in enumerate(grids.items()):
        tint, form = COLOURS.get(grid.runtime, OTHER), SHAPES.get(grid.precision, "D")
        fill = tint if grid.evidence == "measured" else PAPER
        for e in found:
            value, span = (e.iou, e.iou_ci) if what == "IOU" else (e.speed, e.speed_range)
            if value is None or span is None:
                continue
            y = words.index(e.change.words) + 0.72 * ((lane + 0.5) / len(grids) - 0.5)
            amount = f"{value:+.2f} IOU points" if what == "IOU" else f"{value:.2f} times the FPS"
            says = f"{grid.runtime} {grid.precision}, {grid.evidence}: {e.change.words}, {amount}"
            ax.plot(span, [y, y], color=tint, linewidth=1.2)
            ax.plot([value], [y], form, mfc=fill, mec=tint, markersize=6, gid=chart.group(None, says))
    ax.axvline(0 if what == "IOU" else 1, color=FAINT, linewidth=1)
    _rows(ax, words)
    ax.set_xlabel("IOU, points (95 % interval) →" if what == "IOU" else "times the FPS (range of the pairs) →")
    return chart.svg(f"Effect of {len(words)} changes on {what}.")


def costs(name: str, summaries: Sequence[Summary], what: Literal["size", "peak memory"]) -> str:
    """Megabytes of each variant, a lane a runtime."""
    amounts = [(s, s.size_mb if what == "size" else s.peak_mb) for s in summaries]
    shown = [(s, amount) for s, amount in amounts if amount is not None]
    variants = list(dict.fromkeys(s.row.variant for s, _ in shown))
    runtimes = list(dict.fromkeys(s.runtime for s, _ in shown))
    chart = Chart(name, WIDTH, 70 + 26 * len(variants), _room(variants))
    ax = chart.axes
    for s, amount in shown:
        y = variants.index(s.row.variant) + 0.6 * ((runtimes.index(s.runtime) + 0.5) / len(runtimes) - 0.5)
        fill = colour(s) if s.measured else PAPER
        mark = chart.group(s, f"{s.name}: {what} {amount:.2f} MB")
        ax.plot([amount], [y], shape(s), mfc=fill, mec=colour(s), markersize=5, gid=mark, clip_on=False)
    _rows(ax, variants)
    ax.set_xlim(left=0)
    ax.set_xlabel(f"← {what}, MB")
    return chart.svg(f"{what.capitalize()} of {len(variants)} variants.")


def _room(names: Sequence[str]) -> float:
    """Pixels that the longest of `names` takes at an axis."""
    return 16 + 7.6 * max((len(_short(name)) for name in names), default=0)


def _short(name: str) -> str:
    """A name as a chart can take it: not endless, and its dollars no mathematics."""
    return (name if len(name) <= 30 else f"{name[:29]}…").replace("$", r"\$")


def _rows(ax: Axes, names: Sequence[str]) -> None:
    """One line of the chart for each name, the first on top, with a rule between neighbours."""
    ax.set_yticks(range(len(names)), list(map(_short, names)))
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", visible=False)
    for y in range(1, len(names)):
        ax.axhline(y - 0.5, color=RULE, linewidth=0.6)


def _whiskers(mark: Mark) -> list[list[tuple[float, float]]]:
    """The lines of both intervals. A median's interval may leave the point out by a rounding."""
    x, y = _around(mark.x, mark.x_interval), _around(mark.iou, mark.summary.iou_ci)
    return [[(end, mark.iou) for end in x], [(mark.x, end) for end in y]]


def _around(value: float, interval: Interval | None) -> Interval:
    low, high = interval or (value, value)
    return min(low, value), max(high, value)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2, 3, 5 times a power of ten) inside a range."""
    steps = [step * 10.0**power for power in range(-2, 6) for step in (1, 2, 3, 5)]
    return [step for step in steps if low <= step <= high]


def _label(chart: Chart, labels: Iterable[tuple[Mark, str]], marks: Sequence[tuple[float, float]]) -> None:
    """Write each label beside its mark, on the side that hides the fewest marks and labels, or nowhere."""
    from matplotlib.transforms import Bbox

    ax = chart.axes
    marked = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in ax.transData.transform(list(marks))] if marks else []
    written: list[Bbox] = []
    for mark, name in labels:
        x, y = mark.x, mark.iou
        text = _short(name)
        at = ax.transData.transform((x, y))
        width, height = 6.6 * len(text), 13
        sides = [
            (7, 5, "left", "bottom"),
            (9, -height / 2, "left", "center"),
            (-7 - width, -5 - height, "right", "top"),
            (-9 - width, -height / 2, "right", "center"),
            (7, -5 - height, "left", "top"),
            (-7 - width, 5, "right", "bottom"),
        ]

        def hidden(
            side: tuple[float, float, str, str], at: Any = at, size: tuple[float, float] = (width, height)
        ) -> int:
            box = Bbox.from_bounds(at[0] + side[0], at[1] + side[1], *size)
            inside = ax.bbox.contains(box.x0, box.y0) and ax.bbox.contains(box.x1, box.y1)
            return sum(map(box.overlaps, marked)) + 4 * sum(map(box.overlaps, written)) + (0 if inside else 4)

        side = min(sides, key=hidden)
        if hidden(side) >= 4:
            continue  # a label that hides others tells less than none; the mark still says its name
        dx, dy, ha, va = side
        written.append(Bbox.from_bounds(at[0] + dx, at[1] + dy, width, height))
        anchor = {"left": dx, "right": dx + width, "center": 0}[ha], {"center": 0, "bottom": dy, "top": dy + height}[va]
        # Points are 72 to the inch, the figure's pixels 100.
        offset = (anchor[0] * 0.72, anchor[1] * 0.72)
        ax.annotate(
            text,
            (x, y),
            offset,
            textcoords="offset points",
            ha=ha,
            va=va,
            color=INK,
            fontsize=8.5,
            zorder=5,
            gid=chart.group(mark.summary),
        )
