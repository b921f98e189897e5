"""What every way of reaching a device takes and gives back.

A job is a folder: `job.json` (this module's `Job` without the folder), the model file, and `frames.u8` (N, H, W, 3)
uint8 RGB already at the network's resolution. A result is `result.json` with `"end": "done"` as its last key, and
`masks.f32` or `masks.u8` (N, H, W); of a network with labels also `labels.u8` (N, H, W, 9). Success is that end marker,
never an exit code.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from converters.artifact import Precision
from models.reference import ReferenceModel
from models.variant import DEFAULT_RESOLUTION, Resolution

Evidence = Literal["measured", "emulated", "estimated"]
Unit = Literal["cpu", "gpu", "npu"]
UNITS: tuple[Unit, ...] = ("cpu", "gpu", "npu")


@dataclass(frozen=True)
class Counts:
    """How long to measure: warm-up until converged within its bounds, then samples AND seconds, both.

    The defaults let sixty configurations pass on two cores in four minutes; their intervals say what that leaves open.
    """

    warm_up_least: int = 30
    warm_up_seconds: float = 1.0
    samples: int = 50
    seconds: float = 0.5
    sustained: float = 0.0
    """Minutes of load after that, in bins of ten seconds (devices.sustained); 0 for none."""
    repeat: int = 1
    """Fresh processes that measure all of this (devices.repeats)."""


QUICK = Counts(warm_up_seconds=0.7, samples=30, seconds=0.3)
FULL = Counts(warm_up_seconds=8.0, samples=1024, seconds=60.0)


@dataclass(frozen=True)
class Config:
    """What is measured: a network in a format at a precision and an input size, on so many threads of a device's unit.

    `variant` is the name of one of ours or of a reference model; `format` is a converter's, or `pytorch` for the
    checkpoint itself.
    """

    variant: str
    format: str
    precision: Precision = "fp32"
    resolution: Resolution = DEFAULT_RESOLUTION
    device: str = "desktop"
    unit: Unit = "cpu"
    threads: int = 1

    @property
    def name(self) -> str:
        height, width = self.resolution
        return f"{self.variant}/{self.format}/{self.precision}/{height}x{width}/{self.device}/{self.unit}{self.threads}"


@dataclass(frozen=True)
class Job:
    """What a runner is told. `sequences` are clip lengths: the previous mask is zeroed where one begins."""

    config: Config
    model: Path
    frames: Path
    sequences: tuple[int, ...]
    counts: Counts = Counts()
    reference: ReferenceModel | None = None
    """Whose model it is when it is not one of ours."""

    @property
    def time_limit(self) -> float:
        """Seconds after which a runner is surely stuck: three times what it was told, two a frame, two minutes."""
        counts = self.counts
        told = counts.warm_up_seconds + 2 * counts.seconds + 60 * counts.sustained
        return 120.0 + 3.0 * told + 2.0 * (counts.samples + sum(self.sequences))


@dataclass(frozen=True)
class Environment:
    """What the device was while it ran; `facts` is flat (name -> text or number)."""

    facts: dict[str, Any] = field(default_factory=dict)
    hazards: tuple[str, ...] = ()
    """Names of states that spoil a number: thermal, battery, low-power-mode, emulator, throttled-clock, ..."""


@dataclass(frozen=True)
class Result:
    """What a runner returns, raw. Times are nanoseconds of a monotonic clock on the device."""

    masks: NDArray[np.float32]
    """(N, H, W) in [0, 1]: each frame once, in order, the mask fed back inside a sequence."""
    evidence: Evidence
    model_ns: tuple[int, ...] = ()
    """Tensors in, tensors out; a fresh frame each time, the model's own mask fed back. Empty when emulated."""
    pipeline_ns: tuple[int, ...] = ()
    """1280x720 camera frame in, full-size mask out."""
    load_ns: int | None = None
    first_ns: int | None = None
    warm_up: dict[str, Any] = field(default_factory=dict)
    peak_memory_bytes: int | None = None
    model_switched: tuple[int, ...] | None = None
    """Indices in `model_ns` of samples during which a thread was switched out; None where that is not known."""
    pipeline_switched: tuple[int, ...] | None = None
    """The same of `pipeline_ns`."""
    paired: dict[str, Any] = field(default_factory=dict)
    """The network in turn with the fixed reference (devices.desktop.interleaved.Interleaved.to_json, and `reference`),
    or {"reason"} where that could not be; empty on devices that run one network at a time."""
    repeats: tuple[dict[str, Any], ...] = ()
    """Of several processes each one's {"model_ns", "model_switched", "paired"} or {"failed": why}; the rest of this
    result is the median process's."""
    labels: NDArray[np.uint8] | None = None
    """(N, H, W, 9) of a network with labels: their probabilities as shares of 255; the masks are then the person's."""
    sustained: tuple[dict[str, Any], ...] = ()
    """Bins of `devices.sustained.to_json`, where minutes of load were asked for."""
    energy: dict[str, Any] = field(default_factory=dict)
    """Of a frame, {"millijoules", "watts", "frames", "source"}, where the device has a counter."""
    instructions_per_frame: int | None = None
    estimate: dict[str, Any] = field(default_factory=dict)
    """Of evidence estimated alone: `milliseconds`, `low` and `high` of the network, and what they follow from."""
    from_host: dict[str, Any] = field(default_factory=dict)
    """How far the masks are from those this machine makes of the same artifact and frames, where that was looked at:
    {"runtime": "LiteRT 2.3.0", "max_difference": 3e-6, "mean_difference": 1e-7}."""
    placement: dict[str, Any] = field(default_factory=dict)
    """{"runtime": "LiteRT 2.3.0", "requested": "cpu", "actual": "XNNPACK", "delegated": 61, "ops": 61, ...}"""
    environment: Environment = Environment()
    retries: int = 0

    def __eq__(self, other: object) -> bool:
        """Field by field. Arrays are equal when their values are; the generated method would ask for their truth."""
        if not isinstance(other, Result):
            return NotImplemented
        same = np.array_equal(self.masks, other.masks)
        same &= (self.labels is None) == (other.labels is None) and np.array_equal(self.labels, other.labels)  # type: ignore[arg-type]
        rest = [f.name for f in fields(self) if f.name not in ("masks", "labels")]
        return same and all(getattr(self, name) == getattr(other, name) for name in rest)


class MeasurementFailed(Exception):
    """A configuration that could not be measured; its text is the row's reason, one sentence."""

    retries: int = 0
    """How often it was tried again before it was given up."""


class Runner(Protocol):
    """One way of reaching one device."""

    def run(self, job: Job) -> Result:
        """Measure one configuration, or raise MeasurementFailed. Never anything else for what a device does."""
        ...


@runtime_checkable
class Prefetchable(Protocol):
    """A runner that can prepare a configuration's process while the previous configuration is judged."""

    def prefetch(self, job: Job) -> None:
        """Prepare `job`, which is run next. All of this has ended, or sleeps, before its times are measured."""
        ...

    def close(self) -> None:
        """End processes that still wait for a job."""
        ...


class Probe(Protocol):
    def read(self) -> Environment: ...
