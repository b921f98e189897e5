"""The table at the end of a run, and the same figures as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from reports.rows import Row
from reports.summary import summaries


def summary(rows: Iterable[Row]) -> Table:
    """A line a cell, in the page's order; for rich to print."""
    table = Table(box=SIMPLE_HEAD)
    for head in ("network", "runtime", "precision"):
        table.add_column(head)
    for head in ("FPS", "ms", "camera FPS", "IOU %", "edge F %", "MB"):
        table.add_column(head, justify="right")
    for s in summaries(rows):
        name = s.row.variant, s.runtime, s.row.precision
        if not s.ok:
            table.add_row(*name, f"failed: {s.row.reason}", style="red")
            continue
        speed = [f"{s.model.fps:.1f}", f"{s.model.p50:.2f}"] if s.model else [s.row.evidence, ""]
        table.add_row(
            *name,
            *speed,
            f"{s.pipeline.fps:.1f}" if s.pipeline else "",
            "" if s.iou is None else f"{s.iou:.2f}",
            "" if s.boundary is None else f"{s.boundary:.2f}",
            "" if s.size_mb is None else f"{s.size_mb:.2f}",
        )
    return table


def figures(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """A dict a cell; IOU and boundary F in 0..1, times in ms, null where there is none."""
    return [
        {
            "cell": s.row.cell,
            "status": s.row.status,
            "reason": s.row.reason,
            "variant": s.row.variant,
            "format": s.row.format,
            "precision": s.row.precision,
            "device": s.row.device,
            "evidence": s.row.evidence,
            "model_fps": s.model.fps if s.model else None,
            "model_ms": s.model.p50 if s.model else None,
            "pipeline_fps": s.pipeline.fps if s.pipeline else None,
            "iou": s.row.accuracy.get("iou"),
            "boundary_f": s.row.accuracy.get("boundary_f"),
            "dtssd": s.row.accuracy.get("dtssd"),
            "artifact_bytes": s.row.artifact.get("bytes"),
            "hazards": list(s.row.hazards),
        }
        for s in summaries(rows)
    ]
