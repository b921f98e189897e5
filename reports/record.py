"""From the outcome of a configuration to its row."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Artifact
from devices import plan
from devices.contract import Counts, Result
from devices.data import Data
from devices.instructions import known
from devices.plan import Task
from devices.run import Outcome
from evaluation.clip import Dataset, Label, Picture
from evaluation.sample import CREDITS, NAME
from evaluation.score import Score
from models.labels import LABELS
from models.reference import ReferenceModel
from models.variant import Resolution
from reports.gitinfo import revision_here
from reports.rows import Row
from reports.summary import Summary

EXAMPLE_WIDTH = 200


@dataclass(frozen=True)
class Run:
    """A run, and the seed of the order of its configurations. All that is measured into one folder is one run."""

    name: str
    seed: int

    @classmethod
    def taken_up(cls, rows: Sequence[Row], seed: int | None = None) -> Run:
        """The run that `rows` belong to, or a new one when there are none; without a seed one is drawn."""
        drawn = secrets.randbelow(2**31) if seed is None else seed
        own = [row for row in rows if row.evidence != "contributed"]
        return cls(own[-1].run if own else f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}", drawn)


def record(outcome: Outcome, counts: Counts, data: Data, run: Run) -> Row:
    """The row of `outcome`, as of now."""
    task, artifact, result = outcome.task, outcome.artifact, outcome.result
    config = task.config
    row = Row(
        cell=config.name,
        run=run.name,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        status="failed",
        reason=outcome.reason,
        **vars(config),
        evidence="measured",
        checkpoint=task.source_sha,
        artifact=_artifact(artifact) if artifact else {},
        network=described(task.reference) if task.reference else _network(task),
        environment={"order_seed": run.seed, "order_position": outcome.position, "revision": revision_here()},
        retries=outcome.retries,
    )
    if result is None or outcome.score is None:
        return row
    return replace(
        row,
        status="ok",
        evidence=result.evidence,
        runtime=str(result.placement.get("runtime", "")),
        accuracy=_accuracy(None if task.speed_only else outcome.score, data.for_task(task))
        | ({"labels": outcome.labels.to_dict()} if outcome.labels and not task.speed_only else {})
        | ({"from_host": result.from_host} if result.from_host else {}),
        timing=_timing(result, counts),
        placement=result.placement,
        environment=result.environment.facts | row.environment,
        hazards=result.environment.hazards,
        examples=() if task.speed_only else examples(result.masks, data.footage, outcome.score, result.labels),
    )


def identity(row: Row) -> str | None:
    """`devices.plan.identity` of a row; None for a failed or disturbed one, whose configuration is tried again."""
    if row.status != "ok" or Summary(row).disturbed:
        return None
    return plan.identity(
        row.artifact.get("key") or row.checkpoint,
        row.config,
        row.timing.get("counts", {}),
        row.accuracy.get("data_sha256", ""),
    )


def described(model: ReferenceModel) -> dict[str, Any]:
    """The description of a model that is not one of our variants; `peer` where it is there for comparison."""
    return model.to_dict() | {"peer": model.role == "reference", "file": Path(model.file).name}


def _network(task: Task) -> dict[str, Any]:
    """What one of our variants is; `speed_only` where its weights are untrained."""
    known = network(task.config.variant, task.config.resolution)
    return known | {"speed_only": True} if task.speed_only else known


@cache
def network(variant: str, resolution: Resolution) -> dict[str, Any]:
    """What the variant is and costs on paper."""
    from models.cost import macs, parameters
    from models.variant import get

    config = get(variant)
    return {
        "parameters": parameters(config),
        "macs": macs(config, resolution),
        "squeeze": config.squeeze,
        "skips": config.skips,
        "head": config.head,
        **({"labels": list(LABELS)} if config.outputs > 1 else {}),
    }


SHARED = 4
"""Frames that the page shows of every network, the same of each."""


def examples(
    masks: NDArray[np.float32], dataset: Dataset, score: Score, labels: NDArray[np.uint8] | None = None
) -> tuple[dict[str, Any], ...]:
    """Overlays of `SHARED` frames that are the same for every network, then of the worst frame with a person.

    Of a network with labels, whose shares (N, H, W, 9) are `labels`, the frames also in the labels' colours.
    """
    chosen = [("shared", index) for index in shared(dataset)]
    peopled = [i for i, label in enumerate(_labels(dataset)) if (label == 1).any()]
    if peopled:
        chosen.append(("worst", min(peopled, key=lambda i: score.per_image[i][1])))
    return tuple(
        {"kind": kind, "frame": score.per_image[index][0], "iou": score.per_image[index][1]}
        | _pictures(*_frame(dataset, index), masks[index], None if labels is None else labels[index])
        for kind, index in chosen
    )


def shared(dataset: Dataset) -> list[int]:
    """Indices of at most `SHARED` frames: the middle ones of clips at even distances, the longest clip first."""
    lengths = [len(clip) for clip in dataset.clips]
    starts = list(accumulate(lengths, initial=0))
    longest_first = sorted(range(len(lengths)), key=lambda clip: -lengths[clip])
    count = min(SHARED, len(lengths))
    chosen = [longest_first[i * len(lengths) // count] for i in range(count)]
    return [starts[clip] + lengths[clip] // 2 for clip in chosen]


def _labels(dataset: Dataset) -> Iterator[Label]:
    return (clip.label(i) for clip in dataset.clips for i in range(len(clip)))


def _frame(dataset: Dataset, index: int) -> tuple[Picture, Label]:
    """The index-th frame of all the dataset's clips in their order."""
    for clip in dataset.clips:
        if index < len(clip):
            return clip.read(index)
        index -= len(clip)
    raise IndexError(f"{dataset.name} has no such frame")


def _pictures(
    picture: Picture, label: Label, mask: NDArray[np.float32], labels: NDArray[np.uint8] | None
) -> dict[str, str]:
    from evaluation.overlay import label_overlay, overlay

    drawn = {"jpeg": _jpeg(overlay(picture, mask, label))}
    return drawn if labels is None else drawn | {"labels_jpeg": _jpeg(label_overlay(picture, labels))}


def _jpeg(laid: Picture) -> str:
    import cv2

    height, width = laid.shape[:2]
    if width > EXAMPLE_WIDTH:
        size = EXAMPLE_WIDTH, round(height * EXAMPLE_WIDTH / width)
        laid = cv2.resize(laid, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    _, jpeg = cv2.imencode(".jpg", laid[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    return base64.b64encode(jpeg.tobytes()).decode()


def _artifact(artifact: Artifact) -> dict[str, Any]:
    instructions = known(artifact.path) if artifact.spec.format == "tflite" else {}
    return ({"instructions": instructions} if instructions else {}) | {
        "key": artifact.key,
        "sha256": artifact.sha256,
        "bytes": artifact.bytes,
        "parity": artifact.parity.to_dict() if artifact.parity else None,
        "graph": artifact.graph,
        "versions": artifact.versions,
    }


def _accuracy(score: Score | None, data: Data) -> dict[str, Any]:
    dataset = data.footage
    credited = {"credits": list(CREDITS)} if dataset.name == NAME else {}
    return (
        (score.to_dict() if score else {})
        | credited
        | {
            "data": dataset.name,
            "description": dataset.description,
            "problems": list(dataset.problems),
            "masks": list(dataset.masks),
            "data_sha256": data.sha256,
        }
    )


def _timing(result: Result, counts: Counts) -> dict[str, Any]:
    names = ("model_ns", "pipeline_ns", "load_ns", "first_ns", "warm_up", "peak_memory_bytes", "instructions_per_frame")
    there = {
        name: found
        for name in ("estimate", "sustained", "energy", "paired", "repeats")
        if (found := getattr(result, name))
    }
    switched = ("model_switched", "pipeline_switched")
    there |= {name: found for name in switched if (found := getattr(result, name)) is not None}
    return {name: getattr(result, name) for name in names} | there | {"counts": asdict(counts)}
