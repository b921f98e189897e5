"""An Android phone as a device, over a Transport: our own runner for the cpu, the user's benchmark_model for the rest.

Not yet run on a phone: everything here was run by the real adb client against a loopback adbd that hands the commands
to the AArch64 runner under qemu.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from devices import job as jobs
from devices.aarch64_runner import build, folder
from devices.android import benchmark_model
from devices.android.home import Home, Limits, refused
from devices.android.probe import AndroidProbe, big_cores, merge, wait_for_nominal
from devices.contract import Environment, Job, MeasurementFailed, Result
from devices.transport import Transport, Unreachable, persevere

ENDED = "== the runner ended with"


@dataclass(frozen=True)
class AndroidPhone:
    """Runs TFLite configurations on the phone that `transport` reaches.

    `cpus` is the mask of processors to be bound to; None takes the fastest clusters that the phone tells of. A
    configuration whose phone vanished, locked up or handed over half an answer is tried `attempts` times in all.
    """

    transport: Transport
    cpus: int | None = None
    limits: Limits = field(default_factory=Limits)
    attempts: int = 2

    def run(self, job: Job) -> Result:
        """Measure `job`; the result counts retries. MeasurementFailed has the last attempt's reason."""
        return persevere(self.attempts, lambda: self._attempt(job), lambda: self.transport.wait(self.limits.come_back))

    def _attempt(self, job: Job) -> Result:
        home = Home(self.transport, self.limits)
        before = wait_for_nominal(self._probe.read, self.limits.nominal)
        with tempfile.TemporaryDirectory(prefix="job-") as temporary:
            if job.config.unit == "cpu":
                result = _measure_cpu(home, job, Path(temporary), self._mask(job.config.threads, before))
            else:
                result = benchmark_model.measure(home, job, Path(temporary))
        told = result.environment
        phone = merge(before, self._probe.read())
        hazards = dict.fromkeys((*phone.hazards, *told.hazards))
        return replace(result, environment=Environment(phone.facts | told.facts, tuple(hazards)))

    @cached_property
    def _probe(self) -> AndroidProbe:
        return AndroidProbe(self.transport, self.limits.shell)

    def _mask(self, threads: int, environment: Environment) -> int:
        """The processors to be bound to; 0, none, when neither the catalog nor the phone tells the fast ones."""
        return big_cores(environment.facts.get("max_khz", {}), threads) if self.cpus is None else self.cpus


def _measure_cpu(home: Home, job: Job, temporary: Path, cpus: int) -> Result:
    limits, transport = home.limits, home.transport
    place = folder.describe(temporary, job, cpus)
    try:
        kit = build.build()
    except build.CannotBuild as reason:
        raise MeasurementFailed(str(reason)) from None
    installed = home.install(kit)
    remote = home.fresh("job")
    transport.push([place / name for name in folder.QUESTION], remote, limits.push)

    limit = limits.run or job.time_limit
    # The phone's own time limit ends a runner that would otherwise disturb the configurations after this one.
    command = f"timeout -s KILL {limit:.0f} {' '.join(build.RUN)} {remote} 2>&1"
    script = f"cd {installed} && {command}; code=$?; echo; echo '{ENDED}' $code"
    words, ended, code = transport.run(script, limit + limits.shell).partition(ENDED)
    if not ended:
        raise Unreachable("the phone vanished while the runner ran")
    if code.split()[:1] in (["124"], ["137"]):
        raise Unreachable(
            f"the runner was killed on the phone, at its time limit of {limit:.0f} s or for want of memory"
        )
    try:
        for name in folder.ANSWER:
            transport.pull(f"{remote}/{name}", place / name, limits.pull)
    except Unreachable:
        raise
    except MeasurementFailed as failure:
        raise refused(
            f"the runner left no answer ({failure})" if not words.strip() else "the runner failed", words
        ) from None
    try:
        return jobs.read_result(place)
    except MeasurementFailed as failure:
        raise Unreachable(str(failure)) from None
