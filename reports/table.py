"""The figures of a run for the terminal, and for another program."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from devices.instructions import CORES
from reports.pareto import points, scopes
from reports.rows import Row
from reports.statistics import Latency
from reports.summary import EVIDENCE, Summary, summaries

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table


def summary(rows: Iterable[Row]) -> Group:
    """The configurations to print with rich: measured ones, other evidence, then failed ones with the reason.

    A star marks the Pareto front of its device.
    """
    from rich.console import Group

    seen = summaries(rows)
    best = _front(seen)
    kinds = [
        *((evidence, [s for s in seen if s.ok and s.row.evidence == evidence]) for evidence in EVIDENCE),
        ("failed", [s for s in seen if not s.ok]),
    ]
    several = len({s.row.device for s in seen}) > 1
    return Group(*(_table(kind, found, best, several) for kind, found in kinds if found))


def _table(kind: str, found: Sequence[Summary], best: Collection[int], several: bool) -> Table:
    from rich.table import Table
    from rich.text import Text

    columns: dict[str, Callable[[Summary], str]] = {
        "network": lambda s: (
            s.row.variant + (" (speed only)" if s.speed_only else " (reference)" if s.is_reference else "")
        ),
        "runtime": lambda s: s.runtime,
        "precision": lambda s: s.row.precision,
    }
    if several:
        columns["device"] = lambda s: s.row.device
    if kind == "measured":
        columns |= {
            "": lambda s: "*" if id(s) in best else "",
            "model\nFPS": lambda s: _decimal(s.model.fps if s.model else None),
            "pipeline\nFPS": lambda s: _decimal(s.pipeline.fps if s.pipeline else None),
            "p99 ms": lambda s: _decimal(s.model.p99 if s.model else None),
        }
    if any(s.fps_spread for s in found):
        columns["FPS of\nprocesses"] = lambda s: "{:.1f} to {:.1f}".format(*s.fps_spread) if s.fps_spread else ""
    if kind == "contributed":
        columns |= {
            "FPS,\ncontributed": lambda s: _decimal(s.contributed_model.fps if s.contributed_model else None),
            "times as fast\nas reference": lambda s: _decimal(
                s.contributed_ratio.times if s.contributed_ratio else None, 2
            ),
        }
    if kind == "emulated" and any(s.instructions for s in found):
        columns["instructions\na frame"] = lambda s: f"{s.instructions:,}" if s.instructions else ""
    if kind == "estimated":
        columns |= {
            "ms,\nestimated": lambda s: (
                "{milliseconds:.1f} ({low:.1f} to {high:.1f})".format(**s.estimate) if s.estimate else ""
            ),
            "FPS,\nestimated": lambda s: "{:.0f} to {:.0f}".format(*s.estimated_fps) if s.estimated_fps else "",
            "phone's\nerror %": lambda s: f"{100 * s.estimate['error']:.0f}" if s.estimate else "",
        }
    columns |= (
        {"reason": lambda s: s.row.reason or ""}
        if kind == "failed"
        else {"IOU %": lambda s: _decimal(s.iou), "MB": lambda s: _decimal(s.size_mb, 2)}
    )
    table = Table(
        title=kind,
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        header_style="dim",
    )
    for name, show in columns.items():
        # On a narrow terminal a network's name is folded rather than a figure cut.
        folds = name in {"network", "device", "reason"}
        whole = None if folds else max(len(text) for text in (*name.split("\n"), *map(show, found)))
        right = name not in {"network", "runtime", "precision", "device", "", "reason"}
        table.add_column(
            name, justify="right" if right else "left", overflow="fold", min_width=whole, vertical="bottom"
        )
    for s in found:
        table.add_row(*(Text(show(s)) for show in columns.values()))
    return table


def figures(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """One dict a configuration, JSON types only, raw samples left out. Speeds of what was not measured are null.

    FPS are frames a second, times milliseconds, IOU and boundary F in [0, 1], sizes bytes.
    """
    seen = summaries(rows)
    best = _front(seen)
    return [_figures(s, id(s) in best) for s in seen]


def _figures(s: Summary, on_front: bool) -> dict[str, Any]:
    row = s.row
    accuracy = row.accuracy if s.ok else {}
    return {
        "cell": row.cell,
        "variant": row.variant,
        "format": row.format,
        "precision": row.precision,
        "resolution": list(row.resolution),
        "device": row.device,
        "unit": row.unit,
        "threads": row.threads,
        "runtime": row.runtime,
        "status": row.status,
        "reason": row.reason,
        "evidence": row.evidence,
        "peer": s.is_reference,
        "speed_only": s.speed_only,
        "model": _latency(s.model),
        "pipeline": _latency(s.pipeline),
        "times_as_fast": s.ratio and {"times": s.ratio.times, "ci": [s.ratio.low, s.ratio.high]},
        "processes": len(s.processes) or int(s.measured),
        "fps_spread": s.fps_spread,
        "times_spread": s.times_spread,
        "load_ms": s.load_ms,
        "first_ms": s.first_ms,
        "peak_memory_bytes": row.timing.get("peak_memory_bytes") if s.measured else None,
        "instructions_per_frame": row.timing.get("instructions_per_frame"),
        "arm_instructions": {core: (row.artifact.get("instructions") or {}).get(core) for core in CORES},
        "estimate": s.estimate,
        "retries": row.retries,
        **{name: accuracy.get(name) for name in ("data", "images", "iou", "iou_ci", "boundary_f", "dtssd")},
        "bytes": row.artifact.get("bytes"),
        "parity": row.artifact.get("parity"),
        "hazards": list(row.hazards),
        "on_front": on_front,
    }


def _latency(latency: Latency | None) -> dict[str, Any] | None:
    if latency is None:
        return None
    return {
        "fps": latency.fps,
        "fps_ci": latency.fps_ci,
        "p50_ms": latency.p50,
        "p90_ms": latency.p90,
        "p99_ms": latency.p99,
        "within_33_ms": latency.within,
        "samples": latency.samples,
    }


def _front(seen: Iterable[Summary]) -> set[int]:
    """Ids of the summaries on the Pareto front of their scope."""
    return {id(p.summary) for members in scopes(points(seen)).values() for p in members if p.on_front}


def _decimal(value: float | None, digits: int = 1) -> str:
    return "" if value is None else f"{value:.{digits}f}"
