"""Whether this bench's milliseconds are the runtimes' own: `python -m devices.desktop.agreement MODEL [--rounds N]`.

The same artifact is timed three ways in turn, the order reversed every other round, each visit in a fresh process on
the same processors: by our worker, by our session's bare inference, and by the tool that its runtime ships (LiteRT's
benchmark_litert_model, OpenVINO's benchmark_app). One round gives one ratio of medians; printed are the median of those
and the spread of the rounds. The tools fill their inputs once and leave the output where it is, as the bare inference
does: these two must agree. Our worker hands over a fresh frame and takes the mask back, as an application must, and
is a little slower for it: that is told beside.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from converters.child import last_line
from converters.registry import converter, format_of
from devices import job as jobs
from devices.contract import Config, Counts, Job, MeasurementFailed
from devices.desktop import environment
from devices.desktop.runner import Desktop
from models.arguments import ArgumentParser
from models.variant import Resolution

AIM = 0.03
FRAMES = 16
COUNTS = Counts(warm_up_least=50, warm_up_seconds=4.0, samples=128, seconds=0.0)


@dataclass(frozen=True)
class Visit:
    """Milliseconds of one process's samples."""

    median: float
    fastest: float


@dataclass(frozen=True)
class Agreement:
    """Ours over theirs: `ratio` is the median over rounds of the ratio of medians, `low` and `high` its extremes.

    `fastest` is the ratio of the fastest samples of all rounds: the difference without disturbance by other processes.
    """

    ratio: float
    low: float
    high: float
    fastest: float
    rounds: int

    @property
    def reached(self) -> bool:
        return abs(self.ratio - 1) <= AIM

    def __str__(self) -> str:
        return (
            f"{self.ratio:.3f} (rounds {self.low:.3f} to {self.high:.3f}, n={self.rounds}; "
            f"fastest samples {self.fastest:.3f})"
        )


def compare(ours: Sequence[Visit], theirs: Sequence[Visit]) -> Agreement:
    """The agreement of visits made in pairs."""
    ratios = [a.median / b.median for a, b in zip(ours, theirs, strict=True)]
    return Agreement(
        ratio=float(np.median(ratios)),
        low=min(ratios),
        high=max(ratios),
        fastest=min(a.fastest for a in ours) / min(b.fastest for b in theirs),
        rounds=len(ratios),
    )


class Ours:
    """Our worker on an artifact, through the same Desktop as every configuration."""

    def __init__(self, model: Path, folder: Path, threads: int = 1) -> None:
        self.name = format_of(model)
        resolution = converter(self.name).load(model).resolution
        frames = jobs.write_frames(folder / "frames.u8", real_frames(resolution))
        config = Config("agreement", self.name, "fp32", resolution, threads=threads)
        self.job = Job(config, model, frames, (FRAMES,), COUNTS)

    def __call__(self) -> Visit:
        samples = np.array(Desktop().run(self.job).model_ns) / 1e6
        return Visit(float(np.median(samples)), float(samples.min()))


class Bare:
    """Our session's inference alone, nothing handed over or taken back, in a process that does nothing else."""

    name = "bare"

    def __init__(self, model: Path, folder: Path, threads: int = 1) -> None:
        self.report = folder / "bare.json"
        self.command = [
            *(sys.executable, "-m", "devices.desktop.agreement", str(model), "--bare", str(self.report)),
            *("--threads", str(threads)),
        ]

    def __call__(self) -> Visit:
        return Visit(**_report(self))


def bare(model: Path, threads: int) -> Visit:
    """What `Bare` runs in its process."""
    session = converter(format_of(model)).load(model, threads)
    infer = session.interpreter.invoke if format_of(model) == "tflite" else session.request.infer  # type: ignore[attr-defined]
    samples = np.empty(COUNTS.samples)
    for i in range(-COUNTS.warm_up_least, COUNTS.samples):
        before = time.perf_counter_ns()
        infer()
        if i >= 0:
            samples[i] = (time.perf_counter_ns() - before) / 1e6
    return Visit(float(np.median(samples)), float(samples.min()))


class LiteRtTool:
    """LiteRT's own benchmark_litert_model, from its wheel."""

    name = "benchmark_litert_model"

    def __init__(self, model: Path, folder: Path, threads: int = 1) -> None:
        self.report = folder / "litert.json"
        self.command = [
            *(sys.executable, "-m", "ai_edge_litert.tools.benchmark_litert_model"),
            *(f"--model={model}", f"--num_threads={threads}", f"--result_json={self.report}"),
            *(f"--warmup_runs={COUNTS.warm_up_least}", f"--num_runs={COUNTS.samples}"),
        ]

    def __call__(self) -> Visit:
        latency = _report(self)["latency"]
        return Visit(latency["median_ms"], latency["min_ms"])


class OpenVinoTool:
    """OpenVINO's own benchmark_app, from its wheel, held to what our session asks for: f32, one stream, synchronous.

    It warms up by a single inference, which the median of so many iterations does not feel.
    """

    name = "benchmark_app"

    def __init__(self, model: Path, folder: Path, threads: int = 1) -> None:
        self.report = folder / "benchmark_report.json"
        self.command = [
            *(sys.executable, "-c", "from openvino.tools.benchmark.main import main; main()"),
            *("-m", str(model), "-d", "CPU", "-api", "sync", "-hint", "none", "-nstreams", "1"),
            *("-nthreads", str(threads), "-infer_precision", "f32"),
            *("-niter", str(COUNTS.warm_up_least + COUNTS.samples)),
            *("-report_type", "no_counters", "-json_stats", "-report_folder", str(folder)),
        ]

    def __call__(self) -> Visit:
        results = _report(self)["execution_results"]
        return Visit(float(results["latency (ms)"]), float(results["min latency"]))


Tool = LiteRtTool | OpenVinoTool
TOOLS: dict[str, type[Tool]] = {"tflite": LiteRtTool, "openvino": OpenVinoTool}


def agree(model: Path, rounds: int, threads: int = 1) -> tuple[Agreement, Agreement]:
    """(bare over tool, ours over tool) of `model`, `rounds` times. MeasurementFailed when one cannot run."""
    tool = TOOLS.get(format_of(model))
    if tool is None:
        raise MeasurementFailed(f"{model.name}: its runtime ships no benchmark tool; those of {', '.join(TOOLS)} do")
    # Ours binds itself; this binds the tool as well, for it inherits.
    environment.pin(threads)
    with tempfile.TemporaryDirectory(prefix="agreement-") as folder:
        sides = [side(model, Path(folder), threads) for side in (Ours, Bare, tool)]
        visits: list[list[Visit]] = [[], [], []]
        for i in range(rounds):
            for side in (0, 1, 2) if i % 2 == 0 else (2, 1, 0):
                visits[side].append(sides[side]())
    ours, alone, theirs = visits
    return compare(alone, theirs), compare(ours, theirs)


def real_frames(resolution: Resolution) -> np.ndarray:
    """(FRAMES, H, W, 3) uint8: the beginning of the embedded sample's first clip."""
    from evaluation.sample import embedded
    from models.segmenter import stretch

    clip = max(embedded().clips, key=len)
    return np.stack([stretch(clip.read(i % len(clip))[0], resolution) for i in range(FRAMES)])


def _report(tool: Tool | Bare) -> dict[str, Any]:
    """Run a tool and read the report it leaves; MeasurementFailed with its last words when it leaves none."""
    tool.report.unlink(missing_ok=True)
    ran = subprocess.run(tool.command, capture_output=True, text=True, check=False)
    if not tool.report.exists():
        said = last_line(ran.stderr if ran.stderr.strip() else ran.stdout)
        raise MeasurementFailed(f"{tool.name} ended with code {ran.returncode} and left no report: {said}")
    return json.loads(tool.report.read_text())


def main() -> int:
    parser = ArgumentParser(description="Compare this bench's times with the runtime's own tool.")
    parser.add_argument("model", type=Path, help="a .tflite or an OpenVINO .xml")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--bare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        options.bare.write_text(json.dumps(asdict(bare(options.model, options.threads))))
        return 0
    try:
        found, ours = agree(options.model, options.rounds, options.threads)
    except (MeasurementFailed, ValueError) as error:
        print(error, file=sys.stderr)
        return 3
    print(f"{options.model.name}: bare inference over the runtime's tool {found}")
    print(
        f"the aim, within {AIM:.0%}, is {'reached' if found.reached else 'missed'}; with frame and mask copied {ours}"
    )
    return 0 if found.reached else 1


if __name__ == "__main__":
    sys.exit(main())
