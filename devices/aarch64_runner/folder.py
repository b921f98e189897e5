"""A job as the C runner reads it: job.txt, "name value" lines, beside the folder's job.json."""

from __future__ import annotations

import os
from pathlib import Path

from devices import job as jobs
from devices.aarch64_runner import pack
from devices.contract import Job, MeasurementFailed

MODEL, FRAMES = "model.tflite", "frames.u8"
QUESTION = ("job.txt", MODEL, FRAMES)
ANSWER = ("masks.f32", "result.json")


def describe(folder: Path, job: Job, cpus: int = 0, measure: bool = True) -> Path:
    """Lay `job` out in `folder` and return it; the frames are a link to where they lie.

    `cpus` is the mask of processors to be bound to, one bit each, 0 for none. `measure` False scores only and marks
    the frames for an instruction counter. MeasurementFailed for a format the runner cannot run.
    """
    if job.config.format != "tflite":
        raise MeasurementFailed(f"the AArch64 runner runs tflite, not {job.config.format}")
    if job.config.unit != "cpu":
        raise MeasurementFailed(f"the AArch64 runner runs on the cpu, not on the {job.config.unit}")
    check_reference(job, "the AArch64 runner")
    jobs.describe(folder, job)
    (folder / MODEL).write_bytes(pack.inside(job.model.read_bytes()))
    os.symlink(job.frames.absolute(), folder / FRAMES)
    (folder / "job.txt").write_text(text(job, cpus, measure))
    return folder


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
    if reference and reference.output_name and len(outputs := _outputs(job.model)) > 1:
        raise MeasurementFailed(f"{runner} takes the only output of a model; {reference.name} has {', '.join(outputs)}")


def _outputs(model: Path) -> list[str]:
    from converters.inspection.read_tflite import read

    return [port.name for port in read(model).outputs]


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
    return "".join(f"{name} {value}\n" for name, value in values.items())
