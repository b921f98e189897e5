"""Verdicts as data and in words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from devices.paired import BASELINE, CANDIDATE, Block
from gate import blocks as of_blocks
from gate.decision import ALPHA, FIRST, Estimate, Outcome, estimate, minimum_detectable_effect, valid
from reports.store import Figure

EXIT = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 2, Outcome.NOT_MEASURED: 3}
NOT_MEASURED = EXIT[Outcome.NOT_MEASURED]
CONFIDENCE = f"{100 * (1 - 2 * ALPHA):.0f} %"
"""Of every interval of a change of the frame time, which is one over blocks."""
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
    def frame_ms(self) -> tuple[float | None, float | None]:
        """Milliseconds of the median frame of baseline and candidate; None without one."""
        before, now = (of_blocks.median_ms(self.blocks, role) for role in (BASELINE, CANDIDATE))
        return before, now

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
    link: str = ""
    """The address of a page that shows what changed; empty where there is none."""
    past: tuple[Figure, ...] = ()
    """Earlier frame times of the configurations on this machine, oldest first."""

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
    return f"{_WORD[result.outcome]}: {counted(result)}, {result.candidate} against {result.baseline}"


def counted(result: Result) -> str:
    """How many configurations have which outcome: "1 regressed, 4 passed"."""
    count = {o: sum(verdict.outcome is o for verdict in result.configurations) for o in WORST_FIRST}
    return ", ".join(f"{n} {_SAID[o]}" for o, n in count.items() if n) or "no configuration is declared"


def title(result: Result) -> str:
    """What matters most, as a heading: what regressed and by how much, where something did."""
    outcome, count = result.outcome, len(result.configurations)
    bad = [verdict for verdict in result.configurations if verdict.outcome is outcome]
    if outcome is Outcome.FAIL:
        more = f", and {len(bad) - 1} more" if len(bad) > 1 else ""
        return f"Regression: {brief(bad[0].configuration)}, {', '.join(regressed(bad[0]))}{more}"
    if outcome is Outcome.PASS:
        return f"No regression in {count} {'configuration' if count == 1 else 'configurations'}"
    if not count:
        return "Could not measure: no configuration is declared"
    kind = "Inconclusive" if outcome is Outcome.INCONCLUSIVE else "Could not measure"
    return f"{kind}: {len(bad)} of {count} configurations"


def brief(configuration: str) -> str:
    """A configuration's name without resolution and device: live/tflite/fp32."""
    return _PLACE.sub("", configuration)


_PLACE = re.compile(r"/(\d+x\d+)/([^/]+)/([^/]+)$")


def place(configuration: str) -> str:
    """The rest of the name: 256x240, desktop, cpu1; empty where it has none."""
    found = _PLACE.search(configuration)
    return ", ".join(found.groups()) if found else ""


def regressed(verdict: Verdict) -> list[str]:
    """What is worse than tolerated, a few words each, the frame time with its change first."""
    found = verdict.speed.estimate if verdict.speed and verdict.speed.outcome is Outcome.FAIL else None
    rest = [_METRIC.get(f.metric, f.metric) for f in verdict.findings if f.outcome is Outcome.FAIL]
    return ([f"frame time {change(found.effect)}"] if found else []) + list(dict.fromkeys(rest))


def worst_verdict(result: Result) -> Verdict | None:
    """The first of the verdicts that decide; None without any."""
    return next((v for v in result.configurations if v.outcome is result.outcome), None)


def trend(result: Result, verdict: Verdict) -> list[tuple[str, float]]:
    """(what, milliseconds) of the last frame times of a configuration, this gate's last; empty without earlier ones."""
    now = verdict.speed.frame_ms[1] if verdict.speed else None
    past = [
        (f"{f.revision[:10] or f.run}, {f.time[:16]}", f.value)
        for f in result.past
        if f.series == verdict.configuration
    ]
    return [*past, (f"{result.candidate}, this gate", now)] if past and now else []


_METRIC = {"macs": "multiply-accumulates", "instructions": "ARM instructions"}
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
    ratio = change(found.effect)
    times = speed.frame_ms
    frames = f"median frame {times[0]:.2f} ms before, {times[1]:.2f} ms now; " if all(times) else ""
    interval = f"between {change(found.low)} and {change(found.high)}"
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


def interval(found: Estimate) -> str:
    """The interval of a change: +1.2 % to +2.0 %."""
    if math.isinf(found.low) or math.isinf(found.high):
        return "too few blocks for an interval"
    return f"{change(found.low)} to {change(found.high)}"


def change(log: float) -> str:
    """+1.9 % for a log ratio; a word where there is no bound."""
    if math.isinf(log):
        return "no bound" if log > 0 else "no lower bound"
    return f"{100 * math.expm1(log):+.1f} %"
