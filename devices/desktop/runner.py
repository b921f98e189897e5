"""This machine as a device: each timed configuration is measured in a process of its own, emulated ones share a few."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

from converters.child import Child
from devices import job as jobs
from devices.alarm import alarm
from devices.contract import Job, MeasurementFailed, Result
from devices.desktop.environment import DesktopProbe, Others, environment
from devices.desktop.worker import DONE, READY, emulated
from devices.facts import attempt, gather
from models.scratch import scratch


@dataclass(frozen=True)
class Desktop:
    """Runs configurations on this machine.

    `time_limit` is in seconds for the process that measures; None takes a generous one from the job's counts.
    `worker` is the command that starts one; a format and a number of threads are added to it.
    """

    takes_labels: ClassVar[bool] = True
    """Whether it takes networks with nine labels; a runner that does not say so takes none."""
    time_limit: float | None = None
    worker: tuple[str, ...] = (sys.executable, "-m", "devices.desktop.worker")
    probe: DesktopProbe = field(default_factory=lambda: DesktopProbe(look_seconds=0))
    _waiting: defaultdict[tuple[str, int], list[Worker]] = field(
        default_factory=lambda: defaultdict(list), init=False, repr=False, compare=False
    )

    def prefetch(self, job: Job) -> None:
        """Start the process that will run `job`: it imports its runtime, and then sleeps."""
        kind = job.config.format, job.config.threads
        self._waiting[kind].append(Worker(self.worker, *kind))

    def run(self, job: Job) -> Result:
        """Measure what `job` says, or raise MeasurementFailed with the reason in one sentence.

        The model and the frames are read where they lie. Interrupting this process ends the worker too.
        """
        if job.config.unit != "cpu":
            raise MeasurementFailed(f"the desktop runner reaches the cpu only, not the unit {job.config.unit!r}")
        kind = job.config.format, job.config.threads
        waiting = self._waiting[kind]
        worker = waiting.pop() if waiting else Worker(self.worker, *kind)
        keep = False
        try:
            with worker.limited(self.time_limit or job.time_limit):
                result = self._measure(worker, job)
            # What is not timed cannot be spoilt by what the process did before.
            keep = emulated(job.config.format)
        finally:
            if keep:
                waiting.append(worker)
            else:
                worker.child.end()
        return result

    def close(self) -> None:
        """End the processes that wait for a job."""
        for workers in self._waiting.values():
            while workers:
                workers.pop().child.end()

    def _measure(self, worker: Worker, job: Job) -> Result:
        worker.get_ready()
        before = self.probe.read().facts
        with scratch("job") as temporary:
            folder = jobs.describe(temporary, job)
            others = None if emulated(job.config.format) else attempt(lambda: Others(worker.child.process.pid))
            worker.child.tell(str(folder))
            done = worker.says(DONE)
            during = gather({"others_cores": others.cores} if others else {})
            try:
                result = jobs.read_result(folder)
            except MeasurementFailed as failure:
                said = "the worker said it was done" if done else f"the worker {worker.child.how_it_ended()}"
                raise MeasurementFailed(f"{failure}; {said}") from None
        return replace(result, environment=environment(before | during | result.environment.facts))


class Worker:
    """A process that measures, seen from outside. It is `devices.desktop.worker`, or behaves like it."""

    def __init__(self, command: tuple[str, ...], format: str, threads: int) -> None:
        self.child = Child([*command, format, str(threads)], threads)
        self.ready = self.late = False

    def get_ready(self) -> None:
        """Sleep until it has imported what it needs, or has ended."""
        self.ready = self.ready or self.says(READY)

    def says(self, word: str) -> bool:
        """Sleep until the worker says `word`; False when it ends without."""
        return word in self.child.lines()

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """MeasurementFailed, and the worker killed, when what is done within takes longer."""

        def stop() -> None:
            self.late = True
            self.child.kill()

        try:
            with alarm(seconds, stop):
                yield
        except MeasurementFailed:
            if self.late:
                raise MeasurementFailed(f"the worker was stopped after {seconds:g} s, the time limit") from None
            raise
