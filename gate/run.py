"""A whole gate: what needs no clock, paired blocks until decided, Holm over the cells, each FAIL confirmed afresh."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from devices import job as jobs
from devices import paired
from devices.contract import Config, Job, MeasurementFailed, Runner
from devices.data import excerpt
from devices.emulator import FRAMES
from devices.fleet import Fleet
from devices.paired import BASELINE, CANDIDATE, Block, Looked
from gate import clockless, decision
from gate.arms import Absent, Arm
from gate.blocks import effects
from gate.decision import ALPHA, FIRST, FRESH, MOST, Outcome
from gate.declared import Tolerance
from gate.verdict import CellVerdict, Finding, Speed

if TYPE_CHECKING:
    from evaluation.clip import Footage

SECONDS = 60.0
"""For the blocks of one cell, all processes together."""
FIRST_SHARE = 0.6
"""Of those seconds, what the first process may use; what it leaves is for confirming a FAIL."""
LEAST = 3
"""Blocks that a process measures at least when it confirms, also when the time is up."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """Two artifacts to be told apart, and what runs them."""

    config: Config
    baseline: Arm | Absent
    candidate: Arm | Absent
    tolerance: Tolerance = Tolerance()
    label: str = ""

    @property
    def name(self) -> str:
        return self.label or self.config.name

    @property
    def emulated(self) -> bool:
        """Whether instructions stand for the speed, as there is no time to measure."""
        return self.config.device == "arm64-emulator"


@dataclass(frozen=True)
class _Ready:
    """A comparison whose arms are both there and differ, with the job that runs its candidate."""

    asked: Comparison
    baseline: Arm
    candidate: Arm
    job: Job
    seed: int

    def pair(self, again: int = 0) -> AbstractContextManager[paired.Pair | paired.OnDevice]:
        if self.asked.config.device == "desktop":
            return paired.opened(self.baseline.path, self.job, self.seed + again)
        return paired.on_device(_runner(self.asked.config.device), self.baseline.path, self.job, self.seed + again)


@dataclass(frozen=True)
class _Measured:
    ready: _Ready
    findings: tuple[Finding, ...]
    blocks: tuple[Block, ...]
    seconds: float
    hazards: tuple[str, ...]
    reason: str | None = None


def run(
    comparisons: Sequence[Comparison],
    footage: Footage,
    seconds: float = SECONDS,
    seed: int = 0,
    say: Say = lambda _: None,
    speed_only: bool = False,
    frames: Path | None = None,
    clock_advises: bool = False,
) -> tuple[CellVerdict, ...]:
    """The verdict of every comparison, in their order; what goes wrong with one costs that one alone.

    `speed_only` measures the speed and nothing else, also of equal artifacts: so the gate tests itself,
    keeping the frames as written in the folder `frames` from one gate to the next. `clock_advises`: Speed.advises.
    """
    verdicts: dict[str, CellVerdict] = {}
    with tempfile.TemporaryDirectory(prefix="gate-") as temporary:
        ready = []
        for asked in comparisons:
            verdict = _without_measuring(asked, speed_only)
            if verdict:
                verdicts[asked.name] = verdict
            else:
                assert isinstance(asked.baseline, Arm)
                assert isinstance(asked.candidate, Arm)
                job = job_of(asked, asked.candidate, _shown(asked, footage), frames or Path(temporary))
                ready.append(_Ready(asked, asked.baseline, asked.candidate, job, seed))
        timed = [r for r in ready if not r.asked.emulated]
        measured = []
        for r in ready:
            say(r.asked.name)
            its = _shown(r.asked, footage)
            measured.append(_measure(r, its, seconds * FIRST_SHARE, ALPHA / max(1, len(timed)), speed_only))
        verdicts |= _judge(measured, seconds, say, clock_advises)
    return tuple(verdicts[asked.name] for asked in comparisons)


def _without_measuring(asked: Comparison, even_equal: bool) -> CellVerdict | None:
    """The verdict of a comparison that cannot have a measurement, or whose arms are equal and need none."""
    for who, arm in (("baseline", asked.baseline), ("candidate", asked.candidate)):
        if isinstance(arm, Absent):
            return CellVerdict(asked.name, reason=f"its {who} is absent: {arm.reason}")
    assert isinstance(asked.baseline, Arm)
    assert isinstance(asked.candidate, Arm)
    if asked.baseline.sha256 == asked.candidate.sha256 and not even_equal:
        return CellVerdict(asked.name, equal=True)
    return None


def _shown(asked: Comparison, footage: Footage) -> Footage:
    """What the arms are judged on: all of `footage`, or a few frames where one takes seconds."""
    return excerpt(footage, FRAMES) if asked.emulated else footage


def job_of(asked: Comparison, arm: Arm, footage: Footage, folder: Path) -> Job:
    """The job that runs `arm` over all of `footage`, whose frames are written into `folder` once a resolution."""
    from evaluation import score

    height, width = asked.config.resolution
    frames = folder / f"{footage.frames}x{height}x{width}.u8"
    if not frames.exists():
        jobs.write_frames(frames, score.prepare(footage, asked.config.resolution)[0])
    return Job(asked.config, arm.path, frames, tuple(len(clip) for clip in footage.clips))


def _runner(device: str) -> Runner:
    from devices.select import NotAttached, select

    found = select(device)
    if isinstance(found, NotAttached):
        raise MeasurementFailed(f"{device} is not attached. {found.looked_for} {found.advice}".rstrip("."))
    runner = found.runner()
    if isinstance(runner, Fleet):
        raise MeasurementFailed(f"{device} is whatever device comes: it cannot be compared with itself before")
    return runner


def _measure(ready: _Ready, footage: Footage, seconds: float, fail_at: float, speed_only: bool) -> _Measured:
    from devices.desktop.environment import DesktopProbe

    findings = [] if speed_only else _on_paper(ready)
    hazards = DesktopProbe().read().hazards if ready.asked.config.device == "desktop" else ()
    start = time.monotonic()
    blocks: list[Block] = []
    try:
        if ready.asked.emulated:
            _counted(findings)
        with ready.pair() as pair:
            if not speed_only:
                findings += _seen(ready, pair.look(), footage)
            start = time.monotonic()
            if not ready.asked.emulated:
                blocks = until_decided(pair, ready.asked.tolerance.slowdown, seconds, fail_at)
    except MeasurementFailed as failure:
        return _Measured(ready, tuple(findings), (), 0.0, hazards, str(failure).removesuffix("."))
    return _Measured(ready, tuple(findings), tuple(blocks), time.monotonic() - start, hazards)


def _counted(findings: Sequence[Finding]) -> None:
    """MeasurementFailed unless the instructions were counted: on the emulator they stand for the speed."""
    for finding in findings:
        if finding.metric == "instructions" and finding.outcome is None:
            raise MeasurementFailed(finding.words)


def until_decided(
    pair: paired.Pair | paired.OnDevice, tolerance: float, seconds: float, fail_at: float = ALPHA
) -> list[Block]:
    """Blocks of one process, looked at every few, until they decide or the time is up."""
    end = time.monotonic() + seconds
    blocks: list[Block] = []
    while step := decision.more(len(blocks), MOST):
        blocks += pair.blocks(step)
        found = effects(blocks)
        if (
            len(found[0]) >= FIRST
            and decision.decide(decision.estimate(*found, tolerance), fail_at) is not Outcome.INCONCLUSIVE
        ):
            break
        if time.monotonic() > end:
            break
    return blocks


def _on_paper(ready: _Ready) -> list[Finding]:
    before, now, tolerance = ready.baseline, ready.candidate, ready.asked.tolerance
    return [
        clockless.size(before.bytes, now.bytes, tolerance),
        clockless.macs(before.macs, now.macs, tolerance),
        clockless.graph(before.graph, now.graph),
        clockless.parity(now.parity),
        *_instructions(ready),
    ]


def _instructions(ready: _Ready) -> list[Finding]:
    """ARM instructions of an inference where they can be counted here; of int8 also on a core with dot products."""
    if ready.asked.config.format != "tflite" or ready.job.config.threads != 1:
        return [Finding("instructions", None, "ARM instructions are counted for TFLite on one thread only.")]
    from devices import instructions

    if reason := instructions.available():
        return [Finding("instructions", None, reason)]
    cores = (instructions.PLAIN, instructions.DOT) if ready.asked.config.precision == "int8" else (instructions.PLAIN,)
    try:
        counts = {
            core: [instructions.count(arm.path, core) for arm in (ready.baseline, ready.candidate)] for core in cores
        }
    except instructions.CannotCount as why:
        return [Finding("instructions", None, f"ARM instructions were not counted: {why}.")]
    return [
        clockless.instructions(before, now, ready.asked.tolerance, instructions.CORES[core].label)
        for core, (before, now) in counts.items()
    ]


def _seen(ready: _Ready, looked: Looked, footage: Footage) -> list[Finding]:
    """Accuracy and placement. MeasurementFailed when the arms were not run alike."""
    from evaluation.score import score

    before, now = (looked.placement[arm] for arm in (BASELINE, CANDIDATE))
    if before.get("runtime") != now.get("runtime"):
        raise MeasurementFailed(
            f"the arms were run by different runtimes, {before.get('runtime')} and {now.get('runtime')}"
        )
    old, new = (score(looked.masks[arm], footage) for arm in (BASELINE, CANDIDATE))
    return [clockless.placement(before, now), *clockless.accuracy(old, new, ready.asked.tolerance)]


def _judge(measured: Sequence[_Measured], seconds: float, say: Say, clock_advises: bool) -> dict[str, CellVerdict]:
    timed = [m for m in measured if m.blocks]
    estimates = {m.ready.asked.name: _estimate(m.blocks, m.ready.asked.tolerance.slowdown) for m in timed}
    known = {name: found for name, found in estimates.items() if found}
    slower = dict(zip(known, decision.holm([found.p_slower for found in known.values()]), strict=True))
    verdicts = {}
    for m in measured:
        name, tolerance = m.ready.asked.name, m.ready.asked.tolerance.slowdown
        speed, reason = None, m.reason
        if name in known:
            # What Holm does not let stand as slower is at most in doubt.
            outcome = decision.decide(known[name], fail_at=0.0)
            speed = Speed(tolerance, outcome, m.blocks, (), m.seconds, m.hazards, clock_advises)
            if slower[name]:
                say(f"{name}, again in fresh processes")
                speed, reason = _confirm(m, speed, seconds - m.seconds)
        elif name in estimates:
            reason = f"only {len(effects(m.blocks)[0])} whole blocks were measured"
        verdicts[name] = CellVerdict(name, m.findings, speed, reason=reason)
    return verdicts


def _estimate(blocks: Sequence[Block], tolerance: float) -> decision.Estimate | None:
    found = effects(blocks)
    return decision.estimate(*found, tolerance) if len(found[0]) >= FIRST else None


def _confirm(m: _Measured, speed: Speed, seconds: float) -> tuple[Speed | None, str | None]:
    start = time.monotonic()
    fresh: list[tuple[Block, ...]] = []
    leaning: list[bool] = []
    while len(fresh) < FRESH and all(leaning):
        now = time.monotonic()
        end = now + (start + seconds - now) / (FRESH - len(fresh))
        try:
            with m.ready.pair(again=1 + len(fresh)) as pair:
                fresh.append(tuple(_as_many(pair, decision.again(len(m.blocks)), end)))
        except MeasurementFailed as failure:
            return None, f"a regression was seen and could not be confirmed: {str(failure).removesuffix('.')}"
        leaning.append(decision.leans(*effects(fresh[-1]), speed.tolerance))
    speed = replace(speed, fresh=tuple(fresh), seconds=speed.seconds + time.monotonic() - start)
    assert speed.estimate
    return replace(speed, outcome=decision.confirmed(leaning, speed.estimate)), None


def _as_many(pair: paired.Pair | paired.OnDevice, count: int, end: float) -> list[Block]:
    """`count` blocks, or as many as will be done by `end` of the clock if each takes as long as the last, but LEAST."""
    blocks: list[Block] = []
    took = 0.0
    while len(blocks) < count and (not blocks or time.monotonic() + took < end):
        begun = time.monotonic()
        blocks += pair.blocks(min(LEAST, count - len(blocks)))
        took = time.monotonic() - begun
    return blocks
