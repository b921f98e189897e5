"""A job as the C runner reads it: job.txt, "name value" lines, beside the folder's job.json."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from devices import job as jobs
from devices.aarch64_runner import pack
from devices.contract import Job, MeasurementFailed
from models.labels import BACKGROUND, LABELS

MODEL, FRAMES = "model.tflite", "frames.u8"
QUESTION = ("job.txt", MODEL, FRAMES)
MASKS, RESULT = "masks.f32", "result.json"


def answer(job: Job) -> tuple[str, ...]:
    """The files that the runner leaves: of a network with labels also these."""
    return (MASKS, jobs.LABELS_FILE, RESULT) if jobs.gives_labels(job) else (MASKS, RESULT)


def describe(folder: Path, job: Job, cpus: int = 0, measure: bool = True) -> Path:
    """Lay `job` out in `folder` and return it; the frames are a link to where they lie.

    `cpus` is the mask of processors to be bound to, one bit each, 0 for none. `measure` False scores only and marks
    the frames for an instruction counter. MeasurementFailed for a format the runner cannot run.
    """
    if job.config.format != "tflite":
        raise MeasurementFailed(f"the AArch64 runner runs tflite, not {job.config.format}")
    if job.config.unit != "cpu":
        raise MeasurementFailed(f"the AArch64 runner runs on the cpu, not on the {job.config.unit}")
    spoken = usage(job)
    jobs.describe(folder, job)
    (folder / MODEL).write_bytes(pack.inside(job.model.read_bytes()))
    os.symlink(job.frames.absolute(), folder / FRAMES)
    (folder / "job.txt").write_text(text(job, cpus, measure) + spoken)
    return folder


def usage(job: Job) -> str:
    """The lines of job.txt that say how a model's frames and output are encoded; none for a mask network of ours.

    The person of a network with labels is whatever is not background.
    MeasurementFailed, naming the field, for what the runner does not take: another layout than NHWC, a mask or a state
    that goes in, classes but two of logits, and several outputs.
    """
    reference = job.reference
    if jobs.gives_labels(job):
        return _lines({"channels": len(LABELS), "channel": BACKGROUND, "inverted": 1, "labels": 1})
    if not reference:
        return ""
    if reference.label_classes:
        raise MeasurementFailed(
            f"the AArch64 runner takes labels of our own networks alone, not those of {reference.name}"
        )
    alone = {"layout": "NHWC", "previous_mask": None, "stacked_mask": False, "states": (), "constants": ()}
    foreign = [name for name, value in alone.items() if getattr(reference, name) != value]
    channels = 0 if foreign else _channels(job, "the AArch64 runner")
    two = reference.output == "class-logits" and channels == 2
    one = reference.output in ("probabilities", "pixels", "logits")
    if not foreign and not (one or two):
        foreign.append("output")
    if not foreign and reference.person_classes and not (two and len(reference.person_classes) == 1):
        foreign.append("person_classes")
    if foreign:
        raise MeasurementFailed(
            "the AArch64 runner takes a picture in NHWC and gives one channel, or the logits of two classes; "
            f"{reference.name} has {foreign[0]} of its own"
        )
    person = reference.person_classes[0] if reference.person_classes else range(channels)[reference.channel]
    values = {
        "mean": _three(reference.mean),
        "std": _three(reference.std),
        "bgr": int(reference.colour == "BGR"),
        "channels": channels,
        "channel": person,
        "logits": 0 if not reference.output.endswith("logits") else 2 if two else 1,
        "inverted": int(reference.inverted),
        "whole": 255 if reference.output == "pixels" else 1,
    }
    return _lines(values)


def _three(numbers: Sequence[float]) -> str:
    return " ".join(f"{number:.9g}" for number in numbers)


def _channels(job: Job, runner: str) -> int:
    """Channels of a model's only output, of the picture's sides. MeasurementFailed where it is otherwise."""
    from converters.inspection.read_tflite import read

    assert job.reference
    outputs = read(job.model).outputs
    if len(outputs) > 1:
        listed = ", ".join(port.name for port in outputs)
        raise MeasurementFailed(f"{runner} takes the only output of a model; {job.reference.name} has {listed}")
    height, width = job.config.resolution
    channels, rest = divmod(math.prod(side or 1 for side in outputs[0].shape), height * width)
    if rest or not channels or (job.reference.output_layout not in (None, "NHWC", "flat-NHWC") and channels > 1):
        raise MeasurementFailed(f"{runner} takes a mask of {height}x{width}, its channels last")
    return channels


def check_reference(job: Job, runner: str) -> None:
    """MeasurementFailed for a reference model whose input or output is not encoded as ours is."""
    plain = {
        "layout": "NHWC",
        "colour": "RGB",
        "mean": (0.0,) * 3,
        "std": (1.0,) * 3,
        "output": "probabilities",
        "channel": 0,
        "person_classes": (),
        "inverted": False,
        "previous_mask": None,
        "stacked_mask": False,
        "states": (),
        "constants": (),
    }
    reference = job.reference
    if reference and (foreign := [name for name, value in plain.items() if getattr(reference, name) != value]):
        raise MeasurementFailed(
            f"{runner} gives RGB in [0, 1] and takes the person's probability; "
            f"{reference.name} has {foreign[0]} of its own"
        )
    if reference and reference.output_name:
        _channels(job, runner)


def text(job: Job, cpus: int, measure: bool) -> str:
    """The content of job.txt."""
    height, width = job.config.resolution
    values = {
        "model": MODEL,
        "height": height,
        "width": width,
        "threads": job.config.threads,
        "cpus": f"{cpus:x}",
        "measure": int(measure),
        "warm_up_least": job.counts.warm_up_least,
        "warm_up_seconds": job.counts.warm_up_seconds,
        "samples": job.counts.samples,
        "seconds": job.counts.seconds,
        "sustained": job.counts.sustained,
        "sequences": " ".join(str(number) for number in (len(job.sequences), *job.sequences)),
    }
    return _lines(values)


def _lines(values: Mapping[str, object]) -> str:
    return "".join(f"{name} {value}\n" for name, value in values.items())
