"""The timed process: `python -m devices.worker measure|memory JOBFOLDER`.

`measure` loads the model, runs it once, scores every frame with the mask fed back, warms up until converged, and then
times the two loops of `devices.pipeline`. `memory` loads, runs a few frames and notes the process's peak, untimed, so
that neither disturbs the other. Both bind themselves to as many processors as the job has threads. Nothing else runs
here: no progress, no monitor.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from devices import environment, timing
from devices import job as jobs
from devices.contract import Environment, Job, Result
from devices.placement import placement

if TYPE_CHECKING:
    from converters.artifact import Format, Precision
    from converters.session import Session

RUNTIMES = {
    "pytorch": "torch",
    "onnx": "onnxruntime",
    "tflite": "ai_edge_litert.interpreter",
    "openvino": "openvino",
}
"""What is imported before loading is timed; Core ML has a way of its own."""
MEMORY_INFERENCES = 20


def measure(job: Job) -> Result:
    """Everything a cell's row needs but its peak memory. An emulated format gets its masks and no times.

    `load_ns` is reading and preparing the model, its file in the system's cache, its runtime already imported:
    importing is Python's time. `first_ns` is the inference after it, tensors in and out.
    """
    import cv2

    from devices.pipeline import ModelLoop, PipelineLoop, camera_pictures, ring_of, to_float
    from frames.score import predict

    cpus = environment.pin(job.threads)
    cv2.setNumThreads(job.threads)
    frames = jobs.read_frames(job)
    ring = ring_of(frames)
    import_runtime(job.format)

    session, load_ns = timed(lambda: open_session(job))
    model = ModelLoop(session, [session.encode_frame(to_float(frame)) for frame in ring])
    model.prepare()
    _, first_ns = timed(model.run)
    masks = np.asarray(predict(session, frames, job.sequences), np.float32)
    if emulated(job.format):
        return Result(masks=masks, evidence="emulated", placement={"requested": job.unit, **placement(session)})

    pipeline = PipelineLoop(session, camera_pictures(ring))
    pipeline.prepare()
    pipeline.run()  # Its first resize allocates what the later ones use.
    warm = timing.warm_up(model, job.counts)
    watch = environment.Watch(cpus)
    model_ns = timing.sample(model, job.counts)
    pipeline_ns = timing.sample(pipeline, job.counts)
    return Result(
        masks=masks,
        evidence="measured",
        model_ns=model_ns,
        pipeline_ns=pipeline_ns,
        load_ns=load_ns,
        first_ns=first_ns,
        warm_up=asdict(warm) | {"ring": len(ring)},
        placement={"requested": job.unit, "cpus": cpus, **placement(session)},
        environment=Environment(facts={"pinned": cpus is not None, **watch.facts()}),
    )


def peak_memory(job: Job) -> int:
    """Peak resident bytes of a process that loads the model and runs it on MEMORY_INFERENCES frames, unwarmed."""
    environment.pin(job.threads)
    session = open_session(job)
    mask = session.encode_mask(np.zeros((1, *job.resolution, 1), np.float32))
    frames = jobs.read_frames(job)
    for i in range(MEMORY_INFERENCES):
        frame = np.multiply(frames[i % len(frames)], np.float32(1 / 255), dtype=np.float32)[None]
        mask = session.native(session.encode_frame(frame), mask)
    return environment.peak_memory_bytes()


def open_session(job: Job) -> Session:
    if job.format == "pytorch":
        from devices.baseline import Eager

        return Eager(job.model, job.threads, job.resolution)
    from converters.registry import converter

    return converter(cast("Format", job.format)).load(job.model, job.threads, cast("Precision", job.precision))


def import_runtime(format: str) -> None:
    if format == "coreml":
        from converters.mil.quiet import coremltools

        coremltools()
    else:
        import_module(RUNTIMES[format])


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


def main(task: str, folder: Path) -> None:
    job = jobs.read(folder)
    if task == "measure":
        jobs.write_result(folder, measure(job))
    else:
        (folder / "peak_memory_bytes").write_text(str(peak_memory(job)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
