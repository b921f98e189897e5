"""The networks of an exported page: converted, and what this machine gets from each on the page's pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from converters.artifact import Artifact, Failure, Format, Spec
from devices.contract import Config
from devices.data import Data, prepare
from devices.plan import Options, Task, Weights, spec_of
from devices.plan import make as make_plan
from models.reference import ReferenceModel
from models.variant import Resolution

if TYPE_CHECKING:
    from converters.build import Progress
    from evaluation.clip import Dataset

FORMATS: tuple[Format, ...] = ("tflite", "onnx")
VARIANTS = ("live", "live-fast", "s16-skip-plain")
REFERENCE = "mediapipe-selfie"
PREVIOUS = "prev_mask"
"""The input of this name is the previous mask, to page/litert.js."""


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
    described: ReferenceModel | None
    """What it is when it is not one of this project's variants."""
    expected: Mapping[str, Any]
    """iou, boundary_f, dtssd, per_image [[name, iou, boundary_f], ...] of this machine's masks."""
    data_sha256: str

    def to_dict(self) -> dict[str, Any]:
        """What a manifest tells of it, JSON types only."""
        described = self.described
        return {
            "variant": self.variant,
            "format": self.format,
            "precision": self.precision,
            "resolution": list(self.resolution),
            "reference": described.licence if described and described.role == "reference" else None,
            "described": described.to_dict() | {"file": Path(described.file).name} if described else None,
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


def tasks(
    options: Options,
    references: Sequence[ReferenceModel],
    weights: Mapping[str, Weights],
    yours: Sequence[ReferenceModel] = (),
) -> list[Task]:
    """What is to be on a page: variants, models of the user's, then reference models.

    NotExportable for what no page can run.
    """
    for format in options.formats:
        if format not in FORMATS:
            raise NotExportable(f"a browser runs {' and '.join(FORMATS)}, not {format}")
    if "tflite" in options.formats and "int8" in options.precisions:
        raise NotExportable("LiteRT.js takes no int8 tensors: export int8 with --formats onnx")
    if sum(one.role == "reference" for one in (*yours, *references)) > 1:
        raise NotExportable("a page has one reference model; name it with --references, or leave that at none")
    for reference in (*yours, *references):
        if reason := _unfit(reference):
            raise NotExportable(f"{reference.name} cannot be on a page: {reason}")
    asked = list(make_plan(options, weights).tasks)
    if absent := [task.config.variant for task in asked if not task.possible]:
        raise NotExportable(f"{absent[0]} has no checkpoint yet; train.py makes one")
    return asked + [described_task(reference) for reference in (*yours, *references)]


def described_task(reference: ReferenceModel) -> Task:
    """What brings a described model to a page: a reference model, or one of the user's."""
    config = Config(reference.name, reference.format, reference.precision, reference.resolution, "web")
    weights = Weights(Path(reference.file), reference.sha256)
    return Task(config, reference=reference, spec=spec_of(config, weights))


def _unfit(reference: ReferenceModel) -> str | None:
    """Why a page cannot give a described model its frames as it wants them; None when it can."""
    plain = not any(reference.mean) and set(reference.std) == {1.0} and reference.colour == "RGB"
    # Exporters put this before a signature's names in the graph; LiteRT.js tells the signature's.
    mask = (reference.previous_mask or PREVIOUS).removeprefix("serving_default_")
    fit = reference.fit == "stretch" and mask == PREVIOUS and reference.channel == 0
    more = reference.states or reference.constants or reference.stacked_mask
    if reference.format != "tflite" or reference.layout != "NHWC" or reference.precision == "int8":
        return "a page takes such models in TFLite, NHWC, with floating-point tensors"
    if not (plain and fit and reference.output == "probabilities"):
        return "a page gives RGB in [0, 1], stretched, and takes one channel of probabilities"
    if more or reference.inverted or reference.person_classes:
        return f"a page feeds the picture, and the previous mask as the input {PREVIOUS}, and takes the person's mask"
    return "its weights are untrained" if reference.speed_only else None


def make(asked: Sequence[Task], sample: Dataset, progress: Progress | None = None) -> list[Network]:
    """Convert what is asked for and run it here on the page's pictures. NotExportable with the reason of a failure."""
    from converters.build import build
    from converters.references import bring

    made = build([task.spec for task in asked if task.spec and not task.reference], progress)
    made |= {task.spec: bring(task.reference, task.spec) for task in asked if task.reference and task.spec}
    data = prepare(sample, asked)
    return [network_of(task, made[cast(Spec, task.spec)], data.for_task(task)) for task in asked]


def network_of(task: Task, artifact: Artifact | Failure, data: Data) -> Network:
    """The artifact of `task`, and what it gives here on `data`. NotExportable when there is none."""
    if isinstance(artifact, Failure):
        raise NotExportable(f"{task.config.variant}: {artifact.reason}")
    if artifact.parity and artifact.parity.tolerance_exceeded:
        raise NotExportable(f"{task.config.variant}: {artifact.parity.tolerance_exceeded}")
    config = task.config
    if task.reference and not _is_one_mask(artifact.path, config.resolution):
        raise NotExportable(
            f"{config.variant} cannot be on a page: its one output is to be the mask, of its input's size"
        )
    return Network(
        config.variant,
        config.format,
        config.precision,
        config.resolution,
        task.source_sha,
        hashlib.sha256(artifact.path.read_bytes()).hexdigest(),
        artifact.path,
        task.reference,
        _expected(task, artifact.path, data),
        data.sha256,
    )


def _is_one_mask(path: Path, resolution: Resolution) -> bool:
    """Whether a file has one output, and that a number for each pixel of its input."""
    from converters.inspection.describe import read

    outputs = read(path).outputs
    return len(outputs) == 1 and prod(side or 0 for side in outputs[0].shape) == prod(resolution)


def _expected(task: Task, model: Path, data: Data) -> dict[str, Any]:
    from devices.open_model import load
    from evaluation.score import predict, score

    masks = predict(load(task.config, model, task.reference), data.frames, data.sequences)
    found = score(masks.astype(np.float32), data.footage)
    names = ("iou", "boundary_f", "dtssd")
    return {name: getattr(found, name) for name in names} | {"per_image": [list(one) for one in found.per_image]}
