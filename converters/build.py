"""Checkpoints in, artifacts out: cached, each format in processes of its own.

`build` never raises for what a converter does. A worker that dies costs the spec it was at, and a new one goes on.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from converters import processor
from converters.artifact import Artifact, Failure, Format, Spec
from converters.cache import Cache, code, copy, key
from converters.child import Child
from converters.registry import converter
from converters.serialization import artifact_of, encode_artifact, encode_spec
from models.files import check_outputs
from models.scratch import scratch
from models.variant import Resolution

if TYPE_CHECKING:
    from evaluation.clip import Dataset

WORKER = (sys.executable, "-m", "converters.worker")
WORTH_A_SECOND = 4
"""Waiting jobs of a format for which a second worker pays its start, some five seconds of a processor."""


@dataclass(frozen=True)
class Event:
    """One step of one spec. `outcome` comes with `done`, the last event of a spec, alone."""

    spec: Spec
    stage: Literal["converting", "checking", "done"]
    outcome: Artifact | Failure | None = None
    cached: bool = False


Progress = Callable[[Event], None]


class NotConverted(ValueError):
    """An artifact that could not be made or exceeds the parity tolerance; its text is one sentence."""


def build(
    specs: Iterable[Spec],
    progress: Progress | None = None,
    footage: Dataset | None = None,
    cache: Cache | None = None,
    worker: tuple[str, ...] = WORKER,
    believe_parity: bool = True,
) -> dict[Spec, Artifact | Failure]:
    """Every spec's artifact, in the order given, from the cache where it is there, or the reason why there is none.

    Parity is measured again for a cached artifact whose parity was measured on another kind of processor, and without
    `believe_parity` for every cached one.
    An artifact that exceeds the parity tolerance is returned too, and `parity.tolerance_exceeded` says why. `footage`
    gives the frames for calibration and parity, by default the embedded sample. `progress` is called from this thread.
    KeyboardInterrupt ends the workers at once and leaves no partial artifact.
    """
    wanted = list(dict.fromkeys(specs))
    cache = cache or Cache.default()
    tell = progress or (lambda event: None)
    done: dict[Spec, Artifact | Failure] = {}
    with scratch("calibration") as folder:
        jobs: dict[Format, list[Job]] = {}
        for job in _jobs(wanted, footage, cache, folder):
            if isinstance(job, Failure):
                done[job.spec] = job
                tell(Event(job.spec, "done", job))
            elif job.found and believe_parity and proven_here(job.found):
                done[job.spec] = job.found
                tell(Event(job.spec, "done", job.found, cached=True))
            else:
                jobs.setdefault(job.spec.format, []).append(job)
        if jobs:
            done |= asyncio.run(_convert(jobs, cache, tell, worker))
    return {spec: done[spec] for spec in wanted}


def cached(
    specs: Iterable[Spec], footage: Dataset | None = None, cache: Cache | None = None
) -> dict[Spec, Artifact | Failure]:
    """Those of `specs` that are in the cache, whichever processor proved their parity, and those that cannot be made
    here. Nothing is converted."""
    with scratch("calibration") as folder:
        jobs = _jobs(list(dict.fromkeys(specs)), footage, cache or Cache.default(), folder)
    return {job.spec: found for job in jobs if (found := job if isinstance(job, Failure) else job.found)}


def convert_one(spec: Spec, out: Path, progress: Progress | None = None, cache: Cache | None = None) -> Artifact:
    """One artifact at the path `out`. NotConverted says why not; ValueError when `out` has not the format's suffix."""
    suffix = converter(spec.format).SUFFIX
    if out.suffix != suffix:
        raise ValueError(f"{out}: an artifact of {spec.format} is called something{suffix}")
    check_place(out, spec)
    made = build([spec], progress, cache=cache)[spec]
    if isinstance(made, Failure):
        raise NotConverted(made.reason)
    if made.parity and made.parity.tolerance_exceeded:
        raise NotConverted(made.parity.tolerance_exceeded)
    out.parent.mkdir(parents=True, exist_ok=True)
    copy(made.path, out)
    return replace(made, path=out)


def check_place(out: Path, spec: Spec) -> None:
    """ValueError, one sentence, where an artifact must not be written: what is there is no artifact."""
    if out.is_dir() and not (out / "Manifest.json").is_file():
        raise ValueError(f"{out}: is a folder that holds no model; give another place to write to")
    if not out.is_dir():
        check_outputs([out], [spec.checkpoint])
    weights = out.with_suffix(".bin")
    if spec.format == "openvino" and weights.exists() and not out.exists():
        raise ValueError(f"{weights}: is there already, and is not the weights of {out.name}; give another name")


@dataclass(frozen=True)
class Job:
    spec: Spec
    key: str
    calibration_data: Path
    found: Artifact | None = None
    """What the cache has under the key, proven on another kind of processor: only its parity is measured again."""


def _jobs(wanted: list[Spec], footage: Dataset | None, cache: Cache, folder: Path) -> list[Job | Failure]:
    """What each spec takes, its calibration data in `folder`, or why it cannot be made here."""
    calibration_sets = _calibration_sets(wanted, footage, folder) if wanted else {}
    jobs: list[Job | Failure] = []
    for spec in wanted:
        if unavailable := converter(spec.format).available():
            jobs.append(Failure(spec, unavailable))
            continue
        calibration_data, sha = calibration_sets[spec.resolution]
        name = key(spec, converter(spec.format).versions(), sha, code(spec.format))
        jobs.append(Job(spec, name, calibration_data, cache.find(name, spec)))
    return jobs


def proven_here(artifact: Artifact) -> bool:
    """Whether the parity was measured with the vector extensions that this processor has: they choose the kernels."""
    proven = artifact.parity.processor if artifact.parity else None
    return proven is not None and proven.extensions == processor.here().extensions


def _calibration_sets(specs: list[Spec], footage: Dataset | None, folder: Path) -> dict[Resolution, tuple[Path, str]]:
    """For each resolution, the frames' file and their hash."""
    from converters.calibration_data import prepare
    from evaluation.sample import embedded

    footage = footage or embedded()
    calibration_sets = {}
    for height, width in {spec.resolution for spec in specs}:
        path = folder / f"{height}x{width}.npz"
        calibration_data = prepare(footage, (height, width))
        calibration_data.save(path)
        calibration_sets[height, width] = path, calibration_data.sha256
    return calibration_sets


async def _convert(
    jobs: dict[Format, list[Job]], cache: Cache, tell: Progress, worker: tuple[str, ...]
) -> dict[Spec, Artifact | Failure]:
    """All jobs, formats side by side on as many processors as there are, the longest first.

    Where a processor is free and every format has its worker, a second one takes a format's jobs from their end: those
    of one checkpoint are neighbours, and share what its worker keeps.
    """
    processors = asyncio.Semaphore(os.cpu_count() or 1)
    waiting = {format: list(its) for format, its in jobs.items()}

    async def one_format(format: Format, end: int) -> dict[Spec, Artifact | Failure]:
        async with processors:
            if end and len(waiting[format]) < WORTH_A_SECOND:
                return {}
            return await _convert_format(waiting[format], end, cache, tell, worker)

    order = sorted(jobs, key=lambda format: converter(format).SECONDS[0] * len(jobs[format]), reverse=True)
    parts = await asyncio.gather(*(one_format(format, end) for end in (0, -1) for format in order))
    return {spec: outcome for part in parts for spec, outcome in part.items()}


async def _convert_format(
    waiting: list[Job], end: int, cache: Cache, tell: Progress, command: tuple[str, ...]
) -> dict[Spec, Artifact | Failure]:
    """One format's jobs, which are taken from one `end` (0 or -1), in one worker as long as it lives."""
    done: dict[Spec, Artifact | Failure] = {}
    while waiting:
        worker = Worker(command)
        try:
            while waiting and worker.alive:
                job = waiting.pop(end)
                outcome = await _kept(job, worker, cache, tell)
                done[job.spec] = outcome
                tell(Event(job.spec, "done", outcome))
        finally:
            worker.child.end()
    return done


async def _kept(job: Job, worker: Worker, cache: Cache, tell: Progress) -> Artifact | Failure:
    """What a worker makes of a job, in the cache. A full disk, or a folder that is gone, costs this spec alone."""
    try:
        with cache.workshop() as workshop:
            outcome = await worker.convert(job, workshop, tell)
            if isinstance(outcome, Artifact):
                outcome = cache.restate(outcome) if job.found else cache.publish(workshop, outcome)
            return outcome
    except OSError as error:
        return Failure(job.spec, f"{job.spec.format} of {job.spec.variant} cannot be kept: {error}")


class Worker:
    """A running `converters.worker`, from outside."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.child = Child(command)
        self.alive = True

    async def convert(self, job: Job, workshop: Path, tell: Progress) -> Artifact | Failure:
        """Give the worker one job and wait for its end, or for the worker's."""
        asked = {
            "spec": encode_spec(job.spec),
            "key": job.key,
            "calibration_data": str(job.calibration_data),
            "folder": str(workshop),
            "found": encode_artifact(job.found) if job.found else None,
        }
        self.child.tell(json.dumps(asked))
        # Read in a thread, which ends with the worker: the other formats' workers go on meanwhile.
        while line := await asyncio.to_thread(self.child.stdout.readline):
            said = json.loads(line)
            if "made" in said:
                return artifact_of(said["made"])
            if "failed" in said:
                return Failure(job.spec, said["failed"])
            tell(Event(job.spec, said["stage"]))
        self.alive = False
        spec, ended = job.spec, f"the converting process {self.child.how_it_ended(chatty=True)}"
        return Failure(spec, f"{spec.format} {spec.precision} cannot be made of {spec.variant}: {ended}")
