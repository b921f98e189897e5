"""An Android phone as a device, over a Transport: our own runner for the cpu, the user's benchmark_model for the rest.

Not yet run on a phone: everything here was run by the real adb client against a loopback adbd that hands the commands
to the AArch64 runner under qemu.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from devices import job as jobs
from devices import sustained
from devices.aarch64_runner import build, folder
from devices.android import battery, benchmark_model
from devices.android.home import Home, Limits, refused
from devices.android.probe import AndroidProbe, big_cores, merge, wait_for_nominal
from devices.contract import Counts, Environment, Job, MeasurementFailed, Result
from devices.transport import Transport, Unreachable, persevere

ENDED = "== the runner ended with"
BESIDE = "beside.txt"


@dataclass(frozen=True)
class AndroidPhone:
    """Runs TFLite configurations on the phone that `transport` reaches.

    `cpus` is the mask of processors to be bound to; None takes the fastest clusters that the phone tells of. A
    configuration whose phone vanished, locked up or handed over half an answer is tried `attempts` times in all.
    """

    takes_labels: ClassVar[bool] = True
    transport: Transport
    cpus: int | None = None
    limits: Limits = field(default_factory=Limits)
    attempts: int = 2
    power_supply: str = battery.POWER_SUPPLY
    energy_seconds: float = battery.SECONDS
    """Of load, for the energy of a frame where minutes of load were asked for."""

    def run(self, job: Job) -> Result:
        """Measure `job`; the result counts retries. MeasurementFailed has the last attempt's reason."""
        return persevere(self.attempts, lambda: self._attempt(job), lambda: self.transport.wait(self.limits.come_back))

    def _attempt(self, job: Job) -> Result:
        home = Home(self.transport, self.limits)
        before = wait_for_nominal(self._probe.read, self.limits.nominal)
        with tempfile.TemporaryDirectory(prefix="job-") as temporary:
            if job.config.unit == "cpu":
                result, _ = _measure_cpu(home, job, Path(temporary), self._mask(job.config.threads, before))
            else:
                result = benchmark_model.measure(home, job, Path(temporary))
        told = result.environment
        phone = merge(before, self._probe.read())
        hazards = dict.fromkeys((*phone.hazards, *told.hazards))
        result = replace(result, environment=Environment(phone.facts | told.facts, tuple(hazards)))
        return self._with_energy(home, job, result) if job.counts.sustained and job.config.unit == "cpu" else result

    def _with_energy(self, home: Home, job: Job, result: Result) -> Result:
        """The result with the energy of a frame, or the reason for none among its facts."""
        facts, found = result.environment.facts, None
        reason = "the phone gave no usable reading of its battery"
        if (plugged := facts.get("after_plugged", facts.get("plugged", "no"))) != "no":
            reason = f"the phone is plugged in ({plugged}): reach it over Wi-Fi"
        else:
            counts = Counts(1, 0.0, 1, 0.0, self.energy_seconds / 60)
            mask = self._mask(job.config.threads, result.environment)
            try:
                with tempfile.TemporaryDirectory(prefix="job-") as temporary:
                    pass_job = replace(job, counts=counts)
                    loaded, said = _measure_cpu(
                        home, pass_job, Path(temporary), mask, battery.watching(self.power_supply)
                    )
                found = battery.energy(battery.samples(said), sustained.from_json(loaded.sustained))
            except MeasurementFailed as failure:  # costs the energy alone
                reason = str(failure)
        if found:
            return replace(result, energy=found)
        told = Environment(facts | {"energy_not_measured": reason}, result.environment.hazards)
        return replace(result, environment=told)

    @cached_property
    def _probe(self) -> AndroidProbe:
        return AndroidProbe(self.transport, self.limits.shell)

    def _mask(self, threads: int, environment: Environment) -> int:
        """The processors to be bound to; 0, none, when neither the catalog nor the phone tells the fast ones."""
        return big_cores(environment.facts.get("max_khz", {}), threads) if self.cpus is None else self.cpus


def _measure_cpu(home: Home, job: Job, temporary: Path, cpus: int, beside: str = "") -> tuple[Result, str]:
    """The result, and what the shell command `beside`, which runs along, printed."""
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
    # The last word is the program's: what runs along is ended before it.
    begin, end = (f"({beside}) > {remote}/{BESIDE} & watcher=$!; ", "kill $watcher; ") if beside else ("", "")
    script = f"{begin}cd {installed} && {command}; code=$?; {end}echo; echo '{ENDED}' $code"
    words, ended, code = transport.run(script, limit + limits.shell).partition(ENDED)
    if not ended:
        raise Unreachable("the phone vanished while the runner ran")
    if code.split()[:1] in (["124"], ["137"]):
        raise Unreachable(
            f"the runner was killed on the phone, at its time limit of {limit:.0f} s or for want of memory"
        )
    try:
        for name in (*folder.answer(job), *([BESIDE] if beside else [])):
            transport.pull(f"{remote}/{name}", place / name, limits.pull)
    except Unreachable:
        raise
    except MeasurementFailed as failure:
        raise refused(
            f"the runner left no answer ({failure})" if not words.strip() else "the runner failed", words
        ) from None
    try:
        return jobs.read_result(place), (place / BESIDE).read_text() if beside else ""
    except MeasurementFailed as failure:
        raise Unreachable(str(failure)) from None
