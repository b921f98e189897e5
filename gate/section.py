"""The gate on the HTML page: its verdicts, and every block drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gate import blocks as of_blocks
from gate import output
from gate.decision import Estimate, Outcome
from gate.verdict import (
    CONFIDENCE,
    Result,
    Speed,
    Verdict,
    brief,
    change,
    counted,
    interval,
    percent,
    place,
    title,
    trend,
    words,
    worst_verdict,
)
from models.files import read_text

if TYPE_CHECKING:
    from reports.page import Inserted

TITLE = "FPS gate"
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class DrawnVerdict:
    """One verdict on the page. A chart is Markup of an SVG, None where nothing was timed or no earlier run is known."""

    verdict: Verdict
    words: list[str]
    chart: Any
    trend: Any

    @property
    def estimate(self) -> Estimate | None:
        return self.verdict.speed.estimate if self.verdict.speed else None


@dataclass(frozen=True)
class Section:
    """One gate on the page."""

    result: Result
    title: str
    counted: str
    configurations: list[DrawnVerdict]
    decides: DrawnVerdict | None
    """What the card shows: the first of the configurations that decide."""


def page(dirs: Sequence[Path], out: Path, now: datetime | None = None) -> list[str]:
    """Make the page of all rows and gates found in `dirs`; returned is a sentence for each damaged file or line.

    ValueError as of `reports.page.gather`, for a folder that holds neither.
    """
    from reports.page import build

    found, unread = sections(dirs)
    measured = [path for path in dirs if (path / "rows.jsonl").is_file() or not (path / output.FILE).is_file()]
    return build(measured, out, now=now, words=unread, gates=html(found))


def html(gates: Sequence[Section]) -> Inserted | None:
    """The gates as parts of the page; None where there are none."""
    from reports.page import Inserted, num, templates

    if not gates:
        return None
    environment = templates(TEMPLATES)
    environment.filters |= {
        "num": num,
        "change": change,
        "percent": percent,
        "brief": brief,
        "place": place,
        "interval": interval,
        "unbroken": _unbroken,
    }
    cards, sections = (
        environment.get_template(f"{name}.html.j2").render(gates=gates, confidence=CONFIDENCE)
        for name in ("card", "gate")
    )
    return Inserted(f"{TITLE}. {gates[0].title}", cards, sections)


def sections(dirs: Sequence[Path]) -> tuple[list[Section], list[str]]:
    """The gates whose results lie in `dirs`, and a sentence without its end for each that cannot be read."""
    found, words = [], []
    for path in (folder / output.FILE for folder in dirs):
        if not path.is_file():
            continue
        try:
            found.append(section(output.from_json(read_text(path))))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            words.append(f"{path}: not a complete result of a gate; the page omits it")
    return found, words


def section(result: Result) -> Section:
    from markupsafe import Markup

    drawn = [
        DrawnVerdict(
            verdict,
            [_unbroken(sentence) for sentence in words(verdict)],
            Markup(chart(verdict.configuration, verdict.speed)) if verdict.speed and verdict.speed.blocks else None,
            Markup(trend_chart(verdict, past)) if (past := trend(result, verdict)) else None,
        )
        for verdict in result.configurations
    ]
    worst = worst_verdict(result)
    return Section(result, title(result), counted(result), drawn, next((d for d in drawn if d.verdict is worst), None))


def _unbroken(sentence: str) -> str:
    """No line ends between a figure and its unit."""
    return re.sub(r"(?<=\d) (?=%|ms|MB|M\b|s\b|points|blocks)", "\N{NO-BREAK SPACE}", sentence)


def chart(name: str, speed: Speed) -> str:
    """Each block's change of the frame time in its order; the median, its interval as a band, the tolerance dotted."""
    from reports.plots import FAINT, INK, PAPER, WIDTH, Chart

    drawing = Chart(name, WIDTH, 240)
    ax = drawing.axes
    colour = _colour(speed.outcome)
    effects, control = speed.effects
    changes = [100 * math.expm1(d) for d in effects]
    found = speed.estimate
    for number, (moved_by, moved, used) in enumerate(zip(changes, control, speed.used, strict=True), start=1):
        left_out = "" if used else "; excluded, as the control varied more than usual"
        says = f"block {number}: {moved_by:+.1f} %, control changed by {100 * math.expm1(moved):.1f} %{left_out}"
        fill = colour if used else PAPER
        ax.plot([number], [moved_by], "o", mfc=fill, mec=colour, markersize=5, zorder=3, gid=drawing.group(None, says))
    ax.axhline(0, color=FAINT, linewidth=0.8)
    ax.axhline(100 * speed.tolerance, color=INK, linewidth=1, linestyle=":")
    right = ax.get_yaxis_transform()
    ax.text(1, 100 * speed.tolerance, "tolerance", transform=right, ha="right", va="bottom", color=FAINT, fontsize=8.5)
    if found:
        ax.axhline(100 * math.expm1(found.effect), color=colour, linewidth=1.2)
        if math.isfinite(found.low):
            ax.axhspan(100 * math.expm1(found.low), 100 * math.expm1(found.high), color=colour, alpha=0.15, linewidth=0)
    for end in accumulate(len(of_blocks.effects(process)[0]) for process in (speed.first, *speed.fresh[:-1])):
        if speed.fresh:
            ax.axvline(end + 0.5, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
    ax.set_xlabel("block")
    ax.set_ylabel("change of frame time, %")
    return drawing.svg(f"Change of the frame time of {name} in {len(changes)} blocks.")


def trend_chart(verdict: Verdict, values: Sequence[tuple[str, float]]) -> str:
    """The last frame times of one configuration on this machine; this gate's is the large mark."""
    from reports.plots import FAINT, WIDTH, Chart

    drawing = Chart(f"{verdict.configuration} trend", WIDTH, 170)
    ax = drawing.axes
    times = [ms for _, ms in values]
    ax.plot(range(len(times)), times, color=FAINT, linewidth=1, zorder=1)
    for at, (what, ms) in enumerate(values):
        last = at == len(values) - 1
        colour = _colour(verdict.outcome) if last else FAINT
        ax.plot(
            [at], [ms], "o", color=colour, markersize=8 if last else 4, gid=drawing.group(None, f"{ms:.2f} ms, {what}")
        )
    ax.set_ylim(0, 1.15 * max(times))
    ax.set_xticks([0, len(times) - 1], [values[0][0].rpartition(", ")[2][:10], "this gate"])
    ax.set_ylabel("ms a frame")
    return drawing.svg(f"The last {len(times)} frame times of {verdict.configuration}.")


def _colour(outcome: Outcome) -> str:
    from reports.plots import BAD, COLOURS

    return BAD if outcome is Outcome.FAIL else list(COLOURS.values())[1]
