"""An Android phone as a device, over a Transport: our own runner for the cpu, the user's benchmark_model for the rest.

Not yet run on a phone: everything here was run by the real adb client against a loopback adbd that hands the commands
to the AArch64 runner under qemu.
"""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from devices import job as jobs
from devices.android import benchmark_model
from devices.android.adb import HOME
from devices.android.probe import AndroidProbe, big_cores, merge, wait_for_nominal
from devices.contract import Cell, CellFailed, Counts, Environment, Job, Result
from devices.runner import build, folder
from devices.transport import Transport, Unreachable, persevere

ENDED = "== the runner ended with"


@dataclass(frozen=True)
class Limits:
    """Seconds that each step may take before the phone counts as stuck."""

    push: float = 300.0
    run: float | None = None
    """None: a generous one from the job's counts and frames."""
    pull: float = 120.0
    shell: float = 30.0
    nominal: float = 600.0
    come_back: float = 60.0


@dataclass(frozen=True)
class AndroidPhone:
    """Runs TFLite cells on the phone that `transport` reaches.

    `cpus` is the mask of processors to be bound to; None takes the fastest clusters that the phone tells of. A cell
    whose phone vanished, locked up or handed over half an answer is tried `attempts` times in all.
    """

    transport: Transport
    cpus: int | None = None
    limits: Limits = Limits()
    attempts: int = 2

    def run(self, cell: Cell, job: Job) -> Result:
        """Measure one cell, or raise CellFailed with the last attempt's reason; retries are counted in the result."""
        return persevere(self.attempts, lambda: self._attempt(job), lambda: self.transport.wait(self.limits.come_back))

    def _attempt(self, job: Job) -> Result:
        measure = _measure_cpu if job.unit == "cpu" else benchmark_model.measure
        before = wait_for_nominal(self._probe.read, self.limits.nominal)
        with tempfile.TemporaryDirectory(prefix="cell-") as temporary:
            result = measure(self, job, Path(temporary), before)
        told = result.environment
        phone = merge(before, self._probe.read())
        hazards = dict.fromkeys((*phone.hazards, *told.hazards))
        return replace(result, environment=Environment(phone.facts | told.facts, tuple(hazards)))

    @cached_property
    def _probe(self) -> AndroidProbe:
        return AndroidProbe(self.transport, self.limits.shell)

    def mask(self, threads: int, environment: Environment) -> int:
        """The processors to be bound to; 0, none, when neither the catalog nor the phone tells the fast ones."""
        return big_cores(environment.facts.get("max_khz", {}), threads) if self.cpus is None else self.cpus

    def fresh(self, remote: str) -> str:
        """An empty folder `remote` of the phone."""
        path = shlex.quote(remote)
        said = self.transport.run(f"rm -rf {path} && mkdir -p {path} && echo made", self.limits.shell)
        if "made" not in said:
            raise _refused(f"the folder {remote} could not be made on the phone", said)
        return remote

    def install(self, kit: build.Kit) -> str:
        """The folder of the phone that holds `kit`, pushed unless it is there whole."""
        remote = f"{HOME}/kit-{kit.sha256}"
        whole = shlex.quote(f"{remote}/whole")
        if "whole" not in self.transport.run(f"ls {whole} 2>/dev/null", self.limits.shell):
            self.fresh(remote)
            self.transport.push(kit.files, remote, self.limits.push)
            run = f"cd {shlex.quote(remote)} && chmod 755 runner {build.LOADER} && touch whole && echo done"
            said = self.transport.run(run, self.limits.shell)
            if "done" not in said:
                raise _refused("the runner could not be made ready on the phone", said)
        return remote


def generous_limit(counts: Counts, frames: int) -> float:
    """Seconds after which a runner is surely stuck: two a frame, and three times what it was told to measure."""
    return 60.0 + 2.0 * frames + 3.0 * (counts.warm_up_seconds + 2 * counts.seconds) + 2.0 * counts.samples


def _measure_cpu(phone: AndroidPhone, job: Job, temporary: Path, before: Environment) -> Result:
    limits = phone.limits
    place = folder.describe(temporary, job, phone.mask(job.threads, before))
    try:
        kit = build.build()
    except build.CannotBuild as reason:
        raise CellFailed(str(reason)) from None
    home = phone.install(kit)
    remote = phone.fresh(f"{HOME}/job")
    phone.transport.push([place / name for name in folder.QUESTION], remote, limits.push)

    limit = limits.run or generous_limit(job.counts, sum(job.sequences))
    # The phone's own time limit ends a runner that would otherwise disturb the cells after this one.
    command = f"timeout -s KILL {limit:.0f} {' '.join(build.RUN)} {shlex.quote(remote)} 2>&1"
    script = f"cd {shlex.quote(home)} && {command}; code=$?; echo; echo '{ENDED}' $code"
    words, ended, code = phone.transport.run(script, limit + limits.shell).partition(ENDED)
    if not ended:
        raise Unreachable("the phone vanished while the runner ran")
    if code.split()[:1] in (["124"], ["137"]):
        raise Unreachable(
            f"the runner was killed on the phone, at its time limit of {limit:.0f} s or for want of memory"
        )
    try:
        for name in folder.ANSWER:
            phone.transport.pull(f"{remote}/{name}", place / name, limits.pull)
    except Unreachable:
        raise
    except CellFailed as failure:
        raise _refused(
            f"the runner left no answer ({failure})" if not words.strip() else "the runner failed", words
        ) from None
    try:
        return jobs.read_result(place)
    except CellFailed as failure:
        raise Unreachable(str(failure)) from None


def _refused(what: str, said: str) -> CellFailed:
    """A fault that will be the same next time, with the phone's last words."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if any("No space left on device" in line for line in lines):
        return CellFailed(f"{what}: its disk is full")
    return CellFailed(f"{what}: {lines[-1][:300]}" if lines else f"{what}, without a word")
