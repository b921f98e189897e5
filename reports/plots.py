"""Charts as inline SVG: text stays text, and every colour is a variable of the page, so that it follows light and dark.

One code everywhere: colour is the runtime, shape is the precision, a filled mark was measured, a hollow one was not.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from models.variant import VARIANTS
from reports.ablation import Effect, Grid
from reports.pareto import Point
from reports.statistics import FRAME_MS, Interval
from reports.summary import RUNTIMES, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colours that stand for a variable of the page's style sheet, and are replaced by it.
INK, FAINT, RULE, PAPER = "#010101", "#020202", "#030303", "#040404"
COLOURS = {RUNTIMES[f]: f"#0500{i:02x}" for i, f in enumerate(RUNTIMES, start=1)}
OTHER = "#0500ff"
_VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", RULE: "var(--rule)", PAPER: "var(--paper)"} | {
    colour: f"var(--runtime-{i})" for i, colour in enumerate([*COLOURS.values(), OTHER], start=1)
}
SHAPES = {"fp32": "o", "fp16": "s", "int8": "^"}

_STYLE = {
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
    """A figure that remembers what each mark has to say when pointed at."""

    def __init__(self, name: str, width: float, height: float) -> None:
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        self.name = name
        self.tips: dict[str, str] = {}
        with rc_context(_STYLE):
            self.figure: Figure = Figure(figsize=(width / 100, height / 100), dpi=100, layout="constrained")

    def axes(self, columns: int = 1, **options: Any) -> list[Axes]:
        from matplotlib import rc_context

        with rc_context(_STYLE):
            return list(self.figure.subplots(1, columns, squeeze=False, **options)[0])

    def tip(self, text: str) -> str:
        """A group id for a mark; the mark says `text` when pointed at, and to a screen reader."""
        key = f"tip-{len(self.tips)}"
        self.tips[key] = text
        return key

    def svg(self, label: str) -> str:
        """`label` says in a sentence what the chart shows."""
        from matplotlib import rc_context

        stream = io.StringIO()
        with rc_context({**_STYLE, "svg.hashsalt": self.name}):
            self.figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        return _inline(stream.getvalue(), self.tips, label)


def _inline(svg: str, tips: Mapping[str, str], label: str) -> str:
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = re.sub(r'<svg [^>]*viewBox="([^"]+)"[^>]*>', rf'<svg viewBox="\1" role="img" aria-label="{html.escape(label)}">', svg, count=1)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, variable)
    for key, text in tips.items():
        svg = svg.replace(f'<g id="{key}">', f'<g class="mark"><title>{html.escape(text)}</title>')
    svg = re.sub(r"font: ([\d.]+px) [^;\"]+", r"font-size: \1", svg)
    # Ids of several charts would collide in one page; those that nothing points at go.
    used = set(re.findall(r"(?:url\(|href=\")#([^)\"]+)", svg))
    return re.sub(r' id="([^"]+)"', lambda m: m[0] if m[1] in used else "", svg)


def colour(s: Summary) -> str:
    return COLOURS.get(s.runtime, OTHER)


def shape(s: Summary) -> str:
    return SHAPES.get(s.row.precision, "D")


def pareto(name: str, points: Sequence[Point], width: int, height: int, limits: Limits | None = None) -> str:
    """IOU against FPS with whiskers of both intervals; the front is joined and labelled, the dominated are hollow."""
    from matplotlib.ticker import NullFormatter

    chart = Chart(name, width, height)
    (ax,) = chart.axes()
    ax.set_xscale("log")
    for point in points:
        s = point.summary
        assert s.model is not None
        ax.errorbar(
            point.fps,
            point.iou,
            xerr=_whisker(point.fps, s.model.fps_ci),
            yerr=_whisker(point.iou, s.iou_ci),
            fmt="none",
            ecolor=colour(s),
            elinewidth=1,
            alpha=0.55 if point.on_front else 0.18,
        )
        verdict = "on the front" if point.on_front else f"beaten by {point.dominator.name}" if point.dominator else ""
        ax.plot(
            [point.fps],
            [point.iou],
            shape(s),
            markersize=8 if point.on_front else 5.5,
            markerfacecolor=colour(s) if point.on_front else PAPER,
            markeredgecolor=colour(s),
            alpha=1 if point.on_front else 0.75,
            zorder=4 if point.on_front else 3,
            gid=chart.tip(f"{s.name}: {point.fps:.0f} FPS, IOU {point.iou:.1f} %; {verdict}"),
        )
    front = sorted((p for p in points if p.on_front), key=lambda p: p.fps)
    ax.plot([p.fps for p in front], [p.iou for p in front], color=FAINT, linewidth=1, linestyle=(0, (4, 3)), zorder=2)
    if limits:
        ax.set_xlim(limits[0])
        ax.set_ylim(limits[1])
    else:
        ax.margins(x=0.14, y=0.1)
    ax.set_xticks(_ticks(*ax.get_xlim()))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(NullFormatter())
    if ax.get_xlim()[0] < 30 < ax.get_xlim()[1]:
        ax.axvline(30, color=FAINT, linewidth=1, linestyle=":")
    ax.set_xlabel("model FPS (log scale) →")
    ax.set_ylabel("IOU, % →")
    _label(ax, [(p.fps, p.iou, p.summary.row.variant) for p in front], [(p.fps, p.iou) for p in points])
    return chart.svg(f"IOU against frames a second for {len(points)} cells; {len(front)} are on the Pareto front.")


Limits = tuple[Interval, Interval]


def limits(points: Sequence[Point]) -> Limits:
    """(FPS range, IOU range) that hold all `points` with room, so that several charts share their axes."""
    fps, iou = [p.fps for p in points], [p.iou for p in points]
    room = max(0.5, 0.1 * (max(iou) - min(iou)))
    return (min(fps) * 0.75, max(fps) * 1.45), (min(iou) - room, min(100, max(iou) + room))


def latency(name: str, summaries: Sequence[Summary], width: int = 460) -> str:
    """For each cell: the median as a mark, the middle 80 % as a thick line, up to p99 as a thin one."""
    chart = Chart(name, width, 90 + 17 * len(summaries))
    (ax,) = chart.axes()
    labels = []
    for y, s in enumerate(summaries):
        assert s.model is not None
        low = s.row.timing["model_ns"]
        ax.plot([s.model.p50, s.model.p99], [y, y], color=colour(s), linewidth=1)
        ax.plot([_p10(low), s.model.p90], [y, y], color=colour(s), linewidth=4, alpha=0.45, solid_capstyle="butt")
        says = f"{s.name}: p50 {s.model.p50:.2f}, p90 {s.model.p90:.2f}, p99 {s.model.p99:.2f} ms"
        ax.plot([s.model.p50], [y], shape(s), color=colour(s), markersize=5, gid=chart.tip(says))
        labels.append(f"{s.row.variant}  {s.row.precision}")
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.grid(axis="y", visible=False)
    ax.set_xlim(left=0)
    if ax.get_xlim()[1] > FRAME_MS * 0.8:
        ax.axvline(FRAME_MS, color=FAINT, linewidth=1, linestyle=":")
    ax.set_xlabel("← milliseconds a frame, model alone")
    return chart.svg(f"Distribution of frame times of {len(summaries)} cells.")


def _p10(ns: Sequence[int]) -> float:
    import numpy as np

    return float(np.percentile(ns, 10)) / 1e6


def ablation(name: str, grids: Mapping[Grid, Sequence[Effect]], width: int = 760) -> str:
    """What each change does to IOU (with its interval) and to speed, a mark for each runtime and precision."""
    words = list(dict.fromkeys(e.change.words for effects in grids.values() for e in effects))
    lanes = {grid: i for i, grid in enumerate(grids)}
    chart = Chart(name, width, 80 + len(words) * (34 + 9 * len(lanes)))
    left, right = chart.axes(2, sharey=True)
    for grid, effects in grids.items():
        offset = 0.72 * ((lanes[grid] + 0.5) / len(lanes) - 0.5)
        tint, form = COLOURS.get(grid.runtime, OTHER), SHAPES.get(grid.precision, "D")
        for e in effects:
            y = words.index(e.change.words) + offset
            fill = tint if grid.evidence == "measured" else PAPER
            says = f"{grid.runtime} {grid.precision}, {grid.evidence}: {e.change.words}, {e.iou:+.2f} IOU points"
            left.plot(e.iou_ci, [y, y], color=tint, linewidth=1.2)
            left.plot([e.iou], [y], form, markerfacecolor=fill, markeredgecolor=tint, markersize=6, gid=chart.tip(says))
            if e.speed is not None and e.speed_range:
                right.plot(e.speed_range, [y, y], color=tint, linewidth=1.2)
                says = f"{grid.runtime} {grid.precision}: {e.change.words}, {e.speed:.2f} times the FPS"
                right.plot([e.speed], [y], form, color=tint, markersize=6, gid=chart.tip(says))
    left.axvline(0, color=FAINT, linewidth=1)
    right.axvline(1, color=FAINT, linewidth=1)
    left.set_yticks(range(len(words)), words)
    left.set_ylim(len(words) - 0.5, -0.5)
    for ax in (left, right):
        ax.grid(axis="y", visible=False)
        ax.tick_params(axis="y", length=0)
    left.set_xlabel("IOU, points (95 % interval) →")
    right.set_xlabel("times the FPS (range of pairs) →")
    return chart.svg(f"Effect of {len(words)} changes on IOU and on speed.")


def costs(name: str, summaries: Sequence[Summary], width: int = 760) -> str:
    """Artifact size and peak memory of each variant."""
    variants = sorted({s.row.variant for s in summaries}, key=lambda v: list(VARIANTS).index(v) if v in VARIANTS else 99)
    chart = Chart(name, width, 80 + 24 * len(variants))
    panels = chart.axes(2, sharey=True)
    for ax, what, amount in zip(panels, ("size", "peak memory"), (_size, _memory), strict=True):
        for s in summaries:
            value = amount(s)
            if value is None:
                continue
            says = f"{s.name}: {what} {value:.2f} MB"
            fill = colour(s) if s.measured else PAPER
            y = variants.index(s.row.variant)
            ax.plot([value], [y], shape(s), markerfacecolor=fill, markeredgecolor=colour(s), markersize=6, gid=chart.tip(says), alpha=0.85)
        ax.set_xlabel(f"← {what}, MB")
        ax.set_xlim(left=0)
    panels[0].set_yticks(range(len(variants)), variants)
    panels[0].set_ylim(len(variants) - 0.5, -0.5)
    return chart.svg(f"Size and peak memory of {len(variants)} variants.")


def _size(s: Summary) -> float | None:
    return s.size_mb


def _memory(s: Summary) -> float | None:
    return s.peak_mb


def _whisker(value: float, interval: Interval | None) -> list[list[float]] | None:
    """matplotlib's errors: distances down and up. A median's interval may leave the point out by a rounding."""
    return [[max(0.0, value - interval[0])], [max(0.0, interval[1] - value)]] if interval else None


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2, 3, 5 times a power of ten) inside a range."""
    steps = [step * 10.0**power for power in range(-2, 6) for step in (1, 2, 3, 5)]
    return [step for step in steps if low <= step <= high]


def _label(ax: Axes, labels: Iterable[tuple[float, float, str]], marks: Sequence[tuple[float, float]]) -> None:
    """Write each label beside its mark, on the side that hides the fewest marks and labels already there."""
    from matplotlib.transforms import Bbox

    ax.figure.draw_without_rendering()
    taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in ax.transData.transform(list(marks))] if marks else []
    for x, y, text in labels:
        at = ax.transData.transform((x, y))
        width, height = 6.2 * len(text), 13
        sides = [
            (9, -height / 2, "left", "center"),
            (-9 - width, -height / 2, "right", "center"),
            (-width / 2, 9, "center", "bottom"),
            (-width / 2, -9 - height, "center", "top"),
            (6, 7, "left", "bottom"),
            (-6 - width, -7 - height, "right", "top"),
        ]

        def hidden(side: tuple[float, float, str, str], at: Any = at, size: tuple[float, float] = (width, height)) -> float:
            box = Bbox.from_bounds(at[0] + side[0], at[1] + side[1], *size)
            inside = ax.bbox.contains(box.x0, box.y0) and ax.bbox.contains(box.x1, box.y1)
            return sum(box.overlaps(other) for other in taken) + (0 if inside else 3)

        dx, dy, ha, va = min(sides, key=hidden)
        taken.append(Bbox.from_bounds(at[0] + dx, at[1] + dy, width, height))
        anchor = {"left": dx, "right": dx + width, "center": 0}[ha], {"center": 0, "bottom": dy, "top": dy + height}[va]
        # Points are 72 to the inch, the figure's pixels 100.
        offset = (anchor[0] * 0.72, anchor[1] * 0.72)
        ax.annotate(text, (x, y), offset, textcoords="offset points", ha=ha, va=va, fontsize=9.5, zorder=5)  # type: ignore[arg-type]
