"""The plan of a run: from options and checkpoints to conversions and configurations. It touches no device."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from converters.artifact import FORMATS, Format, Precision, Spec
from converters.registry import converter
from devices.contract import Config, Counts, Unit
from models.labels import LABELS
from models.reference import ReferenceModel
from models.segmenter import ResizeMode
from models.variant import Resolution, get, match

NONE = "none"
"""Instead of names of variants: none of ours."""

BASELINE = "pytorch"
"""The checkpoint itself under PyTorch, in float32: the row that every format is compared with."""

CELL_FORMATS: tuple[str, ...] = (BASELINE, *FORMATS)

MAIN_FORMATS: tuple[Format, ...] = ("tflite", "onnx", "openvino")
"""The formats whose runtimes measure speed on any desktop, the first being the phones' own."""

RECOMMENDED = ("live", "live-fast", "live-best")
"""The networks to start from; the others are an ablation."""

CORNERS = ("s4-skip-dense", "s4-noskip-dense", "s16-skip-dense", "s16-noskip-dense")
"""Of the reference set, what a default run measures in every format: two squeezes, with and without skips."""

COUNT_SECONDS = 1.5
"""What a count of ARM instructions took on two x86-64 cores, two being counted at once."""

BASELINE_SECONDS = 4.0
"""What one row of the baseline, beside its counted seconds, took on two x86-64 cores; for the estimate only."""


@dataclass(frozen=True)
class Options:
    """What the user asked for, checked by `make`."""

    device: str = "desktop"
    unit: Unit = "cpu"
    variants: str = "*"
    formats: tuple[str, ...] = CELL_FORMATS
    precisions: tuple[Precision, ...] = ("fp32",)
    resolution: Resolution | None = None
    """None: each variant's own."""
    threads: int = 1
    counts: Counts = Counts()
    references: tuple[ReferenceModel, ...] = ()
    """Measured beside the variants, each at its own resolution and precision, if its format is among `formats`."""
    shard: tuple[int, int] = (1, 1)
    """(i, n): the i-th of n machines, from 1, takes every n-th configuration."""


@dataclass(frozen=True)
class Weights:
    """A checkpoint on disk, by its content."""

    path: Path
    sha256: str
    untrained: bool = False
    """Whether its weights are as they were drawn: it has a speed, and its masks say nothing."""


@dataclass(frozen=True)
class Task:
    """A configuration to measure, of a checkpoint or of somebody else's model.

    `spec` is the artifact that must be there before it can be measured (None for the baseline).
    """

    config: Config
    weights: Weights | None = None
    reference: ReferenceModel | None = None
    spec: Spec | None = None

    @property
    def possible(self) -> bool:
        """False when the variant has no checkpoint: such a configuration fails with that reason."""
        return bool(self.weights or self.reference)

    @property
    def speed_only(self) -> bool:
        """Whether its weights are untrained: such a configuration has a speed and no accuracy."""
        return (self.weights is not None and self.weights.untrained) or (
            self.reference is not None and self.reference.speed_only
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """Those of `models.labels` that the network gives; none where it gives a mask alone."""
        if self.reference:
            named = self.reference.label_classes
            return tuple(name for name in LABELS if name == LABELS[0] or name in named) if named else ()
        try:
            return LABELS if get(self.config.variant).outputs > 1 else ()
        except ValueError:  # A name that is no variant is no network of ours.
            return ()

    @property
    def source_sha(self) -> str:
        """The hash of what it is of; empty when there is nothing."""
        return self.weights.sha256 if self.weights else self.reference.sha256 if self.reference else ""

    @property
    def resize_mode(self) -> ResizeMode:
        """How it takes its pictures."""
        return self.reference.fit if self.reference else "stretch"


@dataclass(frozen=True)
class Plan:
    """The configurations of a run in their listed order; a device's runner takes them in the order of `shuffled`."""

    options: Options
    tasks: tuple[Task, ...] = field(repr=False)

    @property
    def specs(self) -> tuple[Spec, ...]:
        """What is to be converted."""
        return tuple(task.spec for task in self.tasks if task.spec and not task.reference)


def make(options: Options, checkpoints: Mapping[str, Weights]) -> Plan:
    """The plan for `options`, given what was trained: variant name to checkpoint.

    Every configuration asked for is in the plan, also one whose variant has no checkpoint. ValueError, in one sentence,
    for options that mean nothing.
    """
    names = [] if options.variants == NONE else match(options.variants)
    return _plan(options, _tasks(options, names, options.formats, options.precisions, checkpoints))


def make_default(options: Options, checkpoints: Mapping[str, Weights]) -> Plan:
    """The plan of a run that names no variants, formats or precisions; `options` has the device's formats.

    The recommended networks that have a checkpoint come in float32 and int8 in each of `MAIN_FORMATS` that the device
    takes, the twelve of the reference set in the first of these, and `CORNERS` in the formats that remain. A device
    with no main format has its own formats in place of those. The baseline is left out: it is slow, every artifact's
    parity compares with the checkpoint already, and nobody ships it. ValueError as `make`.
    """
    main: tuple[str, ...] = tuple(name for name in MAIN_FORMATS if name in options.formats)
    main = main or tuple(name for name in options.formats if name != BASELINE)
    others = tuple(name for name in options.formats if name not in (BASELINE, *main[:1]))
    recommended = [name for name in RECOMMENDED if name in checkpoints]
    tasks = _tasks(options, recommended, main, ("fp32", "int8"), checkpoints)
    tasks += _tasks(options, match("*"), main[:1], ("fp32",), checkpoints)
    return _plan(options, tasks + _tasks(options, CORNERS, others, ("fp32",), checkpoints))


def make_beside(options: Options, checkpoints: Mapping[str, Weights]) -> Plan:
    """The plan of a run of the user's models that names no variants: `live` beside them, in one format, a main one if
    there is one."""
    formats = [*(name for name in MAIN_FORMATS if name in options.formats), *options.formats][:1]
    tasks = _tasks(options, ["live"], formats, options.precisions, checkpoints) if "live" in checkpoints else []
    return _plan(options, tasks)


def left_out(options: Options, asked: Sequence[ReferenceModel]) -> list[str]:
    """A sentence for each of the models `asked` for that is not in the plan, as its format is not among those taken."""
    taken = ", ".join(options.formats)
    return [
        f"{one.name} is {one.format}, and {options.device} is to run {taken}; it is left out."
        for one in asked
        if one.format not in options.formats
    ]


def _tasks(
    options: Options,
    names: Sequence[str],
    formats: Sequence[str],
    precisions: Sequence[Precision],
    checkpoints: Mapping[str, Weights],
) -> list[Task]:
    """Each of `names` in each format and precision; the baseline in float32 alone."""
    for name in names:
        get(name).check_resolution(_size(options, name))
    return [
        _task(options, name, format, precision, checkpoints.get(name))
        for name in names
        for format in formats
        for precision in (("fp32",) if format == BASELINE else precisions)
    ]


def _plan(options: Options, tasks: Sequence[Task]) -> Plan:
    """The share of `tasks` and of the reference models that falls to this machine."""
    index, shards = options.shard
    if not 1 <= index <= shards:
        raise ValueError(f"a shard is i/n with i from 1 to n, not {index}/{shards}")
    if options.threads < 1:
        raise ValueError(f"threads start at 1, not {options.threads}")
    beside = [
        _reference_task(options, reference) for reference in options.references if reference.format in options.formats
    ]
    return Plan(options, (*tasks, *beside)[index - 1 :: shards])


def _size(options: Options, variant: str) -> Resolution:
    return options.resolution or get(variant).resolution


def _reference_task(options: Options, reference: ReferenceModel) -> Task:
    config = Config(
        reference.name,
        reference.format,
        reference.precision,
        reference.resolution,
        options.device,
        options.unit,
        options.threads,
    )
    return Task(config, reference=reference, spec=spec_of(config, Weights(Path(reference.file), reference.sha256)))


def _task(options: Options, variant: str, format: str, precision: Precision, weights: Weights | None) -> Task:
    size = _size(options, variant)
    config = Config(variant, format, precision, size, options.device, options.unit, options.threads)
    return Task(config, weights, spec=spec_of(config, weights) if weights and format != BASELINE else None)


def spec_of(config: Config, weights: Weights) -> Spec:
    """The artifact that `config` runs, made from `weights`."""
    format = cast(Format, config.format)
    return Spec(config.variant, weights.path, weights.sha256, format, config.precision, config.resolution)


def shuffled(tasks: Sequence[Task], seed: int) -> list[Task]:
    """The same tasks in a random order, so that a machine that slows down does not slow down one format."""
    return random.Random(seed).sample(tasks, len(tasks))


def identity(measured: str, config: Config, counts: Mapping[str, float], data: str) -> str:
    """The identity of a measurement: a configuration with a finished row of this identity is not measured again.

    `measured` is the artifact's key (the checkpoint's hash for the baseline), `data` the hash of frames and truth.
    """
    where = config.device, config.unit, config.threads
    # A row from before minutes of load or several processes could be asked for says nothing of them.
    asked = {name: count for name, count in counts.items() if (name, count) not in (("sustained", 0), ("repeat", 1))}
    parts = [measured, config.format, *where, config.resolution, asked, data]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def seconds(plan: Plan, converted: Collection[Spec] = ()) -> tuple[float, float]:
    """(converting, measuring): about how long the plan takes on two cores, artifacts in `converted` being at hand."""
    convert = sum(converter(spec.format).SECONDS[0] for spec in plan.specs if spec not in converted)
    counts = plan.options.counts
    # The network alone, then the pipeline for half as long; minutes of load once, the rest in each process.
    counted = 1.5 * counts.seconds + min(1.0, counts.warm_up_seconds)
    each = (_seconds(task.config.format) + counted for task in plan.tasks)
    return convert, counts.repeat * sum(each) + 60 * counts.sustained * len(plan.tasks)


def counted(plan: Plan) -> int:
    """How many counts of ARM instructions the plan takes: each TFLite artifact on each core."""
    from devices.instructions import CORES

    return len(CORES) * len({task.spec for task in plan.tasks if task.spec and task.spec.format == "tflite"})


def _seconds(format: str) -> float:
    return BASELINE_SECONDS if format == BASELINE else converter(cast(Format, format)).SECONDS[1]
