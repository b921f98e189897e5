"""Job and result folders: how a runner is told what to do, and how its answer is believed.

A job folder holds `job.json`, the model and `frames.u8`; the runner adds `masks.f32` (or `masks.u8`) and, last of
all, `result.json`, whose last key is `"end": "done"`. An answer without that end, or of the wrong size, is refused in
one sentence. Paths inside the folder are written relative to it, so that the folder can be pushed to a device whole;
a runner on this machine may be given absolute ones instead.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.contract import Config, Counts, Environment, Job, MeasurementFailed, Result
from models.labels import LABELS
from models.reference import ReferenceModel
from models.segmenter import BadMask, check_mask
from models.variant import get

END = {"end": "done"}
LABELS_FILE = "labels.u8"


def gives_labels(job: Job) -> bool:
    """Whether the model is a network of ours with labels."""
    try:
        return not job.reference and get(job.config.variant).outputs > 1
    except ValueError:  # A name that is no variant is no network of ours.
        return False


def write(folder: Path, job: Job, frames: NDArray[np.uint8]) -> Path:
    """Make `folder` a job complete in itself and return it: the model copied in, `frames` (N, H, W, 3) as frames.u8.

    `job.frames` is not read. ValueError when the frames do not fit the job.
    """
    folder.mkdir(parents=True, exist_ok=True)
    inside = replace(job, model=_copy_model(job.model, folder), frames=write_frames(folder / "frames.u8", frames))
    read_frames(inside)
    return describe(folder, inside)


def describe(folder: Path, job: Job) -> Path:
    """Write job.json alone into `folder` and return the folder; the model and the frames stay where they lie."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {"model": _relative(job.model, folder), "frames": _relative(job.frames, folder)}
    values = asdict(job)
    (folder / "job.json").write_text(json.dumps(values.pop("config") | values | paths, indent=1) + "\n")
    return folder


def read(folder: Path) -> Job:
    """The job in `folder`, its paths absolute."""
    values = json.loads((folder / "job.json").read_text())
    height, width = values["resolution"]
    told = {field.name: values[field.name] for field in fields(Config)}
    return Job(
        Config(**told | {"resolution": (height, width)}),
        (folder / values["model"]).absolute(),
        (folder / values["frames"]).absolute(),
        tuple(values["sequences"]),
        Counts(**values["counts"]),
        ReferenceModel.from_dict(values["reference"]) if values.get("reference") else None,
    )


def write_frames(path: Path, frames: NDArray[np.uint8]) -> Path:
    """Write (N, H, W, 3) uint8 RGB raw and return `path`; several jobs may share one such file."""
    np.ascontiguousarray(frames, np.uint8).tofile(path)
    return path


def read_frames(job: Job) -> NDArray[np.uint8]:
    """The job's frames (N, H, W, 3) uint8 RGB, mapped read-only. ValueError when they do not fit its sequences."""
    height, width = job.config.resolution
    count, rest = divmod(job.frames.stat().st_size, height * width * 3)
    if rest or count == 0 or count != sum(job.sequences):
        raise ValueError(
            f"{job.frames.name} holds {count} frames of {width}x{height}"
            + (f" and {rest} bytes more" if rest else "")
            + f", but the sequences add up to {sum(job.sequences)}"
        )
    return np.memmap(job.frames, np.uint8, "r", shape=(count, height, width, 3))


def write_result(folder: Path, result: Result) -> Path:
    """Write the masks, then result.json in one step, so that it is never half there. Returns its path."""
    np.ascontiguousarray(result.masks, np.float32).tofile(folder / "masks.f32")
    if result.labels is not None:
        np.ascontiguousarray(result.labels, np.uint8).tofile(folder / LABELS_FILE)
    values = {key: value for key, value in vars(result).items() if key not in ("masks", "labels")}
    values["environment"] = asdict(result.environment)
    whole, part = folder / "result.json", folder / "result.json.part"
    part.write_text(json.dumps(values | END) + "\n")
    os.replace(part, whole)
    return whole


def read_result(folder: Path) -> Result:
    """The answer to the job in `folder`. MeasurementFailed when it is missing, truncated or invalid."""
    values = read_ended(folder / "result.json")
    masks = _read_masks(folder)
    environment = Environment(
        facts=values.get("environment", {}).get("facts", {}),
        hazards=tuple(values.get("environment", {}).get("hazards", ())),
    )
    times = {key: tuple(values.get(key, ())) for key in ("model_ns", "pipeline_ns", "sustained", "repeats")}
    told = {key: values.get(key) for key in ("model_switched", "pipeline_switched")}
    times |= {key: tuple(indices) for key, indices in told.items() if indices is not None}
    try:
        return Result(**values | times | {"masks": masks, "labels": _read_labels(folder), "environment": environment})
    except TypeError as error:
        raise MeasurementFailed(f"result.json does not fit the contract: {error}") from None


def read_ended(path: Path) -> dict[str, Any]:
    """The values of a result.json without its end marker. MeasurementFailed when it is missing or truncated."""
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError:
        raise MeasurementFailed("the runner left no result.json") from None
    except ValueError:
        raise MeasurementFailed("result.json is not whole: the runner was cut off while writing it") from None
    except RecursionError:
        raise MeasurementFailed("result.json is nested too deeply to be a result") from None
    if not isinstance(values, dict) or list(values)[-1:] != ["end"] or values.pop("end") != "done":
        raise MeasurementFailed("result.json has no end marker: the runner did not finish")
    return values


def _read_masks(folder: Path) -> NDArray[np.float32]:
    job = read(folder)
    shape = (sum(job.sequences), *job.config.resolution)
    path = folder / "masks.u8" if (folder / "masks.u8").exists() else folder / "masks.f32"
    kind = np.uint8 if path.suffix == ".u8" else np.float32
    if not path.exists():
        raise MeasurementFailed("the runner left no masks")
    raw = np.fromfile(path, np.uint8)
    if raw.size != (expected := int(np.prod(shape)) * np.dtype(kind).itemsize):
        raise MeasurementFailed(f"{path.name} holds {raw.size} bytes where {shape[0]} masks take {expected}")
    masks = raw.view(kind).reshape(shape).astype(np.float32)
    return check_masks(masks / np.float32(255) if kind is np.uint8 else masks)


def _read_labels(folder: Path) -> NDArray[np.uint8] | None:
    job, path = read(folder), folder / LABELS_FILE
    if not path.exists():
        return None
    shape = (sum(job.sequences), *job.config.resolution, len(LABELS))
    raw = np.fromfile(path, np.uint8)
    if raw.size != (expected := int(np.prod(shape))):
        raise MeasurementFailed(f"{path.name} holds {raw.size} bytes where {shape[0]} frames take {expected}")
    return raw.reshape(shape)


def check_masks(masks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same masks; MeasurementFailed when they hold values that no mask has."""
    try:
        return check_mask(masks)
    except BadMask as reason:
        raise MeasurementFailed(str(reason)) from None


def _copy_model(model: Path, folder: Path) -> Path:
    """Copy all files of a model; return the copy."""
    from converters.cache import copy as copy_artifact

    copy = folder / model.name
    copy_artifact(model, copy)
    return copy


def _relative(path: Path, folder: Path) -> str:
    path, folder = path.absolute(), folder.absolute()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)
