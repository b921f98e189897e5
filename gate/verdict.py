"""Verdicts as data and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from devices.paired import BASELINE, CANDIDATE, Block
from gate import blocks as of_blocks
from gate.decision import FIRST, Estimate, Outcome, estimate, minimum_detectable_effect, valid

EXIT = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 2, Outcome.NOT_MEASURED: 3}
NOT_MEASURED = EXIT[Outcome.NOT_MEASURED]
WORST_FIRST = (Outcome.FAIL, Outcome.NOT_MEASURED, Outcome.INCONCLUSIVE, Outcome.PASS)


@dataclass(frozen=True)
class Finding:
    """One comparison that needs no clock. `outcome` None: not compared, and `words` say why."""

    metric: str
    outcome: Outcome | None
    words: str


@dataclass(frozen=True)
class Speed:
    """The paired measurement of one configuration. `fresh`: the blocks of the new processes that re-measured a FAIL."""

    tolerance: float
    outcome: Outcome
    first: tuple[Block, ...]
    fresh: tuple[tuple[Block, ...], ...] = ()
    seconds: float = 0.0
    hazards: tuple[str, ...] = ()
    advises: bool = False
    """Whether equal ARM instructions outweigh an inconclusive time; a regression on the clock fails all the same."""

    @property
    def blocks(self) -> tuple[Block, ...]:
        return self.first + sum(self.fresh, ())

    @property
    def effects(self) -> tuple[list[float], list[float]]:
        """(effects, control movements) of the whole blocks of all processes."""
        return of_blocks.effects(self.blocks)

    @property
    def estimate(self) -> Estimate | None:
        """Of all whole blocks together; None with too few for any verdict."""
        found, control = self.effects
        return estimate(found, control, self.tolerance) if len(found) >= FIRST else None

    @property
    def used(self) -> list[bool]:
        """Of each complete block, whether its control was steady enough for it to count."""
        import numpy as np

        _, control = self.effects
        return valid(np.asarray(control)).tolist() if control else []


@dataclass(frozen=True)
class Verdict:
    """The verdict on one configuration. `reason` is why it could not be measured, or why it need not be."""

    configuration: str
    findings: tuple[Finding, ...] = ()
    speed: Speed | None = None
    equal: bool = False
    reason: str | None = None

    @property
    def outcome(self) -> Outcome:
        """The worst of its findings and its speed; without any, the configuration was not measured."""
        found = [f.outcome for f in self.findings if f.outcome]
        if self.speed and not self.instructions_decide:
            found.append(self.speed.outcome)
        if Outcome.FAIL in found:
            return Outcome.FAIL
        if self.reason or not (found or self.equal):
            return Outcome.NOT_MEASURED
        return worst([*found, Outcome.PASS])

    @property
    def instructions_decide(self) -> bool:
        """Whether the time is inconclusive, only advises, and ARM instructions were compared in its place."""
        compared = any(f.metric == "instructions" and f.outcome for f in self.findings)
        return bool(self.speed and self.speed.advises and self.speed.outcome is Outcome.INCONCLUSIVE and compared)


@dataclass(frozen=True)
class Result:
    """A whole gate."""

    baseline: str
    candidate: str
    time: str
    configurations: tuple[Verdict, ...]
    machine: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """Sentences about the whole gate: what was not known, or what was allowed by an option."""

    @property
    def outcome(self) -> Outcome:
        return worst([verdict.outcome for verdict in self.configurations])

    @property
    def exit_code(self) -> int:
        return EXIT[self.outcome]


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """The first of WORST_FIRST that occurs; NOT_MEASURED for an empty sequence."""
    return min(outcomes, key=WORST_FIRST.index, default=Outcome.NOT_MEASURED)


def headline(result: Result) -> str:
    """The whole gate in one sentence."""
    count = {o: sum(verdict.outcome is o for verdict in result.configurations) for o in WORST_FIRST}
    parts = [f"{n} {_SAID[o]}" for o, n in count.items() if n]
    counted = ", ".join(parts) or "no configuration is declared"
    return f"{_WORD[result.outcome]}: {counted}, {result.candidate} against {result.baseline}"


_WORD = {
    Outcome.PASS: "PASS",
    Outcome.FAIL: "REGRESSION",
    Outcome.INCONCLUSIVE: "INCONCLUSIVE",
    Outcome.NOT_MEASURED: "COULD NOT MEASURE",
}
_SAID = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "regressed",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.NOT_MEASURED: "not measured",
}


def words(verdict: Verdict) -> list[str]:
    """The sentences of a verdict: the worst outcome first, and among equal outcomes the speed first."""
    said = [f"NOT MEASURED; {verdict.reason}."] if verdict.reason else []
    if verdict.equal:
        said.append(
            "PASS without measuring; baseline and candidate are the same artifact in the same runtime and unit."
        )
    lines: list[tuple[Outcome | None, str]] = []
    if verdict.speed:
        decides = " The ARM instructions decide." if verdict.instructions_decide else ""
        lines.append((verdict.speed.outcome, speed_words(verdict.speed) + decides))
    lines += [(f.outcome, f.words) for f in verdict.findings]
    rank = [*WORST_FIRST, None]
    return said + [w for _, w in sorted(lines, key=lambda line: rank.index(line[0]))]


def speed_words(speed: Speed) -> str:
    """The ratio, its interval, the tolerance, the blocks, and the minimum detectable effect."""
    found, tolerance = speed.estimate, percent(speed.tolerance)
    if speed.outcome is Outcome.NOT_MEASURED or found is None:
        return f"NOT MEASURED; {len(speed.effects[0])} complete blocks, and a verdict needs at least {FIRST}."
    ratio = _change(found.effect)
    times = [of_blocks.median_ms(speed.blocks, role) for role in (BASELINE, CANDIDATE)]
    frames = f"median frame {times[0]:.2f} ms before, {times[1]:.2f} ms now; " if all(times) else ""
    interval = f"between {_change(found.low)} and {_change(found.high)}"
    basis = f"{found.used} of {found.blocks} blocks, {speed.seconds:.0f} s"
    if speed.outcome is Outcome.PASS:
        seen = f"a slow-down of {percent(max(math.expm1(found.high), 0))} or more would have been detected"
        return f"PASS; {seen}. Frame time {ratio}, {interval}, tolerance {tolerance} ({frames}{basis})."
    if speed.outcome is Outcome.FAIL:
        again = f", and {len(speed.fresh)} new processes confirmed it" if speed.fresh else ""
        beyond = f"which is beyond the tolerance of {tolerance}{again}"
        return f"FAIL; frame time {ratio}, {interval}, {beyond} ({frames}{basis})."
    if math.isinf(found.low):
        could = "too few valid blocks for any interval"
    else:
        could = (
            "with blocks this noisy the minimum detectable effect is a slow-down of "
            f"{percent(minimum_detectable_effect(found, speed.tolerance))}"
        )
    twice = " The first process was over the tolerance; a new process did not confirm it." if speed.fresh else ""
    return f"INCONCLUSIVE; {could}. Frame time {ratio}, {interval}, tolerance {tolerance} ({frames}{basis}).{twice}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _change(log: float) -> str:
    """+1.9 % for a log ratio; a word where there is no bound."""
    if math.isinf(log):
        return "no bound" if log > 0 else "no lower bound"
    return f"{100 * math.expm1(log):+.1f} %"
