"""The gate's error rates: false alarms and detected slow-downs, on simulated machines and on this machine."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from converters.artifact import Format
from devices.contract import Config
from devices.plan import Weights
from gate import artifacts
from gate.blocks import effects
from gate.config import Tolerance
from gate.decision import MOST
from gate.run import Comparison, run
from gate.selftest import calibrate, selftest_log, simulate
from gate.selftest.calibrate import SLOWDOWN
from gate.selftest.selftest_log import EQUAL, FALSE_ALARMS, SLOWER, Trial
from gate.selftest.simulate import HELD_OUT, MACHINES, Tally
from gate.verdict import Verdict
from models.variant import get

TOLERANCE = 0.02
SLOWDOWNS = (0.0, TOLERANCE, SLOWDOWN)
GATES = 400
"""Simulated gates for each machine and slow-down."""
Say = Callable[[str], None]
tell: Say = partial(print, flush=True)


def simulated(gates: int = GATES, seed: int = 0, say: Say = tell) -> list[str]:
    """Print a table of simulated gates; return the targets that were missed, in sentences."""
    say(f"Simulated: {gates} gates a line, tolerance {TOLERANCE:.0%}, at most {MOST} blocks in each process.")
    missed = []
    for heading, machines in (("tuned on", MACHINES), ("held out", HELD_OUT)):
        say(f"{f'machines: {heading}':44}{'slow-down':>10}{'FAIL':>9}{'PASS':>9}{'unclear':>9}{'blocks':>8}")
        for machine in machines:
            for slowdown in SLOWDOWNS:
                found = simulate.gate(machine, slowdown, TOLERANCE, gates, seed)
                say(
                    f"{machine.name:44}{slowdown:>10.0%}{found.failed:>9.1%}{found.passed:>9.1%}"
                    f"{found.inconclusive:>9.1%}{found.blocks:>8}"
                )
                missed += shortfalls(found, None if machine in HELD_OUT else machine.caught)
    return missed


def shortfalls(found: Tally, caught: float | None) -> list[str]:
    """The targets that `found` misses; `caught` is the share of slow-downs to detect.

    The false alarms have a target on every machine. The held-out machines (None) have no other: their detection rate
    is printed only, so that no setting is tuned on it.
    """
    if found.slowdown == 0 and found.failed > FALSE_ALARMS:
        return [f"{found.machine}: {found.failed:.1%} false alarms, and the target is at most {FALSE_ALARMS:.0%}"]
    if found.slowdown == SLOWDOWN and caught is not None:
        if found.passed > FALSE_ALARMS:
            return [f"{found.machine}: {found.passed:.1%} of +{SLOWDOWN:.0%} passed, target {FALSE_ALARMS:.0%}"]
        if found.failed < caught:
            return [f"{found.machine}: {found.failed:.1%} of +{SLOWDOWN:.0%} detected, and the target is {caught:.0%}"]
    return []


def real(
    variant: str,
    format: Format,
    weights: Weights,
    gates: int,
    folder: Path,
    neighbour: bool = False,
    seconds: float = 60.0,
    minutes: float | None = None,
    say: Say = tell,
) -> list[str]:
    """Run `gates` gates on equal artifacts, and for every SLOWED_EVERY of them one on a slowed-down one, here.

    Each is printed and kept as a line of `folder`/self-test.jsonl at once; a run that was interrupted, or that used up
    its `minutes` (after which no gate is begun), goes on there. Gates with another synthetic slow-down do not
    count, and are listed separately. Returns the targets that were missed.
    """
    from evaluation.sample import embedded

    end = time.monotonic() + (math.inf if minutes is None else 60 * minutes)
    dataset = embedded()
    config = Config(variant, format, resolution=get(variant).resolution)
    plain = artifacts.of_checkout([config], {variant: weights})[config]
    if isinstance(plain, artifacts.MissingArtifact):
        raise ValueError(plain.reason)
    folder.mkdir(parents=True, exist_ok=True)
    ledger = folder / "self-test.jsonl"
    kept = [t for t in selftest_log.read(ledger) if t.format == format]
    slower = calibrate.kept(config, weights.path, folder)
    if slower is None and time.monotonic() < end:
        slower = calibrate.find(config, plain, weights.path, folder, say)
    slowdown = slower.artifact.sha256 if slower else None
    mine = selftest_log.counted(kept, neighbour, slowdown)
    others = [t for t in kept if t not in mine]
    with _neighbour(neighbour), tempfile.TemporaryDirectory(prefix="gate-") as frames:
        for kind, index in selftest_log.left(mine, gates):
            if time.monotonic() >= end:
                say(f"The {minutes:g} minutes are over; the same command resumes.")
                break
            assert slower
            asked = Comparison(
                config, plain, plain if kind == EQUAL else slower.artifact, Tolerance(slowdown=TOLERANCE)
            )
            (verdict,) = run([asked], dataset, seconds, seed=1000 * index, speed_only=True, frames=Path(frames))
            trial = _trial(kind, neighbour, format, verdict)
            if kind == SLOWER:
                trial = replace(trial, injected=slower.injected, slowdown_sha256=slower.artifact.sha256)
            mine.append(trial)
            with ledger.open("a") as file:
                file.write(json.dumps(asdict(trial)) + "\n")
            say(selftest_log.line(trial, mine))
    for words in selftest_log.summary([*others, *mine]):
        say(f"{words}.")
    return selftest_log.shortfalls(mine)


def _trial(kind: str, neighbour: bool, format: str, verdict: Verdict) -> Trial:
    speed = verdict.speed
    found = speed.estimate if speed else None
    processes = (speed.first, *speed.fresh) if speed else ()
    return Trial(
        kind,
        neighbour,
        format,
        verdict.outcome,
        effect=found.effect if found else None,
        used=found.used if found else 0,
        blocks=found.blocks if found else 0,
        seconds=round(speed.seconds, 1) if speed else 0.0,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        injected=0.0,
        effects=tuple(tuple(round(d, 5) for d in effects(process)[0]) for process in processes),
    )


NEIGHBOUR = """
import random, time, os
import numpy as np
a = np.random.default_rng(0).random((512, 512), np.float32)
parent = os.getppid()
while os.getppid() == parent:
    end = time.monotonic() + random.uniform(0, 1)
    while time.monotonic() < end:
        a @ a
    time.sleep(random.uniform(0, 1))
"""
"""Works and rests for up to a second by turns, on all processors, as somebody else's job would."""


@contextmanager
def _neighbour(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR], start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()
