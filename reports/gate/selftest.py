"""The gate's own error rates: how often it cries wolf, and what it catches. On random numbers, then on this machine."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from converters.artifact import Format
from devices.plan import Weights
from models.variant import DEFAULT_RESOLUTION
from reports.gate import arms, simulate
from reports.gate.blocks import effects
from reports.gate.decision import MOST, Outcome, estimate
from reports.gate.declared import Gated, Tolerance
from reports.gate.run import Comparison, run
from reports.gate.simulate import MACHINES, Tally
from reports.gate.verdict import CellVerdict

FALSE_ALARMS, POWER = 0.01, 0.95
"""What is aimed at: false FAIL without a slow-down, and FAIL with SLOWDOWN."""
SLOWDOWN, TOLERANCE = 0.05, 0.02
SLOWDOWNS = (0.0, TOLERANCE, SLOWDOWN)
GATES = 400
"""Simulated gates for each machine and slow-down."""
TOO_NOISY = ("noisy", "noisy neighbour")
"""Machines on which doubt is the right answer to +5 %: no wrong verdict is asked of them, and no power."""
CLOSE = 0.01
"""How near to SLOWDOWN, in share, the injected slow-down is to come before the real test begins."""
FIRST_WIDTH, CALIBRATIONS = 32, 5

Say = Callable[[str], None]


def simulated(gates: int = GATES, seed: int = 0, say: Say = print) -> list[str]:
    """Print a table of simulated gates; return what was aimed at and not reached, in sentences."""
    say(f"Simulated: {gates} gates a line, tolerance {TOLERANCE:.0%}, at most {MOST} blocks in each process.")
    say(f"{'machine':26}{'slow-down':>10}{'FAIL':>9}{'PASS':>9}{'doubt':>9}{'blocks':>8}")
    missed = []
    for machine in MACHINES:
        for slowdown in SLOWDOWNS:
            found = simulate.gate(machine, slowdown, TOLERANCE, gates, seed)
            say(
                f"{machine.name:26}{slowdown:>10.0%}{found.failed:>9.1%}{found.passed:>9.1%}"
                f"{found.inconclusive:>9.1%}{found.blocks:>8}"
            )
            missed += shortfalls(found)
    return missed


def shortfalls(found: Tally) -> list[str]:
    """What `found` misses of the aims."""
    if found.slowdown == 0 and found.failed > FALSE_ALARMS:
        return [f"{found.machine}: {found.failed:.1%} false alarms, and {FALSE_ALARMS:.0%} is the aim"]
    if found.slowdown == SLOWDOWN:
        if found.passed > FALSE_ALARMS:
            return [f"{found.machine}: {found.passed:.1%} of +{SLOWDOWN:.0%} passed, and {FALSE_ALARMS:.0%} is the aim"]
        if found.machine not in TOO_NOISY and found.failed < POWER:
            return [f"{found.machine}: {found.failed:.1%} of +{SLOWDOWN:.0%} caught, and {POWER:.0%} is the aim"]
    return []


@dataclass(frozen=True)
class Trial:
    """One real gate, a line of self-test.jsonl."""

    arm: str
    """A/A or slower."""
    neighbour: bool
    format: str
    outcome: str
    effect: float | None
    used: int
    blocks: int
    seconds: float
    time: str
    injected: float | None = None


def real(
    variant: str,
    format: Format,
    weights: Weights,
    gates: int,
    folder: Path,
    neighbour: bool = False,
    seconds: float = 60.0,
    say: Say = print,
) -> list[str]:
    """Run `gates` gates on equal artifacts and as many on a slowed-down one, in turn, on this machine.

    Each is printed and kept as a line of `folder`/self-test.jsonl at once; a run that was interrupted goes on there.
    Returns what was aimed at and not reached.
    """
    from frames.sample import embedded

    footage = embedded()
    cell = Gated(variant, format, tolerance=Tolerance(slowdown=TOLERANCE))
    plain = arms.of_checkout([cell], {variant: weights})[cell]
    if isinstance(plain, arms.Absent):
        raise ValueError(plain.reason)
    slower, injected = _calibrated(cell, plain, weights.path, folder, say)
    ledger = folder / "self-test.jsonl"
    done = read(ledger)
    mine = [t for t in done if (t.format, t.neighbour) == (format, neighbour)]
    with _neighbour(neighbour):
        for index in range(gates):
            for arm, candidate in (("A/A", plain), ("slower", slower)):
                if index < sum(t.arm == arm for t in mine):
                    continue
                asked = Comparison.of(cell, plain, candidate)
                (verdict,) = run([asked], footage, seconds, seed=1000 * index, speed_only=True)
                trial = _trial(arm, neighbour, format, verdict, injected if arm == "slower" else 0.0)
                mine.append(trial)
                with ledger.open("a") as file:
                    file.write(json.dumps(asdict(trial)) + "\n")
                say(line(trial, mine))
    for words in summary(mine):
        say(words)
    return _real_shortfalls(mine)


def read(ledger: Path) -> list[Trial]:
    """The trials kept so far; a last line that was cut short is not one."""
    trials = []
    for text in ledger.read_text().splitlines() if ledger.exists() else []:
        try:
            trials.append(Trial(**json.loads(text)))
        except ValueError:
            continue
    return trials


def line(trial: Trial, so_far: Sequence[Trial]) -> str:
    change = f"{math.expm1(trial.effect):+.1%}" if trial.effect is not None else "?"
    count = sum(t.arm == trial.arm for t in so_far)
    red = sum(t.arm == trial.arm and t.outcome == Outcome.FAIL for t in so_far)
    return (
        f"{trial.arm:6} {count:>4}: {trial.outcome:12} {change:>7}, {trial.used} of {trial.blocks} blocks, "
        f"{trial.seconds:.0f} s; FAIL so far {red} of {count}"
    )


def summary(trials: Sequence[Trial]) -> list[str]:
    """What was reached, with the 95 % interval that so many gates allow (Clopper and Pearson 1934)."""
    said = []
    for arm in ("A/A", "slower"):
        mine = [t for t in trials if t.arm == arm]
        if not mine:
            continue
        count = {o: sum(t.outcome == o for t in mine) for o in Outcome}
        low, high = interval(count[Outcome.FAIL], len(mine))
        seconds = sorted(t.seconds for t in mine)[len(mine) // 2]
        what = "equal artifacts" if arm == "A/A" else f"slowed down by {mine[-1].injected or 0:.1%}"
        said.append(
            f"{what}{' beside a noisy neighbour' if mine[-1].neighbour else ''}: {len(mine)} gates, "
            f"{count[Outcome.FAIL]} FAIL ({count[Outcome.FAIL] / len(mine):.1%}, between {low:.1%} and {high:.1%}), "
            f"{count[Outcome.PASS]} PASS, {count[Outcome.INCONCLUSIVE]} in doubt, "
            f"{count[Outcome.NOT_MEASURED]} not measured; median {seconds:.0f} s"
        )
    return said


def interval(hits: int, count: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    found = binomtest(hits, count).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def _real_shortfalls(trials: Sequence[Trial]) -> list[str]:
    shares = {
        arm: sum(t.outcome == Outcome.FAIL for t in mine) / len(mine)
        for arm in ("A/A", "slower")
        if (mine := [t for t in trials if t.arm == arm])
    }
    missed = []
    if shares.get("A/A", 0) > FALSE_ALARMS:
        missed.append(f"{shares['A/A']:.1%} false alarms, and {FALSE_ALARMS:.0%} is the aim")
    if shares.get("slower", 1) < POWER:
        missed.append(f"{shares['slower']:.1%} of the slowed-down were caught, and {POWER:.0%} is the aim")
    return missed


def _trial(arm: str, neighbour: bool, format: str, verdict: CellVerdict, injected: float) -> Trial:
    speed = verdict.speed
    found = speed.estimate if speed else None
    return Trial(
        arm,
        neighbour,
        format,
        verdict.outcome,
        found.effect if found else None,
        found.used if found else 0,
        found.blocks if found else 0,
        round(speed.seconds, 1) if speed else 0.0,
        datetime.now(UTC).isoformat(timespec="seconds"),
        injected,
    )


def _calibrated(cell: Gated, plain: arms.Arm, checkpoint: Path, folder: Path, say: Say) -> tuple[arms.Arm, float]:
    """An artifact slower by about SLOWDOWN, and the slow-down that a long measurement of it showed; once a folder."""
    from reports.gate import burden

    kept = folder / f"burden-{cell.variant}-{cell.format}.json"
    if kept.exists():
        values = json.loads(kept.read_text())
        path = burden.convert(checkpoint, cell.format, DEFAULT_RESOLUTION, values["width"], folder)
        return arms.of_file(path, cell.format), values["injected"]
    measured: list[tuple[int, float]] = []
    for _ in range(CALIBRATIONS):
        width = _next_width(measured) if measured else FIRST_WIDTH
        path = burden.convert(checkpoint, cell.format, DEFAULT_RESOLUTION, width, folder)
        shown = _long(cell, plain, arms.of_file(path, cell.format))
        say(f"calibrating: a branch of {width} channels slows down by {shown:.1%}")
        measured.append((width, shown))
        if abs(shown - SLOWDOWN) < CLOSE:
            break
    width, shown = min(measured, key=lambda m: abs(m[1] - SLOWDOWN))
    kept.write_text(json.dumps({"width": width, "injected": shown}) + "\n")
    path = burden.convert(checkpoint, cell.format, DEFAULT_RESOLUTION, width, folder)
    return arms.of_file(path, cell.format), shown


def _next_width(measured: Sequence[tuple[int, float]]) -> int:
    """The width at which a line through what was measured meets SLOWDOWN: in fours, from 4 to 512."""
    import numpy as np

    widths, shown = np.array(measured).T
    slope, base = np.polyfit(widths, shown, 1) if len(measured) > 1 else (shown[0] / widths[0], 0.0)
    wanted = (SLOWDOWN - base) / slope if slope > 0 else 2 * widths.max()
    return int(np.clip(round(wanted / 4) * 4, 4, 512))


def _long(cell: Gated, plain: arms.Arm, candidate: arms.Arm) -> float:
    """The slow-down over as many blocks as a gate may take at most, whatever they say on the way."""
    import tempfile

    from devices import paired
    from frames.sample import embedded
    from reports.gate.run import job_of

    asked = Comparison.of(cell, plain, candidate)
    with tempfile.TemporaryDirectory(prefix="gate-") as temporary:
        job = job_of(asked, candidate, embedded(), Path(temporary))
        with paired.opened(plain.path, job, seed=7) as pair:
            blocks = pair.blocks(MOST)
    return math.expm1(estimate(*effects(blocks), TOLERANCE).effect)


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
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR], env=dict(os.environ))
    try:
        yield
    finally:
        process.kill()
        process.wait()
