"""GPU and NPU of an Android phone through LiteRT's `benchmark_model`, which the user puts on the phone.

    adb push benchmark_model /data/local/tmp/segmentation-bench/benchmark_model

The tool keeps the last run's output only, so every frame is a launch of its own, with the mask before as an input file.
Each launch warms up, and the time of its last inference is one raw sample: as many samples as frames. Camera-sized
pictures are not its business: `pipeline_ns` stays empty. Everything happens in one script on the phone.

Flags and output are those of tensorflow/lite/tools/benchmark (README.md, benchmark_model.cc). Not yet run on a phone.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.child import last_line
from devices import job as jobs
from devices.aarch64_runner import folder, pack
from devices.android.home import HOME, Home
from devices.contract import Job, MeasurementFailed, Result, Unit
from devices.transport import Unreachable

ENDED = "== the launches ended"
LAUNCH_SECONDS = 60.0
RUNS = 20
"""Timed inferences a launch; the last of them is kept."""

DELEGATES: dict[Unit, tuple[str, str]] = {
    "gpu": ("GPU", "--use_gpu=true --gpu_precision_loss_allowed=true"),
    "npu": ("NNAPI", "--use_nnapi=true --disable_nnapi_cpu=true --nnapi_execution_preference=sustained_speed"),
}
"""Unit -> the delegate's name in the tool's words, and its flags. The GPU computes in float16, as apps let it."""


@dataclass(frozen=True)
class Port:
    """An input or the output of a TFLite model: its name and shape, and its 8-bit code, if it has one."""

    name: str
    shape: tuple[int, ...]
    scale: float | None = None
    zero_point: int = 0

    def encode(self, values: np.ndarray[Any, Any]) -> bytes:
        """[0, 1] floats as the bytes this input takes."""
        if self.scale is None:
            return values.astype("<f4").tobytes()
        return np.clip(np.rint(values / self.scale) + self.zero_point, -128, 127).astype(np.int8).tobytes()

    def decode(self, raw: bytes) -> np.ndarray[Any, np.dtype[np.float32]]:
        if self.scale is None:
            return np.frombuffer(raw, "<f4").astype(np.float32)
        return (np.frombuffer(raw, np.int8).astype(np.float32) - self.zero_point) * np.float32(self.scale)


@dataclass(frozen=True)
class Launch:
    """What one launch of benchmark_model said."""

    last_ns: int
    """The last timed inference."""
    init_ns: int
    first_ns: int
    placement: dict[str, Any]
    """actual (in words), partial (True, False), and partitions where the graph was cut."""


def parse(log: str, delegate: str) -> Launch:
    """One launch's log. MeasurementFailed when it did not finish, or when `delegate` took nothing: a silent fall back
    to the CPU is a failure of the unit that was asked for."""
    timings = re.search(r"Inference timings in us: Init: ([\d.e+]+), First inference: ([\d.e+]+)", log)
    # The last line of counts belongs to the timed runs, those before it to the warm-up.
    runs = re.findall(r"count=\d+\b[^\n]*?\bcurr=([\d.e+]+)", log)
    if timings is None or not runs:
        raise MeasurementFailed(f"benchmark_model did not finish: {last_line(log)}")
    applied = re.search(
        rf"Explicitly applied {delegate} delegate, and the model graph will be"
        r" (completely|partially) executed by the delegate(?: w/ (\d+) delegate kernels)?",
        log,
    )
    if applied is None:
        raise MeasurementFailed(f"the {delegate} delegate took nothing: benchmark_model ran on the CPU")
    partial = applied[1] == "partially"
    placement: dict[str, Any] = {"actual": f"{delegate} and CPU" if partial else delegate, "partial": partial}
    if partial and applied[2]:
        placement["partitions"] = int(applied[2])
    return Launch(_ns(runs[-1]), _ns(timings[1]), _ns(timings[2]), placement)


def command(tool: str, model: str, inputs: list[tuple[Port, str]], output: str, unit: Unit, threads: int) -> str:
    """The command line of one launch, for the phone's shell."""
    names = ",".join(port.name for port, _ in inputs)
    shapes = ":".join(",".join(str(side) for side in port.shape) for port, _ in inputs)
    # A colon inside a name is written twice, so that it does not look like the end of it.
    files = ",".join(f"{port.name.replace(':', '::')}:{file}" for port, file in inputs)
    flags = [
        f"--graph={model}",
        f"--num_threads={threads}",
        f"--num_runs={RUNS}",
        "--min_secs=0",
        "--warmup_min_secs=0.3",
        f"--input_layer={names}",
        f"--input_layer_shape={shapes}",
        f"--input_layer_value_files={files}",
        f"--output_filepath={output}",
    ]
    return f"{shlex.join([tool, *flags])} {DELEGATES[unit][1]}"


def script(launch: str, frames: int, starts: set[int]) -> str:
    """The phone's script: every frame a launch, its mask the next one's input, an empty one where a sequence starts."""
    lines = ['cd "$(dirname "$0")" || exit 1']
    for i in range(frames):
        lines += [
            f"cp {'empty' if i in starts else 'output'} prev",
            f"cp frame.{i:05d} frame",
            f"rm -f output; {launch} >log.{i:05d} 2>&1",
            # An output that is missing ends the script: the log of this frame tells why.
            f"cat output >>masks || exit 1; rm frame.{i:05d}",
        ]
    return "\n".join([*lines, f"echo '{ENDED}'", ""])


def measure(home: Home, job: Job, temporary: Path) -> Result:
    """Score and time `job` by launches of the user's benchmark_model. MeasurementFailed where it is missing."""
    tool, transport, limits = f"{HOME}/benchmark_model", home.transport, home.limits
    if job.config.format != "tflite":
        raise MeasurementFailed(f"benchmark_model runs tflite, not {job.config.format}")
    if jobs.gives_labels(job):
        raise MeasurementFailed(
            f"{job.config.variant} gives labels, and benchmark_model is read for a mask alone; the cpu takes them"
        )
    folder.check_reference(job, "benchmark_model")
    if "here" not in transport.run(f"chmod 755 {tool} && echo here", limits.shell):
        raise MeasurementFailed(f"the {job.config.unit} needs LiteRT's benchmark_model, pushed to {tool} by you")

    inputs, mask = ports(job.model)
    frames, starts = jobs.read_frames(job), set(np.cumsum([0, *job.sequences[:-1]]).tolist())
    place = jobs.describe(temporary, job)
    (place / folder.MODEL).write_bytes(pack.inside(job.model.read_bytes()))
    frame_port, prev_port = inputs["frame"], inputs.get("prev_mask")
    for i, frame in enumerate(frames):
        (place / f"frame.{i:05d}").write_bytes(frame_port.encode(frame / np.float32(255)))
    (place / "empty").write_bytes((prev_port or mask).encode(np.zeros(mask.shape, np.float32)))
    files = [(port, {"frame": "frame", "prev_mask": "prev"}[name]) for name, port in inputs.items()]
    launch = command("../benchmark_model", folder.MODEL, files, "output", job.config.unit, job.config.threads)
    limit = limits.run or LAUNCH_SECONDS * len(frames)
    # A time limit of its own: the one below ends the script, and not what the script has started.
    launch = f"timeout -s KILL {min(limit, LAUNCH_SECONDS):.0f} {launch}"
    (place / "launch.sh").write_text(script(launch, len(frames), starts))

    remote = home.fresh("job")
    question = [
        place / name for name in (folder.MODEL, "launch.sh", "empty", *(f"frame.{i:05d}" for i in range(len(frames))))
    ]
    transport.push(question, remote, limits.push)
    said = transport.run(f"timeout -s KILL {limit:.0f} sh {remote}/launch.sh", limit + limits.shell)
    logs = transport.run(f"cd {remote} && cat log.*; echo; echo '{ENDED}'", limits.shell)
    if ENDED not in logs:
        raise Unreachable("the phone vanished while benchmark_model ran")
    if ENDED not in said:
        last = logs.partition(ENDED)[0].split()
        raise MeasurementFailed(
            f"benchmark_model did not finish every frame; it ended with: {' '.join(last)[-300:] or 'nothing'}"
        )
    launches = [parse(part, DELEGATES[job.config.unit][0]) for part in re.split(r"(?m)^.*STARTING!.*$", logs)[1:]]
    transport.pull(f"{remote}/masks", place / "masks", limits.pull)
    return result(launches, (place / "masks").read_bytes(), mask, job)


def result(launches: list[Launch], raw: bytes, mask: Port, job: Job) -> Result:
    """The launches and their masks' bytes as one result. Unreachable when the masks are not all there."""
    shape = (len(launches), *job.config.resolution)
    masks = mask.decode(raw[: len(raw) // 4 * 4])
    if masks.size != np.prod(shape):
        raise Unreachable(f"the phone handed over {len(raw)} bytes of masks, which are not {len(launches)} masks")
    first = launches[0]
    return Result(
        masks=jobs.check_masks(masks.reshape(shape)),
        evidence="measured",
        model_ns=tuple(launch.last_ns for launch in launches),
        load_ns=first.init_ns,
        first_ns=first.first_ns,
        warm_up={"launches": len(launches), "runs_a_launch": RUNS},
        placement={"runtime": "benchmark_model", "requested": job.config.unit, **first.placement},
    )


def ports(model: Path) -> tuple[dict[str, Port], Port]:
    """The model's inputs, "frame" and perhaps "prev_mask", in its own order, and its mask."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(model))
    names = {3: "frame", 1: "prev_mask"}
    inputs = {names[int(details["shape"][-1])]: _port(details) for details in interpreter.get_input_details()}
    return inputs, _port(interpreter.get_output_details()[0])


def _port(details: dict[str, Any]) -> Port:
    shape = tuple(int(side) for side in details["shape"])
    if details["dtype"] is np.float32:
        return Port(details["name"], shape)
    scale, zero_point = details["quantization"]
    return Port(details["name"], shape, float(scale), int(zero_point))


def _ns(microseconds: str) -> int:
    return round(float(microseconds) * 1000)
