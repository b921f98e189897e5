"""What a converter makes, and what it is made from, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from converters.processor import Processor
from models.variant import Resolution

Format = Literal["onnx", "tflite", "openvino", "coreml"]
Precision = Literal["fp32", "fp16", "int8"]
FORMATS: tuple[Format, ...] = ("onnx", "tflite", "openvino", "coreml")
PRECISIONS: tuple[Precision, ...] = ("fp32", "fp16", "int8")


@dataclass(frozen=True)
class Spec:
    """One artifact to be made: which checkpoint, into what."""

    variant: str
    checkpoint: Path
    checkpoint_sha: str
    format: Format
    precision: Precision
    resolution: Resolution

    @property
    def name(self) -> str:
        height, width = self.resolution
        return f"{self.variant}.{self.format}.{self.precision}.{height}x{width}"


@dataclass(frozen=True)
class Parity:
    """How far an artifact's masks deviate from its checkpoint's, on real frames with the mask fed back."""

    frames: int
    max_difference: float
    mean_difference: float
    iou_loss_points: float
    tolerance: dict[str, float]
    tolerance_exceeded: str | None = None
    """Which limits are exceeded, in one sentence; None when none is."""
    processor: Processor | None = None
    """Where it was measured; None in what was written before this was recorded."""
    label_loss_points: float | None = None
    """Of a network with labels, how far its label maps are from the checkpoint's; None for a mask."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Parity:
        """The inverse of `dataclasses.asdict` and of `to_dict`, through JSON too."""
        renamed = {("tolerance_exceeded" if key == "breach" else key): value for key, value in values.items()}
        processor = values.get("processor")
        return cls(**renamed | {"processor": Processor.from_dict(processor) if processor else None})

    def to_dict(self) -> dict[str, Any]:
        """With the keys of a row, where `tolerance_exceeded` is `breach`; those of labels only where there are any."""
        kept = {key: value for key, value in asdict(self).items() if (key, value) != ("label_loss_points", None)}
        return {("breach" if key == "tolerance_exceeded" else key): value for key, value in kept.items()}

    @property
    def ok(self) -> bool:
        return self.tolerance_exceeded is None


@dataclass(frozen=True)
class Artifact:
    """A converted model on disk (a file, or a folder for Core ML; OpenVINO's .bin lies beside its .xml)."""

    spec: Spec
    key: str
    """Hash of checkpoint, format, precision, resolution, converter versions and options."""
    path: Path
    bytes: int
    sha256: str
    graph: dict[str, Any] = field(default_factory=dict)
    """{"ops": {name: count}, "leftovers": {"TRANSPOSE": n, "PAD": n, "RESHAPE": n}} in the format's own names."""
    versions: dict[str, str] = field(default_factory=dict)
    parity: Parity | None = None


@dataclass(frozen=True)
class Failure:
    """An artifact that could not be made: a failed configuration's reason, in one sentence."""

    spec: Spec
    reason: str
