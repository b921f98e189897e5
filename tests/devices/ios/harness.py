"""The harness app played in Python, for tests alone: the same files, the same order, Core ML by the reference executor.

It has no clock worth the name: what it reports as times only stands for times.
"""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from devices import job as jobs
from devices.contract import Environment, Job, Result

FACTS = {"product": "iPhone9,1", "ios": "15.8.2", "thermal_state": "nominal", "low_power": False, "battery": 80}


@dataclass
class Harness:
    """`documents` is its folder. What it does wrong is set by the tests."""

    documents: Path
    facts: dict[str, Any] = field(default_factory=lambda: dict(FACTS))
    interrupted = 0
    """How many of the next jobs end because the screen was locked."""
    silent = False
    """It is never started, whatever the launcher says."""
    spoil: Callable[[Path], None] | None = None
    """Called with the answer's folder before it is said to be done."""
    patience = 30.0
    """Seconds for which it looks for a job once it was launched."""
    launches = 0
    jobs: list[str] = field(default_factory=list)

    def launch(self) -> None:
        self.launches += 1
        if not self.silent:
            threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        go = self.documents / "job" / "go.json"
        end = time.monotonic() + self.patience
        while time.monotonic() < end:
            if go.exists():
                try:
                    name = json.loads(go.read_text())["job"]
                except ValueError:
                    continue
                if name not in self.jobs:
                    self.jobs.append(name)
                    self._measure(name)
                    return
            time.sleep(0.01)

    def _measure(self, name: str) -> None:
        answer = self.documents / "answer"
        shutil.rmtree(answer, ignore_errors=True)
        answer.mkdir()
        try:
            self._say(answer, name, "scoring")
            if self.interrupted:
                self.interrupted -= 1
                self._say(answer, name, "interrupted", "the screen was locked or another app came to the front")
                return
            job = jobs.read(self.documents / "job")
            facts = self.facts | {"job": name}
            times = tuple(range(1_000_000, 1_000_000 + job.counts.samples))
            placement = {"runtime": "Core ML of iOS 15.8.2", "compute_units": "cpuOnly", "actual": "CPU"}
            found, labels = answers(job)
            result = Result(found, "measured", times, times, 5, 6, labels=labels, placement=placement)
            jobs.write_result(answer, Result(**vars(result) | {"environment": Environment(facts)}))
            if self.spoil:
                self.spoil(answer)
            self._say(answer, name, "done")
        except Exception as fault:
            self._say(answer, name, "failed", f"the harness failed: {fault}")

    def _say(self, answer: Path, name: str, phase: str, reason: str = "") -> None:
        (answer / "status.part").write_text(json.dumps({"job": name, "phase": phase, "reason": reason}))
        (answer / "status.part").rename(answer / "status.json")


def masks(job: Job) -> np.ndarray:
    """The job's masks by the reference executor, the mask fed back."""
    return answers(job)[0]


def answers(job: Job) -> tuple[np.ndarray, np.ndarray | None]:
    """The job's masks by the reference executor, the mask fed back, and of a network with labels their shares."""
    from converters import coreml
    from evaluation.score import predict, predict_labels

    session = coreml.load(job.model)
    what = session, jobs.read_frames(job), job.sequences
    return predict_labels(*what) if session.labels else (predict(*what), None)
