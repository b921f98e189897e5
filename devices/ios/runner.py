"""An iPhone as a device, over a Link: the harness app runs Core ML and leaves its answer in its Documents folder.

Not yet run on an iPhone: everything here was run by the real libimobiledevice against a loopback usbmuxd with a
stand-in for the app.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from devices import job as jobs
from devices.contract import Job, MeasurementFailed, Result
from devices.ios.link import Link, Missing, Start
from devices.ios.probe import environment
from devices.transport import Unreachable, persevere

QUESTION, ANSWER = "job", "answer"
"""Folders of the app's Documents: what is pushed, what the app writes."""
INT8_SINCE = 16


@dataclass(frozen=True)
class Limits:
    """Seconds that each step may take before the phone counts as stuck."""

    push: float = 300.0
    start: float = 60.0
    """From the launch to the app's first word: time enough to open it by hand."""
    run: float | None = None
    """None: a generous one from the job's counts and frames."""
    pull: float = 120.0
    nominal: float = 120.0
    """How long the app waits for the phone to cool."""
    come_back: float = 60.0
    poll: float = 2.0


@dataclass(frozen=True)
class IPhone:
    """Runs Core ML configurations on the iPhone that `link` reaches; `major` is its iOS version, 0 unknown.

    A configuration whose phone vanished, was locked in the middle or handed over half an answer is tried `attempts`
    times in all.
    """

    takes_labels: ClassVar[bool] = True
    link: Link
    major: int = 0
    limits: Limits = Limits()
    attempts: int = 2

    def run(self, job: Job) -> Result:
        """Measure `job`; the result counts retries. MeasurementFailed has the last attempt's reason."""
        if job.config.format != "coreml":
            raise MeasurementFailed(f"an iPhone runs coreml, not {job.config.format}")
        if job.config.precision == "int8" and 0 < self.major < INT8_SINCE:
            raise MeasurementFailed(
                f"int8 weights in an ML program need iOS {INT8_SINCE}, and this iPhone has iOS {self.major}"
            )
        return persevere(self.attempts, lambda: self._attempt(job), lambda: self.link.wait(self.limits.come_back))

    def _attempt(self, job: Job) -> Result:
        name = uuid.uuid4().hex
        with tempfile.TemporaryDirectory(prefix="job-") as temporary:
            place = jobs.write(Path(temporary) / QUESTION, job, jobs.read_frames(job))
            go = Path(temporary) / "go.json"
            go.write_text(json.dumps({"job": name, "nominal_seconds": self.limits.nominal}))
            self.link.push(place, QUESTION, self.limits.push)
            with self.link.started() as start:
                # Last of all: launching an app that already measures would end it.
                self.link.put(go, f"{QUESTION}/go.json", self.limits.push)
                self._await(name, job, start, Path(temporary) / "status.json")
                labels = (jobs.LABELS_FILE,) if jobs.gives_labels(job) else ()
                for file in ("masks.f32", *labels, "result.json"):
                    self._pull(file, place / file)
                how = "opened by hand" if start.failure() else start.how
            try:
                result = jobs.read_result(place)
            except MeasurementFailed as failure:
                raise Unreachable(str(failure)) from None
        facts = result.environment.facts
        if facts.pop("job", None) != name:
            raise Unreachable("the harness left the answer to another job")
        return replace(result, environment=environment(facts | {"launch": how}))

    def _await(self, name: str, job: Job, start: Start, file: Path) -> None:
        """Until the app says that it is done; asked seldom, and not at all while it times."""
        limits, begun = self.limits, time.monotonic()
        limit = limits.nominal + (limits.run if limits.run is not None else job.time_limit)
        while True:
            said = self._status(file)
            phase = said.get("phase", "") if said.get("job") == name else ""
            if phase == "done":
                return
            if phase == "failed":
                raise MeasurementFailed(said.get("reason", "the harness failed without a word"))
            if phase == "interrupted":
                raise Unreachable(said.get("reason", "the harness was interrupted"))
            waited = time.monotonic() - begun
            if not phase and (waited > limits.start or "ocked" in (start.failure() or "")):
                raise MeasurementFailed(_not_started(start.failure(), limits.start))
            if waited > limit:
                raise Unreachable(f"the harness was still {phase or 'silent'} after {limit:.0f} s")
            busy = job.counts.warm_up_seconds + 2 * job.counts.seconds
            time.sleep(max(busy, limits.poll) if phase == "timing" else limits.poll)

    def _status(self, file: Path) -> dict[str, str]:
        try:
            self.link.pull(f"{ANSWER}/status.json", file, self.limits.pull)
            return json.loads(file.read_text())
        except (Missing, ValueError):
            return {}

    def _pull(self, name: str, local: Path) -> None:
        try:
            self.link.pull(f"{ANSWER}/{name}", local, self.limits.pull)
        except Missing:
            raise Unreachable(f"the harness left no {name}") from None


def _not_started(said: str | None, seconds: float) -> str:
    if said and "ocked" in said:
        return f"the harness could not be started, for the iPhone is locked: unlock it and keep it so ({said})"
    why = f"; the launcher said: {said}" if said else ""
    return f"the harness did not begin within {seconds:.0f} s: unlock the iPhone and open the app{why}"
