"""The networks of an exported page: converted, and what this machine gets from each on the page's pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from converters.artifact import Artifact, Failure, Format, Spec
from devices.contract import Config
from devices.data import Data, prepare
from devices.plan import Options, Task, Weights, spec_of
from devices.plan import make as make_plan
from models.peer import ReferenceModel
from models.variant import Resolution

if TYPE_CHECKING:
    from converters.build import Progress
    from evaluation.clip import Dataset

FORMATS: tuple[Format, ...] = ("tflite", "onnx")
VARIANTS = ("live", "live-fast", "s16-skip-plain")
REFERENCE = "mediapipe-selfie"


class NotExportable(ValueError):
    """What was asked for cannot be on a page; the text says why, in one sentence."""


@dataclass(frozen=True)
class Network:
    """One network of the page."""

    variant: str
    format: str
    precision: str
    resolution: Resolution
    checkpoint: str
    """Hash of what it is of."""
    sha256: str
    """Of the model's file."""
    path: Path
    reference: ReferenceModel | None
    expected: Mapping[str, Any]
    """iou, boundary_f, dtssd, per_image [[name, iou, boundary_f], ...] of this machine's masks."""
    data_sha256: str

    def to_dict(self) -> dict[str, Any]:
        """What a manifest tells of it, JSON types only."""
        return {
            "variant": self.variant,
            "format": self.format,
            "precision": self.precision,
            "resolution": list(self.resolution),
            "reference": self.reference.licence if self.reference else None,
            "checkpoint": self.checkpoint,
            "sha256": self.sha256,
            "bytes": self.path.stat().st_size,
            "data_sha256": self.data_sha256,
            "expected": dict(self.expected),
        }

    @property
    def name(self) -> str:
        height, width = self.resolution
        return f"{self.variant}.{self.format}.{self.precision}.{height}x{width}"


def tasks(options: Options, references: Sequence[ReferenceModel], weights: Mapping[str, Weights]) -> list[Task]:
    """What is to be on a page, the reference models last. NotExportable for what no page can run."""
    for format in options.formats:
        if format not in FORMATS:
            raise NotExportable(f"a browser runs {' and '.join(FORMATS)}, not {format}")
    if "tflite" in options.formats and "int8" in options.precisions:
        raise NotExportable("LiteRT.js takes no int8 tensors: export int8 with --formats onnx")
    for reference in references:
        if reason := _unfit(reference):
            raise NotExportable(f"{reference.name} cannot be on a page: {reason}")
    asked = list(make_plan(options, weights).tasks)
    if absent := [task.config.variant for task in asked if not task.possible]:
        raise NotExportable(f"{absent[0]} has no checkpoint yet; train.py makes one")
    return asked + [reference_task(reference) for reference in references]


def reference_task(reference: ReferenceModel) -> Task:
    """What brings a reference model to a page."""
    config = Config(reference.name, reference.format, reference.precision, reference.resolution, "web")
    weights = Weights(Path(reference.file), reference.sha256)
    return Task(config, peer=reference, spec=spec_of(config, weights))


def _unfit(reference: ReferenceModel) -> str | None:
    """Why a page cannot give a reference model its frames as it wants them; None when it can."""
    plain = not any(reference.mean) and set(reference.std) == {1.0} and reference.colour == "RGB"
    fit = reference.fit == "stretch" and reference.previous_mask is None and reference.channel == 0
    if reference.format != "tflite" or reference.layout != "NHWC" or reference.precision == "int8":
        return "a page takes reference models in TFLite, NHWC, with floating-point tensors"
    if not (plain and fit and reference.output == "probabilities"):
        return "a page gives RGB in [0, 1], stretched, and takes one channel of probabilities"
    return "its weights are untrained" if reference.speed_only else None


def make(asked: Sequence[Task], sample: Dataset, progress: Progress | None = None) -> list[Network]:
    """Convert what is asked for and run it here on the page's pictures. NotExportable with the reason of a failure."""
    from converters.build import build
    from converters.peer import bring

    made = build([task.spec for task in asked if task.spec and not task.peer], progress)
    made |= {task.spec: bring(task.peer, task.spec) for task in asked if task.peer and task.spec}
    data = prepare(sample, asked)
    return [network_of(task, made[cast(Spec, task.spec)], data.for_task(task)) for task in asked]


def network_of(task: Task, artifact: Artifact | Failure, data: Data) -> Network:
    """The artifact of `task`, and what it gives here on `data`. NotExportable when there is none."""
    if isinstance(artifact, Failure):
        raise NotExportable(f"{task.config.variant}: {artifact.reason}")
    if artifact.parity and artifact.parity.tolerance_exceeded:
        raise NotExportable(f"{task.config.variant}: {artifact.parity.tolerance_exceeded}")
    config = task.config
    return Network(
        config.variant,
        config.format,
        config.precision,
        config.resolution,
        task.source_sha,
        hashlib.sha256(artifact.path.read_bytes()).hexdigest(),
        artifact.path,
        task.peer,
        _expected(task, artifact.path, data),
        data.sha256,
    )


def _expected(task: Task, model: Path, data: Data) -> dict[str, Any]:
    from devices.open_model import load
    from evaluation.score import predict, score

    masks = predict(load(task.config, model, task.peer), data.frames, data.sequences)
    found = score(masks.astype(np.float32), data.footage)
    names = ("iou", "boundary_f", "dtssd")
    return {name: getattr(found, name) for name in names} | {"per_image": [list(one) for one in found.per_image]}
