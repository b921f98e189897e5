"""This machine as a device: each cell is measured in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from devices import job as jobs
from devices.contract import Cell, CellFailed, Job, Result
from devices.environment import DesktopProbe, environment

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Desktop:
    """Runs cells on this machine.

    `time_limit` is in seconds for the process that measures; None takes a generous one from the job's counts.
    `worker` is the command that starts one; a job folder is added to it.
    """

    time_limit: float | None = None
    worker: tuple[str, ...] = (sys.executable, "-m", "devices.worker")
    probe: DesktopProbe = field(default_factory=DesktopProbe)

    def run(self, cell: Cell, job: Job) -> Result:
        """Measure `cell` as `job` says, or raise CellFailed with the reason in one sentence.

        The model and the frames are read where they lie. Interrupting this process ends the worker too.
        """
        if job.unit != "cpu":
            raise CellFailed(f"the desktop runner reaches the cpu only, not the unit {job.unit!r}")
        before = self.probe.read()
        limit = self.time_limit or generous_limit(job)
        with tempfile.TemporaryDirectory(prefix="cell-") as temporary:
            folder = jobs.describe(Path(temporary), job)
            said = self._work(folder, job.threads, limit)
            try:
                result = jobs.read_result(folder)
            except CellFailed as failure:
                raise CellFailed(f"{failure}; {said}") from None
        return replace(result, environment=environment(before.facts | result.environment.facts))

    def _work(self, folder: Path, threads: int, limit: float) -> str:
        """Run the worker to its end; return in words how it ended. CellFailed beyond `limit` seconds."""
        process = subprocess.Popen(
            [*self.worker, str(folder)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # A group of its own, so that the worker's own children end with it.
            start_new_session=True,
        )
        try:
            # Sleeps on the pipe until the worker closes it: a parent that polls would disturb what it waits for.
            _, stderr = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            raise CellFailed(f"the worker was stopped after {limit:g} s, its time limit for this cell") from None
        finally:
            _end(process)
        return _how_it_ended(process.returncode, stderr)


def generous_limit(job: Job) -> float:
    """Seconds after which a worker is surely stuck: three times what it was told, two seconds a frame, two minutes."""
    counts = job.counts
    return 120.0 + 3.0 * (counts.warm_up_seconds + 2 * counts.seconds) + 2.0 * (counts.samples + sum(job.sequences))


def _end(process: subprocess.Popen[str]) -> None:
    """Kill what is left of the worker's group and collect the worker."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stderr:
        process.stderr.close()


def _how_it_ended(code: int, stderr: str) -> str:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    ended = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return f"the worker {ended}" + (f" after saying: {lines[-1][:300]}" if lines else " without a word")
