"""Rows with made-up values, for tests alone: plausible enough that a page made of them can be judged by eye."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from models.variant import REFERENCE, get
from reports.rows import Row

SPEED = {"pytorch": 2.2, "onnx": 1.25, "tflite": 1.0, "openvino": 0.8, "coreml": 1.0}
SIZE = {"fp32": 4, "fp16": 2, "int8": 1}
PICTURES = [f"clip-{clip}/{frame:03d}" for clip in range(6) for frame in range(5)]


def row(variant: str = "s16-skip-dense", format: str = "tflite", precision: str = "fp32", **changes: Any) -> Row:
    """A measured row; `changes` replaces any of its fields."""
    config = get(variant)
    random = np.random.default_rng(_seed(variant, precision))
    pictures = np.random.default_rng(7).normal(0, 0.02, len(PICTURES))
    level = 0.952 - (0 if config.skips else 0.03) + (0.006 if config.head == "dense-separable" else 0)
    level -= {4: 0, 16: 0.003, 32: 0.008}[config.squeeze] + (0.012 if precision == "int8" else 0)
    ious = np.clip(level + pictures + random.normal(0, 0.002, len(PICTURES)), 0, 1)
    edges = ious - 0.1
    ms = {4: 7.5, 16: 5.0, 32: 4.5}[config.squeeze] * SPEED[format] + (9.0 if config.head == "dense-separable" else 0)
    ms *= (1 if config.skips else 0.95) * {"fp32": 1, "fp16": 1.02, "int8": 0.6}[precision]
    noise = np.abs(random.standard_t(3, 128)) * 0.02
    model = ms * (1 + noise)
    size = int({4: 1.1e6, 16: 0.45e6, 32: 0.3e6}[config.squeeze]) * SIZE[precision]
    made = Row(
        cell=f"{variant}/{format}/{precision}/256x256/desktop/cpu1",
        run="made-up",
        time="2026-01-02T03:04:05+00:00",
        status="ok",
        variant=variant,
        format=format,
        precision=precision,
        resolution=(256, 256),
        device="desktop",
        unit="cpu",
        threads=1,
        evidence="measured",
        runtime={"pytorch": "PyTorch 2.13.0", "onnx": "ONNX Runtime 1.31.1"}.get(format, f"{format} 1.0"),
        checkpoint=hashlib.sha256(variant.encode()).hexdigest(),
        artifact={
            "key": f"{_seed(variant, format):x}",
            "sha256": hashlib.sha256(f"{variant}{format}{precision}".encode()).hexdigest(),
            "bytes": size,
            "parity": {
                "frames": 30,
                "max_difference": 4e-6 if precision == "fp32" else 0.03,
                "mean_difference": 2e-7 if precision == "fp32" else 0.002,
                "iou_loss_points": 0.0 if precision == "fp32" else 0.2,
                "tolerance": {"max_difference": 1e-3},
            },
            "graph": {
                "ops": {"CONV_2D": 58, "ADD": 14, "RESIZE_BILINEAR": 4},
                "leftovers": {"TRANSPOSE": 2 if format == "onnx" else 0, "PAD": 0, "RESHAPE": 0},
            },
            "versions": {format: "1.0"},
        },
        network={"parameters": size // 4, "macs": 66_000_000, "squeeze": config.squeeze},
        accuracy={
            "data": "made-up sample",
            "description": "Made-up pictures that exist in a test alone.",
            "images": len(PICTURES),
            "iou": float(ious.mean()),
            "iou_ci": [float(ious.mean()) - 0.007, float(ious.mean()) + 0.006],
            "boundary_f": float(edges.mean()),
            "boundary_f_ci": [float(edges.mean()) - 0.02, float(edges.mean()) + 0.02],
            "dtssd": 2.1,
            "per_image": [[n, float(i), float(e)] for n, i, e in zip(PICTURES, ious, edges, strict=True)],
        },
        timing={
            "model_ns": [int(t * 1e6) for t in model],
            "pipeline_ns": [int((t + 3.4) * 1e6) for t in model],
            "load_ns": 21_000_000,
            "first_ns": int(ms * 2.5e6),
            "warm_up": {"iterations": 45},
            "peak_memory_bytes": 90_000_000 + 8 * size,
        },
        placement={"runtime": format, "requested": "cpu", "actual": "XNNPACK", "delegated": 76, "ops": 76},
        environment={"os": "Linux", "cpu": "Made-up CPU", "cores": 2, "load_1m": round(float(random.uniform()), 2)},
        hazards=("virtual-machine",),
        examples=tuple(_example(kind, float(ious.min())) for kind in ("shared", "worst")),
    )
    return replace(made, **changes)


def paired(made: Row, times: float, reference_fps: float = 200.0, disturbed: bool = False) -> Row:
    """The row as of a run in turns with the reference: so many times as fast, its interval 2 % wide."""
    turns = {
        "times_as_fast": times,
        "interval": [0.99 * times, 1.01 * times],
        "rounds": 12,
        "rounds_taken": 12,
        "takes": 3 if disturbed else 1,
        "switched_share": 0.8 if disturbed else 0.0,
        "disturbed": disturbed,
        "reference_fps": reference_fps,
    }
    return replace(made, timing=made.timing | {"paired": turns})


def emulated(variant: str = "s16-skip-dense", precision: str = "fp32", **changes: Any) -> Row:
    """Core ML on a system that cannot run it: right answers, no time. A time is there all the same, as a trap."""
    made = row(variant, "coreml", precision)
    timing = {"model_ns": [1_000_000] * 50, "load_ns": 7_000_000}
    return replace(made, evidence="emulated", timing=timing, placement={"actual": "reference executor"}, **changes)


def failed(variant: str = "s32-noskip-plain", format: str = "onnx", **changes: Any) -> Row:
    made = row(variant, format, "int8")
    reason = "IOU fell by 3.1 points against the checkpoint; int8 tolerates 2.0."
    made = replace(made, status="failed", reason=reason, accuracy={}, timing={}, examples=())
    return replace(made, **changes)


def desktop() -> list[Row]:
    """A whole run: twelve variants, five formats, two precisions of some, and two that failed."""
    rows = [row(v, f) for v in REFERENCE for f in ("pytorch", "onnx", "tflite", "openvino")]
    rows += [row(v, "tflite", "int8") for v in REFERENCE] + [emulated(v) for v in REFERENCE]
    return [*rows, failed(), failed("s4-skip-dense", "openvino", reason="The conversion ended without a file.")]


def phone() -> list[Row]:
    """A second device, three times slower."""
    rows = []
    for made in (row(v, "tflite", p) for v in REFERENCE for p in ("fp32", "int8")):
        timing = made.timing | {
            "model_ns": [3 * t for t in made.timing["model_ns"]],
            "pipeline_ns": [3 * t for t in made.timing["pipeline_ns"]],
        }
        cell = made.cell.replace("desktop", "pixel2")
        rows.append(replace(made, device="pixel2", cell=cell, timing=timing, environment={"soc": "Snapdragon 835"}))
    return rows


def _seed(*names: str) -> int:
    return int.from_bytes(hashlib.sha256("/".join(names).encode()).digest()[:4], "big")


def _example(kind: str, iou: float) -> dict[str, Any]:
    picture = Image.new("RGB", (160, 120), (90, 110, 130))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((50, 20, 110, 80), fill=(190, 150, 120))
    draw.rectangle((40, 80, 120, 120), fill=(60, 140, 90) if kind == "shared" else (190, 60, 60))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=70)
    return {"kind": kind, "frame": "clip-3/004", "iou": iou, "jpeg": base64.b64encode(stream.getvalue()).decode()}
