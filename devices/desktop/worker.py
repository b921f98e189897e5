"""The process that measures: `python -m devices.desktop.worker FORMAT THREADS`, job folders on its stdin, a line each.

It binds itself to as many processors as THREADS, imports what runs FORMAT, says so, and sleeps until it is given a
folder, so that it can be started while its caller is still busy. What is timed has a process to itself: its caller
gives it one folder. There it loads the model, runs it once, runs it some more and notes the process's peak memory,
warms up until converged, and then times the two loops: the model's, in turn with the fixed reference's, which passes
every frame at least once and keeps its mask, and the pipeline's. What is scored is therefore what was timed. Minutes
of load, if asked for, come last. Nothing else runs here: no progress, no monitor.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from converters.child import end_with_parent
from converters.session import Session
from devices import job as jobs
from devices import sustained
from devices.contract import Counts, Environment, Job, Result
from devices.desktop import copies, energy, environment, interleaved, reference, timing
from devices.desktop.model_loop import ModelLoop, unrepeated
from devices.desktop.placement import placement
from devices.open_model import load

if TYPE_CHECKING:
    from converters.artifact import Format

READY, DONE = "== ready", "== done"
"""What it says on its stdout when it has imported all, and when a folder holds its answer."""
MEMORY_INFERENCES = 20
"""After as many, a runtime has allocated what it will. Nothing that only the bench needs has been imported by then."""


def measure(job: Job) -> Result:
    """Everything a configuration's row needs. An emulated format gets its masks and no times.

    `load_ns` is reading and preparing the model, its file in the system's cache, its runtime already imported:
    importing is Python's time. `first_ns` is the inference after it, tensors in and out.
    """
    cpus = get_ready(job.config.format, job.config.threads)
    frames, sequences = unrepeated(jobs.read_frames(job), job.sequences)
    scored = sum(job.sequences)

    session, load_ns = timed(lambda: opened(job))
    model = ModelLoop(session, frames, sequences)
    model.prepare()
    _, first_ns = timed(model.run)
    if emulated(job.config.format):
        for _ in range(scored - 1):
            model.prepare()
            model.run()
        model.note()
        placed = {"requested": job.config.unit, **placement(session)}
        return Result(masks=model.masks[:scored], labels=_labels(model, scored), evidence="emulated", placement=placed)
    for _ in range(MEMORY_INFERENCES):
        model.run()
    peak = environment.peak_memory_bytes()

    import cv2

    from converters.cache import size
    from devices.desktop.pipeline import PipelineLoop, camera_pictures

    cv2.setNumThreads(job.config.threads)
    pipeline = PipelineLoop(session, camera_pictures(frames))
    pipeline.prepare()
    pipeline.run()  # Its first resize allocates what the later ones use.
    warm = timing.warm_up(model, job.counts)
    watch = environment.Watch(cpus)
    number = copies.most(load_ns / 1e9, size(job.model))
    network, paired = in_turn(job, model, number, frames, sequences, interleaved.take_all(job.counts, scored))
    model.note()
    # It runs the same network between two resizes: half the time tells as much of these.
    camera = interleaved.alone(pipeline, replace(job.counts, seconds=job.counts.seconds / 2))
    facts = watch.facts() | {name: paired[name] for name in ("disturbed",) if name in paired}
    minutes = job.counts.sustained
    bins = sustained.run(model, minutes, environment.state) if minutes else ()
    return Result(
        masks=model.masks[:scored],
        labels=_labels(model, scored),
        evidence="measured",
        model_ns=network.ns,
        model_switched=network.switched_at,
        pipeline_ns=camera.ns,
        pipeline_switched=camera.switched_at,
        paired=paired,
        load_ns=load_ns,
        first_ns=first_ns,
        warm_up=asdict(warm),
        peak_memory_bytes=peak,
        sustained=tuple(sustained.to_json(bins)),
        energy=(energy.measure(model) if minutes else None) or {},
        placement={"requested": job.config.unit, "cpus": cpus, **placement(session)},
        environment=Environment(facts={"pinned": cpus is not None, **facts}),
    )


def opened(job: Job) -> Session:
    return load(job.config, job.model, job.reference)


def _labels(model: ModelLoop, scored: int) -> NDArray[np.uint8] | None:
    return None if model.labels is None else model.labels[:scored]


def in_turn(
    job: Job, model: ModelLoop, number: int, frames: NDArray[np.uint8], sequences: Sequence[int], counts: Counts
) -> tuple[timing.Samples, dict[str, Any]]:
    """The samples of the network in up to `number` copies, and the ratio to the fixed reference as the row keeps it.

    Without the reference its reason is in place of the ratio.
    """
    try:
        beside, theirs, described = reference.opened(job.config.threads, frames, sequences)
    except reference.NoReference as reason:
        model.rewind()
        return interleaved.alone(model, counts), {"reason": str(reason)}
    quick = min(timing.sample(model, reference.WARM)) / 1e9
    ours = copies.opened(model, lambda: opened(job), number)
    found = interleaved.measure(model, beside, quick, counts, turn=copies.turn((model, ours), (beside, theirs)))
    model.session = ours[0]
    return found.of(interleaved.OWN), {"reference": described, "copies": len(ours), **found.to_json()}


def get_ready(format: str, threads: int) -> list[int] | None:
    """Bind this process to processors, which are returned, and import what runs `format`; again, it changes nothing.

    Of emulated formats nothing is timed and several run at once: they are bound to nothing.
    """
    cpus = None if emulated(format) else environment.pin(threads)
    import_runtime(format)
    return cpus


def import_runtime(format: str) -> None:
    """What is imported before loading is timed."""
    if format == "pytorch":
        import torch  # noqa: F401
    else:
        from converters.registry import converter

        converter(cast("Format", format)).import_runtime()


def emulated(format: str) -> bool:
    """Core ML runs on a Mac; elsewhere a reference executor gives its masks, and a time of that would mean nothing."""
    if format != "coreml":
        return False
    from converters import coreml

    return coreml.evidence() == "emulated"


def timed(work: Callable[[], Any]) -> tuple[Any, int]:
    """What `work` returns, and its nanoseconds."""
    start = time.perf_counter_ns()
    made = work()
    return made, time.perf_counter_ns() - start


def main(format: str, threads: int) -> None:
    end_with_parent()
    get_ready(format, threads)
    print(READY, flush=True)
    for line in sys.stdin:
        folder = Path(line.removesuffix("\n"))
        jobs.write_result(folder, measure(jobs.read(folder)))
        print(DONE, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
