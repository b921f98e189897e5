"""A whole gate: static checks, paired blocks until decided, Holm over the configurations, each FAIL confirmed."""

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
from devices.paired import BASELINE, CANDIDATE, Block, Outputs
from gate import decision, static_checks
from gate.artifacts import GateArtifact, MissingArtifact
from gate.blocks import effects
from gate.config import Tolerance
from gate.decision import ALPHA, FIRST, FRESH, MOST, Outcome
from gate.verdict import Finding, Speed, Verdict

if TYPE_CHECKING:
    from evaluation.clip import Dataset
    from models.variant import Resolution

SECONDS = 60.0
"""For the blocks of one configuration, all processes together."""
FIRST_SHARE = 0.6
"""Of those seconds, what the first process may use; what it leaves is for confirming a FAIL."""
LEAST = 3
"""Blocks that a process measures at least when it confirms, also when the time is up."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """Two artifacts to compare, and the configuration that runs them."""

    config: Config
    baseline: GateArtifact | MissingArtifact
    candidate: GateArtifact | MissingArtifact
    tolerance: Tolerance = Tolerance()
    label: str = ""
    before: Resolution | None = None
    """The baseline's resolution, where it is another: each side is judged at its own."""

    @property
    def name(self) -> str:
        return self.label or self.config.name

    @property
    def emulated(self) -> bool:
        """Whether instructions stand for the speed, as there is no time to measure."""
        return self.config.device == "arm64-emulator"


@dataclass(frozen=True)
class _Ready:
    """A comparison whose two artifacts are available and differ, with the job that runs the candidate."""

    asked: Comparison
    baseline: GateArtifact
    candidate: GateArtifact
    job: Job
    seed: int
    before: Job | None = None
    """The baseline's own job, where its resolution is another."""

    def pair(self, again: int = 0) -> AbstractContextManager[paired.Pair | paired.OnDevice]:
        before = self.before or self.baseline.path
        if self.asked.config.device == "desktop":
            return paired.opened(before, self.job, self.seed + again)
        return paired.on_device(_runner(self.asked.config.device), before, self.job, self.seed + again)


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
    dataset: Dataset,
    seconds: float = SECONDS,
    seed: int = 0,
    say: Say = lambda _: None,
    speed_only: bool = False,
    frames: Path | None = None,
    clock_advises: bool = False,
) -> tuple[Verdict, ...]:
    """The verdict of every comparison, in their order; what goes wrong with one costs that one alone.

    `speed_only` measures the speed and nothing else, also of equal artifacts: the self-test uses it,
    keeping the frames as written in the folder `frames` from one gate to the next. `clock_advises`: Speed.advises.
    """
    verdicts: dict[str, Verdict] = {}
    with tempfile.TemporaryDirectory(prefix="gate-") as temporary:
        ready = []
        for asked in comparisons:
            verdict = _without_measuring(asked, speed_only)
            if verdict:
                verdicts[asked.name] = verdict
            else:
                ready.append(_ready(asked, _dataset_for(asked, dataset), frames or Path(temporary), seed))
        timed = [r for r in ready if not r.asked.emulated]
        measured = []
        for r in ready:
            say(r.asked.name)
            its = _dataset_for(r.asked, dataset)
            measured.append(_measure(r, its, seconds * FIRST_SHARE, ALPHA / max(1, len(timed)), speed_only))
        verdicts |= _judge(measured, seconds, say, clock_advises)
    return tuple(verdicts[asked.name] for asked in comparisons)


def _ready(asked: Comparison, dataset: Dataset, folder: Path, seed: int) -> _Ready:
    assert isinstance(asked.baseline, GateArtifact)
    assert isinstance(asked.candidate, GateArtifact)
    job, before = job_of(asked, asked.candidate, dataset, folder), None
    if asked.before and asked.before != asked.config.resolution:
        former = replace(asked, config=replace(asked.config, resolution=asked.before))
        before = job_of(former, asked.baseline, dataset, folder)
    return _Ready(asked, asked.baseline, asked.candidate, job, seed, before)


def _without_measuring(asked: Comparison, even_equal: bool) -> Verdict | None:
    """The verdict of a comparison that cannot be measured, or whose artifacts are equal and need no measurement."""
    for who, artifact in (("baseline", asked.baseline), ("candidate", asked.candidate)):
        if isinstance(artifact, MissingArtifact):
            return Verdict(asked.name, reason=f"its {who} is absent: {artifact.reason}")
    assert isinstance(asked.baseline, GateArtifact)
    assert isinstance(asked.candidate, GateArtifact)
    if asked.baseline.sha256 == asked.candidate.sha256 and not even_equal:
        return Verdict(asked.name, equal=True)
    return None


def _dataset_for(asked: Comparison, dataset: Dataset) -> Dataset:
    """What both artifacts are evaluated on: all of `dataset`, or a few frames where one takes seconds."""
    return excerpt(dataset, FRAMES) if asked.emulated else dataset


def job_of(asked: Comparison, artifact: GateArtifact, dataset: Dataset, folder: Path) -> Job:
    """The job that runs `artifact` over all of `dataset`, whose frames are written into `folder` once a resolution."""
    from evaluation import score

    height, width = asked.config.resolution
    frames = folder / f"{dataset.frames}x{height}x{width}.u8"
    if not frames.exists():
        jobs.write_frames(frames, score.prepare(dataset, asked.config.resolution)[0])
    return Job(asked.config, artifact.path, frames, tuple(len(clip) for clip in dataset.clips))


def _runner(device: str) -> Runner:
    from devices.select import NotAttached, select

    found = select(device)
    if isinstance(found, NotAttached):
        raise MeasurementFailed(f"{device} is not attached. {found.looked_for} {found.advice}".rstrip("."))
    runner = found.runner()
    if isinstance(runner, Fleet):
        raise MeasurementFailed(
            f"{device} is a different phone each time: a baseline and a candidate need the same one"
        )
    return runner


def _measure(ready: _Ready, dataset: Dataset, seconds: float, fail_at: float, speed_only: bool) -> _Measured:
    from devices.desktop.environment import DesktopProbe

    findings = [] if speed_only else _static_checks(ready)
    hazards = DesktopProbe().read().hazards if ready.asked.config.device == "desktop" else ()
    start = time.monotonic()
    blocks: list[Block] = []
    try:
        if ready.asked.emulated:
            _counted(findings)
        with ready.pair() as pair:
            if not speed_only:
                findings += _compare_outputs(ready, pair.run_once(), dataset)
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
    """Blocks of one process, outputs at every few, until they decide or the time is up."""
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


def _static_checks(ready: _Ready) -> list[Finding]:
    before, now, tolerance = ready.baseline, ready.candidate, ready.asked.tolerance
    was = ready.asked.before or ready.asked.config.resolution
    return [
        *static_checks.resolution(was, ready.asked.config.resolution),
        static_checks.size(before.bytes, now.bytes, tolerance),
        static_checks.macs(before.macs, now.macs, tolerance),
        static_checks.graph(before.graph, now.graph),
        static_checks.parity(now.parity),
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
            core: [instructions.count(side.path, core) for side in (ready.baseline, ready.candidate)] for core in cores
        }
    except instructions.CannotCount as why:
        return [Finding("instructions", None, f"ARM instructions were not counted: {why}.")]
    return [
        static_checks.instructions(before, now, ready.asked.tolerance, instructions.CORES[core].label)
        for core, (before, now) in counts.items()
    ]


def _compare_outputs(ready: _Ready, outputs: Outputs, dataset: Dataset) -> list[Finding]:
    """Accuracy and placement. MeasurementFailed when different runtimes ran the two."""
    from evaluation.score import score

    before, now = (outputs.placement[role] for role in (BASELINE, CANDIDATE))
    if before.get("runtime") != now.get("runtime"):
        names = f"{before.get('runtime')} and {now.get('runtime')}"
        raise MeasurementFailed(f"baseline and candidate ran in different runtimes, {names}")
    old, new = (score(outputs.masks[role], dataset) for role in (BASELINE, CANDIDATE))
    return [
        static_checks.placement(before, now),
        *static_checks.accuracy(old, new, ready.asked.tolerance),
        *_compare_labels(ready, outputs, dataset),
    ]


def _compare_labels(ready: _Ready, outputs: Outputs, dataset: Dataset) -> list[Finding]:
    """Nothing where neither network gives labels."""
    from evaluation import labels
    from evaluation.score import count_all, in_blocks

    if not outputs.labels:
        return []
    if len(outputs.labels) < len(outputs.masks):
        return [static_checks.labels_of_one(CANDIDATE in outputs.labels)]
    (before, blocks), (now, _) = (in_blocks(count_all(outputs.labels[one], dataset)) for one in (BASELINE, CANDIDATE))
    return static_checks.labels(labels.changes(before, now, blocks), len(now), ready.asked.tolerance)


def _judge(measured: Sequence[_Measured], seconds: float, say: Say, clock_advises: bool) -> dict[str, Verdict]:
    timed = [m for m in measured if m.blocks]
    estimates = {m.ready.asked.name: _estimate(m.blocks, m.ready.asked.tolerance.slowdown) for m in timed}
    known = {name: found for name, found in estimates.items() if found}
    slower = dict(zip(known, decision.holm([found.p_slower for found in known.values()]), strict=True))
    verdicts = {}
    for m in measured:
        name, tolerance = m.ready.asked.name, m.ready.asked.tolerance.slowdown
        speed, reason = None, m.reason
        if name in known:
            # What Holm's method does not accept as slower is at most inconclusive.
            outcome = decision.decide(known[name], fail_at=0.0)
            speed = Speed(tolerance, outcome, m.blocks, (), m.seconds, m.hazards, clock_advises)
            if slower[name]:
                say(f"{name}, again in new processes")
                speed, reason = _confirm(m, speed, seconds - m.seconds)
        elif name in estimates:
            reason = f"only {len(effects(m.blocks)[0])} complete blocks were measured"
        verdicts[name] = Verdict(name, m.findings, speed, reason=reason)
    return verdicts


def _estimate(blocks: Sequence[Block], tolerance: float) -> decision.Estimate | None:
    found = effects(blocks)
    return decision.estimate(*found, tolerance) if len(found[0]) >= FIRST else None


def _confirm(m: _Measured, speed: Speed, seconds: float) -> tuple[Speed | None, str | None]:
    start = time.monotonic()
    fresh: list[tuple[Block, ...]] = []
    slower: list[bool] = []
    while len(fresh) < FRESH and all(slower):
        now = time.monotonic()
        end = now + (start + seconds - now) / (FRESH - len(fresh))
        try:
            with m.ready.pair(again=1 + len(fresh)) as pair:
                fresh.append(tuple(_as_many(pair, decision.again(len(m.blocks)), end)))
        except MeasurementFailed as failure:
            return None, f"a regression was measured and could not be confirmed: {str(failure).removesuffix('.')}"
        slower.append(decision.is_slower(*effects(fresh[-1]), speed.tolerance))
    speed = replace(speed, fresh=tuple(fresh), seconds=speed.seconds + time.monotonic() - start)
    assert speed.estimate
    return replace(speed, outcome=decision.confirmed(slower, speed.estimate)), None


def _as_many(pair: paired.Pair | paired.OnDevice, count: int, end: float) -> list[Block]:
    """`count` blocks, or as many as will be done by `end` of the clock if each takes as long as the last, but LEAST."""
    blocks: list[Block] = []
    took = 0.0
    while len(blocks) < count and (not blocks or time.monotonic() + took < end):
        begun = time.monotonic()
        blocks += pair.blocks(min(LEAST, count - len(blocks)))
        took = time.monotonic() - begun
    return blocks
