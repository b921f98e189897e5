"""What turns with the fixed reference cost a run: python scripts/interleaving_cost.py [--runs 3] [--network live]

Each run measures the network's TFLite artifact on the embedded sample, as bench.py does by default, in a fresh process.
Counted is processor time, which other work changes less than the time on the clock: that of opening the copies and the
reference, of running it and of the runs that begin a visit, as a share of the whole process, imports included, and of
judging its masks. Each measurement is taken once: other work repeats a disturbed one, up to twice.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np

if TYPE_CHECKING:
    from devices.desktop.timing import Loop

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


class Counted:
    """A loop, and the processor time of its iterations."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.seconds, self.runs = loop, 0.0, 0

    def prepare(self) -> None:
        self.begun = time.process_time()
        self.loop.prepare()

    def run(self) -> None:
        self.loop.run()
        self.seconds += time.process_time() - self.begun
        self.runs += 1


def child(folder: Path) -> None:
    """Measure the job in `folder`; print the seconds of processor time that turns took, and those of this process."""
    from devices import job as jobs
    from devices.desktop import copies, interleaved, reference, worker

    interleaved.AGAIN = 0
    turns, measure, inside = 0.0, interleaved.measure, False

    def timed(opened: Callable[..., Any]) -> Callable[..., Any]:
        def timed_open(*arguments: Any) -> Any:
            nonlocal turns, inside
            if inside:  # The reference opens copies too.
                return opened(*arguments)
            inside, begun = True, time.process_time()
            try:
                return opened(*arguments)
            finally:
                inside = False
                turns += time.process_time() - begun

        return timed_open

    def timed_measure(own: Loop, beside: Loop, *arguments: Any, **named: Any) -> Any:
        nonlocal turns
        ours, theirs = Counted(own), Counted(beside)
        found = measure(ours, theirs, *arguments, **named)
        lead_ins = interleaved.LEAD_IN * sum(visit.of == interleaved.OWN for visit in found.visits)
        turns += theirs.seconds + ours.seconds * lead_ins / ours.runs
        return found

    with (
        patch.object(reference, "opened", timed(reference.opened)),
        patch.object(copies, "opened", timed(copies.opened)),
        patch.object(interleaved, "measure", timed_measure),
    ):
        assert worker.measure(jobs.read(folder)).paired.get("takes") == 1
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(turns, used.ru_utime + used.ru_stime)


def describe(network: str, folder: Path) -> Path:
    """The job of a default run, as a folder."""
    from converters.artifact import Failure, Spec
    from converters.build import build
    from devices import job as jobs
    from devices.contract import Config, Job
    from evaluation.sample import embedded
    from evaluation.score import prepare
    from models import checkpoint

    path = checkpoint.find(network)
    if path is None:
        raise SystemExit(f"{network} has no checkpoint")
    known = checkpoint.load(path)
    spec = Spec(network, path, known.sha256, "tflite", "fp32", known.variant.resolution)
    made = build([spec])[spec]
    if isinstance(made, Failure):
        raise SystemExit(made.reason)
    dataset = embedded()
    frames = jobs.write_frames(folder / "frames.u8", prepare(dataset, spec.resolution)[0])
    config = Config(network, "tflite", "fp32", spec.resolution)
    return jobs.describe(folder / "job", Job(config, made.path, frames, tuple(len(clip) for clip in dataset.clips)))


def judging(folder: Path) -> float:
    """Seconds of processor time of judging the masks of the job in `folder`; made-up ones take as long."""
    from devices import job as jobs
    from evaluation.sample import embedded
    from evaluation.score import score

    masks = jobs.read_frames(jobs.read(folder))[..., 0].astype(np.float32) / np.float32(255)
    begun = time.process_time()
    score(masks, embedded())
    return time.process_time() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--network", default="live")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = describe(options.network, Path(temporary))
        judged = judging(folder)
        command = [sys.executable, __file__, "--child", str(folder)]
        shares = []
        for _ in range(options.runs):
            said = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout
            turns, whole = map(float, said.split()[-2:])
            shares.append(turns / (whole + judged))
            print(f"turns {turns:.2f} s of {whole:.2f} s, and {judged:.2f} s of judging", flush=True)
    middle, low, high = statistics.median(shares), min(shares), max(shares)
    print(f"Turns take {100 * middle:.0f} % of the processor time ({100 * low:.0f} to {100 * high:.0f} %).")


if __name__ == "__main__":
    main()
