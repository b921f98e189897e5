"""Rows: one measured or failed cell each, with raw samples, so that every figure can be recomputed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

SCHEMA = 1


@dataclass(frozen=True)
class Row:
    """One line of rows.jsonl. Plain JSON types only; a later schema adds fields and never changes a meaning."""

    cell: str
    run: str
    time: str
    status: Literal["ok", "failed"]
    variant: str
    format: str
    precision: str
    resolution: tuple[int, int]
    device: str
    unit: str
    threads: int
    evidence: Literal["measured", "emulated", "estimated"]
    reason: str | None = None
    runtime: str = ""
    checkpoint: str = ""
    artifact: dict[str, Any] = field(default_factory=dict)
    """key, sha256, bytes, parity {frames, max_difference, mean_difference, iou_loss_points, tolerance}, graph, versions."""
    network: dict[str, Any] = field(default_factory=dict)
    """parameters, macs, squeeze, skips, head."""
    accuracy: dict[str, Any] = field(default_factory=dict)
    """data, description, images, iou, iou_ci, boundary_f, boundary_f_ci, dtssd, per_image [[name, iou, boundary_f], ...]."""
    timing: dict[str, Any] = field(default_factory=dict)
    """model_ns [...], pipeline_ns [...], load_ns, first_ns, warm_up, peak_memory_bytes, instructions_per_frame."""
    placement: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    hazards: tuple[str, ...] = ()
    examples: tuple[dict[str, Any], ...] = ()
    """{"kind": "worst" | "typical", "frame": name, "iou": x, "jpeg": base64 of an overlay, 200 px wide at most}."""
    retries: int = 0
    schema: int = SCHEMA
