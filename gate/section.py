"""The gate on the HTML page: its verdicts, and every block drawn."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any

from gate import blocks as of_blocks
from gate import output
from gate.verdict import Result, Speed, Verdict, headline, words
from models.files import read_text

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class DrawnVerdict:
    """One verdict on the page. `chart` is Markup of an SVG, None where nothing was timed."""

    verdict: Verdict
    words: list[str]
    chart: Any


@dataclass(frozen=True)
class Section:
    """One gate on the page."""

    result: Result
    headline: str
    configurations: list[DrawnVerdict]


def page(dirs: Sequence[Path], out: Path, now: datetime | None = None) -> list[str]:
    """Make the page of all rows and gates found in `dirs`; returned is a sentence for each damaged file or line.

    ValueError as of `reports.page.gather`, for a folder that holds neither.
    """
    from reports.page import build

    found, unread = sections(dirs)
    measured = [path for path in dirs if (path / "rows.jsonl").is_file() or not (path / output.FILE).is_file()]
    return build(measured, out, now=now, words=unread, gates=html(found))


def html(gates: Sequence[Section]) -> str:
    """The gates as one part of the page; nothing where there are none."""
    from reports.page import templates

    return templates(TEMPLATES).get_template("gate.html.j2").render(gates=gates)


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
        )
        for verdict in result.configurations
    ]
    return Section(result, headline(result), drawn)


def _unbroken(sentence: str) -> str:
    """No line ends between a figure and its unit."""
    return re.sub(r"(?<=\d) (?=%|ms|MB|M\b|s\b|points|blocks)", "\N{NO-BREAK SPACE}", sentence)


def chart(name: str, speed: Speed) -> str:
    """Each block's change of the frame time in its order; the median, its interval as a band, the tolerance dotted."""
    from reports.plots import COLOURS, FAINT, INK, PAPER, WIDTH, Chart

    drawing = Chart(name, WIDTH, 240)
    ax = drawing.axes
    colour = list(COLOURS.values())[1]
    effects, control = speed.effects
    changes = [100 * math.expm1(d) for d in effects]
    found = speed.estimate
    for number, (change, moved, used) in enumerate(zip(changes, control, speed.used, strict=True), start=1):
        left_out = "" if used else "; excluded, as the control varied more than usual"
        says = f"block {number}: {change:+.1f} %, control changed by {100 * math.expm1(moved):.1f} %{left_out}"
        fill = colour if used else PAPER
        ax.plot([number], [change], "o", mfc=fill, mec=colour, markersize=5, zorder=3, gid=drawing.group(None, says))
    ax.axhline(0, color=FAINT, linewidth=0.8)
    ax.axhline(100 * speed.tolerance, color=INK, linewidth=1, linestyle=":")
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
