"""Gates that were run to test the gate: what is kept of each, which are still to be run, and what all of them say."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gate.decision import Outcome
from gate.selftest.calibrate import CLOSE, SLOWDOWN

FALSE_ALARMS, POWER = 0.01, 0.95
"""What is aimed at: false FAIL without a slow-down, and FAIL with SLOWDOWN."""
EQUAL, SLOWER = "A/A", "slower"
SLOWED_EVERY = 5
"""A slowed-down gate for so many on equal artifacts: it takes four processes to be red, and a false alarm is rarer."""


@dataclass(frozen=True)
class Trial:
    """One real gate, a line of self-test.jsonl."""

    kind: str
    """EQUAL or SLOWER."""
    neighbour: bool
    """Whether a noisy process ran beside it."""
    format: str
    outcome: str
    effect: float | None
    """Log of candidate over baseline, of the blocks of all its processes."""
    used: int
    blocks: int
    seconds: float
    time: str
    injected: float | None = None
    """The slow-down as it was calibrated, a share."""
    slowdown_sha256: str = ""
    """The hash of the candidate's artifact when it has a synthetic slow-down, otherwise empty."""
    effects: tuple[tuple[float, ...], ...] = ()
    """Of each process, the log of candidate over baseline in every whole block."""

    @property
    def shown(self) -> float | None:
        """Log of the slow-down by the blocks of the fresh processes, where there are any.

        The first process ends as soon as its blocks look slow, so that they look slower than they are. How many the
        fresh ones measure was settled before.
        """
        fresh = [d for process in self.effects[1:] for d in process]
        return statistics.median(fresh) if fresh else self.effect


_FORMER = {"arm": "kind", "burden": "slowdown_sha256"}
"""Former key of self-test.jsonl -> the key of today."""


def read(ledger: Path) -> list[Trial]:
    """The trials kept so far; a last line that was cut short is not one."""
    trials = []
    for text in ledger.read_text().splitlines() if ledger.exists() else []:
        try:
            values = {_FORMER.get(name, name): value for name, value in json.loads(text).items()}
            trials.append(Trial(**values | {"effects": tuple(map(tuple, values["effects"]))}))
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    return trials


def counted(kept: Sequence[Trial], neighbour: bool, slowdown_sha256: str | None) -> list[Trial]:
    """Those of `kept` that a run continues: on equal artifacts, or with the slow-down `slowdown_sha256`."""
    return [t for t in kept if t.neighbour == neighbour and (t.kind == EQUAL or t.slowdown_sha256 == slowdown_sha256)]


def left(done: Sequence[Trial], gates: int) -> list[tuple[str, int]]:
    """(kind, index) of the gates that are still to be run, in their order."""
    whole = [
        (kind, index // (1 if kind == EQUAL else SLOWED_EVERY))
        for index in range(gates)
        for kind in ((SLOWER, EQUAL) if index % SLOWED_EVERY == 0 else (EQUAL,))
    ]
    count = {kind: sum(t.kind == kind for t in done) for kind in (EQUAL, SLOWER)}
    return [(kind, index) for kind, index in whole if index >= count[kind]]


def line(trial: Trial, so_far: Sequence[Trial]) -> str:
    """A gate that has just ended, and how many of its kind were red."""
    change = f"{math.expm1(trial.effect):+.1%}" if trial.effect is not None else "?"
    count = sum(t.kind == trial.kind for t in so_far)
    red = sum(t.kind == trial.kind and t.outcome == Outcome.FAIL for t in so_far)
    return (
        f"{trial.kind:6} {count:>4}: {trial.outcome:12} {change:>7}, {trial.used} of {trial.blocks} blocks, "
        f"{trial.seconds:.1f} s; FAIL so far {red} of {count}"
    )


def summary(trials: Sequence[Trial]) -> list[str]:
    """The results, one sentence for each kind of gate, of machine (quiet or noisy) and of synthetic slow-down.

    Intervals are what so many gates allow at 95 % (Clopper and Pearson 1934).
    """
    kinds: dict[tuple[bool, str, str, float | None], list[Trial]] = {}
    for t in trials:
        kinds.setdefault((t.neighbour, t.kind, t.slowdown_sha256, t.injected), []).append(t)
    return [_kind(kinds[key]) for key in sorted(kinds, key=lambda key: key[:2])]


def _kind(trials: Sequence[Trial]) -> str:
    count = {o: sum(t.outcome == o for t in trials) for o in Outcome}
    low, high = interval(count[Outcome.FAIL], len(trials))
    seconds = [t.seconds for t in trials]
    where = "beside a noisy neighbour" if trials[0].neighbour else "quiet"
    what = "equal artifacts" if trials[0].kind == EQUAL else _slowed(trials)
    return (
        f"{where}, {what}: {len(trials)} gate{'s' * (len(trials) > 1)}, "
        f"{count[Outcome.FAIL]} FAIL ({count[Outcome.FAIL] / len(trials):.1%}, 95 % interval {low:.1%} to {high:.1%}), "
        f"{count[Outcome.PASS]} PASS, {count[Outcome.INCONCLUSIVE]} inconclusive, "
        f"{count[Outcome.NOT_MEASURED]} not measured; {statistics.median(seconds):.1f} s a gate in the median, "
        f"{max(seconds):.1f} s at most"
    )


def _slowed(trials: Sequence[Trial]) -> str:
    shown = median_shown(trials)
    itself = f", {shown:.1%} in the median of what these gates measured" if shown is not None else ""
    calibrated = f"slowed down by {trials[0].injected or 0:.1%} when it was calibrated"
    return f"{calibrated}{itself} (synthetic slow-down {trials[0].slowdown_sha256[:8]})"


def median_shown(trials: Sequence[Trial]) -> float | None:
    """The slow-down that the gates themselves measured, a share: the median of what each showed."""
    shown = [t.shown for t in trials if t.shown is not None]
    return math.expm1(statistics.median(shown)) if shown else None


def interval(hits: int, count: int) -> tuple[float, float]:
    from scipy.stats import binomtest

    found = binomtest(hits, count).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


def shortfalls(trials: Sequence[Trial]) -> list[str]:
    """The targets missed by gates of one kind of machine and slow-down, in sentences without full stops."""
    by_kind: Mapping[str, list[Trial]] = {kind: [t for t in trials if t.kind == kind] for kind in (EQUAL, SLOWER)}
    share = {kind: sum(t.outcome == Outcome.FAIL for t in mine) / len(mine) for kind, mine in by_kind.items() if mine}
    missed = []
    if share.get(EQUAL, 0) > FALSE_ALARMS:
        missed.append(f"{share[EQUAL]:.1%} false alarms, and the target is at most {FALSE_ALARMS:.0%}")
    if share.get(SLOWER, 1) < POWER:
        missed.append(f"{share[SLOWER]:.1%} of the slow-downs were detected, and the target is {POWER:.0%}")
    shown = median_shown(by_kind[SLOWER])
    if shown is not None and shown > SLOWDOWN + CLOSE:
        missed.append(
            f"the slowed-down gates measured {shown:.1%} in their median, so that they do not test +{SLOWDOWN:.0%}"
        )
    return missed
