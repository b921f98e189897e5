"""This machine as a device: each timed cell is measured in a process of its own, emulated ones share a few."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from devices import job as jobs
from devices.alarm import alarm
from devices.contract import CellFailed, Job, Result
from devices.desktop.environment import DesktopProbe, environment
from devices.desktop.worker import DONE, READY, emulated

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Desktop:
    """Runs cells on this machine.

    `time_limit` is in seconds for the process that measures; None takes a generous one from the job's counts.
    `worker` is the command that starts one; a format and a number of threads are added to it.
    """

    time_limit: float | None = None
    worker: tuple[str, ...] = (sys.executable, "-m", "devices.desktop.worker")
    probe: DesktopProbe = field(default_factory=DesktopProbe)
    _waiting: defaultdict[tuple[str, int], list[Worker]] = field(
        default_factory=lambda: defaultdict(list), init=False, repr=False, compare=False
    )

    def expect(self, job: Job) -> None:
        """Start the process that will run `job`: it imports its runtime, and then sleeps."""
        kind = job.config.format, job.config.threads
        self._waiting[kind].append(Worker(self.worker, *kind))

    def run(self, job: Job) -> Result:
        """Measure what `job` says, or raise CellFailed with the reason in one sentence.

        The model and the frames are read where they lie. Interrupting this process ends the worker too.
        """
        if job.config.unit != "cpu":
            raise CellFailed(f"the desktop runner reaches the cpu only, not the unit {job.config.unit!r}")
        kind = job.config.format, job.config.threads
        waiting = self._waiting[kind]
        worker = waiting.pop() if waiting else Worker(self.worker, *kind)
        keep = False
        try:
            with worker.limited(self.time_limit or generous_limit(job)):
                result = self._measure(worker, job)
            # What is not timed cannot be spoilt by what the process did before.
            keep = emulated(job.config.format)
        finally:
            if keep:
                waiting.append(worker)
            else:
                worker.end()
        return result

    def close(self) -> None:
        """End the processes that wait for a job."""
        for workers in self._waiting.values():
            while workers:
                workers.pop().end()

    def _measure(self, worker: Worker, job: Job) -> Result:
        worker.get_ready()
        before = self.probe.read()
        with tempfile.TemporaryDirectory(prefix="cell-") as temporary:
            folder = jobs.describe(Path(temporary), job)
            worker.give(folder)
            done = worker.says(DONE)
            try:
                result = jobs.read_result(folder)
            except CellFailed as failure:
                said = "the worker said it was done" if done else worker.how_it_ended()
                raise CellFailed(f"{failure}; {said}") from None
        return replace(result, environment=environment(before.facts | result.environment.facts))


class Worker:
    """A process that measures, seen from outside. It is `devices.desktop.worker`, or behaves like it."""

    def __init__(self, command: tuple[str, ...], format: str, threads: int) -> None:
        self.stderr = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - as long as the process
        self.process = subprocess.Popen(
            [*command, format, str(threads)],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            errors="replace",
            # A group of its own, so that the worker's own children end with it.
            start_new_session=True,
        )
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self.ready = self.late = False

    def get_ready(self) -> None:
        """Sleep until it has imported what it needs, or has ended."""
        self.ready = self.ready or self.says(READY)

    def says(self, word: str) -> bool:
        """Sleep until the worker says `word`; False when it ends without. A parent that polls would disturb it."""
        return any(line.rstrip("\n") == word for line in self.stdout)

    def give(self, folder: Path) -> None:
        """Tell it to measure the job in `folder`."""
        with suppress(BrokenPipeError):
            self.stdin.write(f"{folder}\n")
            self.stdin.flush()

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """CellFailed, and the worker killed, when what is done within takes longer."""

        def stop() -> None:
            self.late = True
            self._kill()

        try:
            with alarm(seconds, stop):
                yield
        except CellFailed:
            if self.late:
                raise CellFailed(f"the worker was stopped after {seconds:g} s, its time limit for this cell") from None
            raise

    def how_it_ended(self) -> str:
        """In words, once it has stopped talking."""
        code = self.process.wait()
        self.stderr.seek(0)
        lines = [line.strip() for line in self.stderr.read().splitlines() if line.strip()]
        ended = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"the worker {ended}" + (f" after saying: {lines[-1][:300]}" if lines else " without a word")

    def end(self) -> None:
        """Kill what is left of it and its children, and collect it."""
        self._kill()
        self.process.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            with suppress(BrokenPipeError):
                stream.close()

    def _kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


def generous_limit(job: Job) -> float:
    """Seconds after which a worker is surely stuck: three times what it was told, two seconds a frame, two minutes."""
    counts = job.counts
    return 120.0 + 3.0 * (counts.warm_up_seconds + 2 * counts.seconds) + 2.0 * (counts.samples + sum(job.sequences))
