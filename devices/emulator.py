"""`arm64-emulator`: the phone's own AArch64 runner under qemu-user. Right answers and exact instructions; no times.

What it shows: the masks ARM kernels make, and the instructions a frame takes, the same to the unit in every run with
the same kit and the same `cpu` where XNNPACK took the whole network. What it cannot show: how fast any of that is.
"""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from converters.child import last_line
from devices import job as jobs
from devices import transport
from devices.aarch64_runner import build, folder
from devices.contract import Environment, Job, MeasurementFailed, Result

QEMU = "qemu-aarch64"
FRAMES = 4
"""How many frames are judged by default: one takes a second or two, and the instructions are the same in each."""
START_SECONDS = 120.0
"""For loading under emulation, on a busy machine, whatever the frames take."""


def available() -> str | None:
    """None when the emulator is here; otherwise what is missing, in a sentence."""
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed (Debian: qemu-user)"
    return None


@dataclass(frozen=True)
class Arm64Emulator:
    """Runs TFLite configurations under qemu-user on one emulated thread.

    `cpu` is qemu's name of the core, whose features choose the kernels: cortex-a57 has no dot product, as the Pixel 2
    has none. `seconds_a_frame` bounds a run: a network of 50 M instructions takes about one on an idle machine.
    """

    takes_labels: ClassVar[bool] = True
    cpu: str = "cortex-a57"
    seconds_a_frame: float = 60.0

    def run(self, job: Job) -> Result:
        """Score the job's frames, or raise MeasurementFailed; several threads would make the count a matter of luck."""
        if job.config.threads != 1:
            raise MeasurementFailed(f"the emulator counts instructions on one thread, not on {job.config.threads}")
        if reason := available():
            raise MeasurementFailed(reason)
        try:
            kit, plugin = build.build(), build.build_plugin(QEMU)
        except build.CannotBuild as reason_:
            raise MeasurementFailed(str(reason_)) from None
        with tempfile.TemporaryDirectory(prefix="job-") as temporary:
            place = folder.describe(Path(temporary), job, measure=False)
            counts = place / "instructions"
            self._emulate(kit, plugin, place, counts, limit=START_SECONDS + self.seconds_a_frame * sum(job.sequences))
            result = jobs.read_result(place)
            instructions, spread = per_frame(counts.read_text(), sum(job.sequences))
        compared = _compare(job, result)
        facts = {
            "emulator": _version(),
            "emulated_cpu": self.cpu,
            "host": platform.machine(),
            "kit": kit.sha256,
            "instructions_spread": spread,
        }
        return replace(
            result,
            instructions_per_frame=instructions,
            from_host=compared,
            environment=Environment(facts=facts, hazards=("emulator",)),
        )

    def _emulate(self, kit: build.Kit, plugin: Path, place: Path, counts: Path, limit: float) -> None:
        qemu = [QEMU, "-cpu", self.cpu, "-plugin", f"{plugin},out={counts}"]
        command = [*qemu, *build.RUN, str(place)]
        done = transport.call(command, limit, "the emulated runner", "its time limit", cwd=kit.folder)
        if not (place / "result.json").exists():
            said = last_line(done.stderr)
            raise MeasurementFailed(f"the emulated runner ended with code {done.returncode}: {said}")


def per_frame(text: str, frames: int) -> tuple[int, int]:
    """Instructions of one frame from the plugin's file, one line a frame: the median, and the most less the least.

    A network that XNNPACK took whole does the same work on every picture, and the spread is 0. Operators left to
    LiteRT's own kernels allocate as they go, which was seen to move a frame by some hundred instructions in 12 million.
    MeasurementFailed when a frame was not counted.
    """
    counts = sorted(int(line) for line in text.split())
    if len(counts) != frames:
        raise MeasurementFailed(f"instructions were counted for {len(counts)} of {frames} frames")
    return counts[(len(counts) - 1) // 2], counts[-1] - counts[0]


def _compare(job: Job, result: Result) -> dict[str, Any]:
    """`from_host` of the emulated masks. MeasurementFailed when they exceed the parity tolerance of that precision."""
    from converters.parity import TOLERANCE
    from devices.open_model import load
    from evaluation.score import predict

    precision = job.config.precision
    session = load(job.config, job.model, job.reference)
    difference = np.abs(result.masks - predict(session, jobs.read_frames(job), job.sequences))
    found = {"max_difference": float(difference.max()), "mean_difference": float(difference.mean())}
    if over := [name for name in found if found[name] > TOLERANCE[precision][name]]:
        words = " and ".join(f"{name.replace('_', ' ')} {found[name]:.2g}" for name in over)
        raise MeasurementFailed(
            f"the masks of AArch64 kernels and of this machine's exceed the parity tolerance of {precision}: {words}"
        )
    return {"runtime": session.facts["runtime"], **found}


def _version() -> str:
    said = subprocess.run([QEMU, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    found = re.search(r"version (\S+)", said)
    return f"qemu {found[1]}" if found else "qemu"
