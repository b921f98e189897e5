"""Every run's figures with git revision and machine, and changes of their level. Advisory.

A gate compares two commits side by side; it cannot see ten changes of 1 % each. This can, and cannot be trusted like
the gate: its figures come from different days of a machine. So it draws and tells, and never fails anything.
"""

from __future__ import annotations

import html
import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from converters.extras import missing
from models.files import read_json, refuse_special
from reports import whole
from reports.rows import Row, stream
from reports.store import Figure

FEWEST = 8
"""With fewer figures of one series no change is looked for."""
SEGMENT = 3
"""Figures that a level must hold at least to be one."""
GATE, MODEL = "gate ms", "model ms"
"""Frame times of the network alone: of a gate's candidate, and of a run."""
RECENT = 20
"""Figures of a short trend."""


@dataclass(frozen=True)
class Change:
    """From the figure at `index` on, a series has another level: `share` more (0.1 is 10 %)."""

    index: int
    share: float


def of_rows(rows: Iterable[Row], revision: str | None = None) -> Iterator[Figure]:
    """The figures of measured rows: median milliseconds of both passes, IOU, size.

    They are of `revision`, or each of the commit that it was measured at.
    """
    for row in rows:
        if row.status != "ok" or row.evidence != "measured":
            continue
        iou = row.accuracy.get("iou")
        values = {
            MODEL: _median_ms(row.timing.get("model_ns")),  # of several processes the median one's
            "pipeline ms": _median_ms(row.timing.get("pipeline_ns")),
            # Of other pictures it is another series.
            f"IOU % on {row.accuracy.get('data')}": None if iou is None else 100 * iou,
            "size MB": row.artifact["bytes"] / 1e6 if row.artifact.get("bytes") else None,
        }
        at = revision or str(row.environment.get("revision", ""))
        machine = str(row.environment.get("cpu") or row.environment.get("model") or row.device)
        for metric, value in values.items():
            if value is not None:
                yield Figure(row.cell, metric, machine, row.run, row.time, at, value)


def of_gate(result: Mapping[str, Any]) -> Iterator[Figure]:
    """The candidate's frame times of a gate.json."""
    machine, when = str(result["machine"].get("cpu", "")), str(result["time"])
    for one in result["configurations"]:
        if (ms := (one.get("frame_ms") or {}).get("now")) is not None:
            if isinstance(ms, bool) or not isinstance(ms, int | float):
                raise ValueError("a frame time is no number")
            yield Figure(str(one["configuration"]), GATE, machine, when, when, str(result["candidate"]), float(ms))


def recent(figures: Iterable[Figure], name: str, machine: str) -> list[Figure]:
    """The last frame times of a configuration on a machine: of gates, or of runs where these are more."""
    found: dict[str, list[Figure]] = defaultdict(list)
    for figure in figures:
        if figure.series == name and figure.machine == machine and figure.metric in (GATE, MODEL):
            found[figure.metric].append(figure)
    return max(found[GATE], found[MODEL], key=len)[-RECENT:]


def of_benchmarks(report: Mapping[str, Any]) -> Iterator[Figure]:
    """The medians of a pytest-benchmark JSON, which carries its own revision and machine."""
    machine = str(report["machine_info"].get("cpu", {}).get("brand_raw") or report["machine_info"]["node"])
    revision = str((report.get("commit_info") or {}).get("id") or "")
    when = str(report["datetime"])
    for benchmark in report["benchmarks"]:
        if not math.isfinite(benchmark["stats"]["median"]):
            raise ValueError("a median is no number")
        yield Figure(
            benchmark["name"], "benchmark ms", machine, when, when, revision, 1e3 * benchmark["stats"]["median"]
        )


def gather(path: Path, revision: str | None = None) -> tuple[list[Figure], list[str]]:
    """The figures of a folder of a run or a gate, or of a pytest-benchmark JSON, and a sentence for each damaged row.

    `revision` is that of a run whose rows do not tell theirs, or tell it wrongly. ValueError when `path` is neither.
    """
    refuse_special(path)
    words: list[str] = []
    rows, gate = path / "rows.jsonl", path / "gate.json"
    figures = list(of_rows(stream(rows, words), revision)) if rows.is_file() else []
    try:
        if gate.is_file():
            figures += of_gate(read_json(gate))
        elif not rows.is_file():
            figures += of_benchmarks(read_json(path))
        for figure in figures:
            datetime.fromisoformat(figure.time)
            if not 0 <= figure.value < math.inf:
                raise ValueError(f"{figure.series} has {figure.value}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise ValueError(f"{path}: neither the folder of a run or a gate nor a pytest-benchmark JSON") from None
    return figures, words


def changes(values: Sequence[float]) -> list[Change]:
    """Where the level of a series of figures changed: PELT on their logarithms, with ruptures.

    The penalty is that of Schwarz's criterion, four times over, with the noise taken from neighbouring differences,
    which a change of level hardly touches: of their median and their mean the larger, as the median of so few is often
    far too small. Of series of 10 to 28 figures that are noise alone, 1 to 4 % are then said to change.
    """
    if len(values) < FEWEST:
        return []
    import numpy as np
    import ruptures

    # A network that finds nobody has an IOU of 0, which has no logarithm and is a change all the same.
    floor = 1e-3 * max(values)
    if floor <= 0:
        return []
    logs = np.log(np.maximum(np.asarray(values, dtype=float), floor))
    steps = np.abs(np.diff(logs))
    noise = max(1.4826 * float(np.median(steps)), math.sqrt(math.pi / 2) * float(np.mean(steps))) / math.sqrt(2)
    penalty = 4 * math.log(len(logs)) * max(noise, 1e-4) ** 2
    ends = ruptures.Pelt(model="l2", min_size=SEGMENT, jump=1).fit(logs).predict(pen=penalty)
    edges = [0, *ends]
    levels = [float(np.median(logs[a:b])) for a, b in pairwise(edges)]
    return [
        Change(edge, math.expm1(now - before)) for edge, before, now in zip(edges[1:], levels, levels[1:], strict=False)
    ]


def series(figures: Iterable[Figure]) -> dict[tuple[str, str, str], list[Figure]]:
    """(machine, series, metric) -> its figures in their order: figures of two machines never share a line."""
    found: dict[tuple[str, str, str], list[Figure]] = defaultdict(list)
    for figure in figures:
        found[figure.machine, figure.series, figure.metric].append(figure)
    return dict(sorted(found.items()))


def told(name: tuple[str, str, str], figures: Sequence[Figure], change: Change) -> str:
    """A change in a sentence."""
    at = figures[change.index]
    where = at.revision[:10] or "no revision"
    return f"{name[1]}, {name[2]}: {100 * change.share:+.1f} % from {at.time[:10]} on ({where})"


def page(figures: Sequence[Figure], out: Path) -> list[str]:
    """Draw every series at `out`, those that changed first; returns the changes in sentences."""
    drawn: list[tuple[bool, str]] = []
    said: list[str] = []
    if unsought := missing("ruptures"):
        said.append(f"No search for changes of level; {unsought}")
    for name, found in series(figures).items():
        if len(found) < 2:
            continue
        at = [] if unsought else changes([f.value for f in found])
        said += [told(name, found, change) for change in at]
        drawn.append((not at, _figure(name, found, at)))
    body = "".join(svg for _, svg in sorted(drawn, key=lambda d: d[0])) or "<p>No series has two values yet.</p>"
    listed = "".join(f"<li>{html.escape(sentence)}.</li>" for sentence in said) or "<li>None was found.</li>"
    style = (Path(__file__).parent / "templates" / "page.css").read_text()
    whole.write(
        out,
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>History</title>'
        f"<style>{style}</style></head><body><main><h2>History</h2><p>Each mark is the value of one run, each"
        " chart one machine. Advisory: a machine differs from day to day, and only the gate measures two versions side"
        " by side.</p>"
        f'<h3>Changes of level</h3><ul class="plain">{listed}</ul><div class="grid">{body}</div></main>'
        "</body></html>\n",
    )
    return said


def _figure(name: tuple[str, str, str], found: Sequence[Figure], at: Sequence[Change]) -> str:
    from reports.plots import COLOURS, FAINT, WIDTH, Chart

    drawing = Chart("/".join(name), WIDTH, 220)
    colour = list(COLOURS.values())[1]
    for index, figure in enumerate(found):
        says = f"{figure.value:.3g}, {figure.time[:16]}, {figure.revision[:10]}"
        drawing.axes.plot([index], [figure.value], "o", color=colour, markersize=4, gid=drawing.group(None, says))
    edges = [0, *(change.index for change in at), len(found)]
    for a, b in pairwise(edges):
        level = statistics.median(f.value for f in found[a:b])
        drawing.axes.plot([a - 0.4, b - 0.6], [level, level], color=colour, linewidth=1.4)
    for change in at:
        drawing.axes.axvline(change.index - 0.5, color=FAINT, linewidth=1, linestyle=":")
    drawing.axes.set_xlabel("run")
    drawing.axes.set_ylabel(name[2].partition(" on ")[0])
    caption = html.escape(f"{name[1]}, {name[2]} ({name[0]})")
    return f"<figure><figcaption>{caption}</figcaption>{drawing.svg(f'{name[2]} of {name[1]} over time.')}</figure>"


def _median_ms(ns: Sequence[int] | None) -> float | None:
    return statistics.median(ns) / 1e6 if ns else None
