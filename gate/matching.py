"""What the baseline checks against what the candidate checks: nothing stops being checked without a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from devices.contract import Config
from gate.config import Case, GateCase, Tolerance
from gate.decision import Outcome
from gate.verdict import Finding, Verdict, percent
from models.variant import Resolution

ALLOW = "--allow-removed"
AnyCase = TypeVar("AnyCase", bound=Case)


@dataclass(frozen=True)
class Matched:
    """A declared configuration, and the one that it is compared with: the baseline's, at the baseline's resolution."""

    case: GateCase
    before: Config


def matched(now: Sequence[GateCase], before: Sequence[Case], sizes: Mapping[str, Resolution]) -> list[Matched]:
    """Each configuration of `now` with that of the baseline, which declares `before`.

    One that the baseline does not declare is compared all the same: at the resolution that the baseline's network has
    by itself (`sizes`) where it names none, else at its own.
    """
    found = []
    for case in now:
        same = next((o.config for o in before if isinstance(o, GateCase) and covers(case, o)), None)
        if same is None and case.default_size and case.config.variant in sizes:
            same = replace(case.config, resolution=sizes[case.config.variant])
        found.append(Matched(case, same or case.config))
    return found


def covers(now: Case, before: Case) -> bool:
    """Whether `now` checks what `before` checked. A model file is the same where its path and its threads are.

    A network that was checked at its own resolution is checked at its own, whatever that is by now: one that has become
    slower by growing does not pass at its former size.
    """
    if not (isinstance(now, GateCase) and isinstance(before, GateCase)):
        return type(now) is type(before) and now.name == before.name
    if before.default_size:
        return now.default_size and replace(now.config, resolution=before.config.resolution) == before.config
    return now.config == before.config


def removed(now: Sequence[Case], before: Sequence[Case]) -> list[Case]:
    """What the baseline checked and the candidate does not."""
    return [case for case in before if not any(covers(other, case) for other in now)]


def verdict_on_removed(case: Case) -> Verdict:
    """It was not checked, so it does not pass."""
    words = f"FAIL; the baseline checks it and the candidate no longer does. {ALLOW} allows that."
    return Verdict(case.name, (Finding("declared", Outcome.FAIL, words),))


def held(case: AnyCase, before: Sequence[Case]) -> tuple[AnyCase, list[str]]:
    """`case` with none of its tolerances above the baseline's, and a sentence for each that was lowered."""
    theirs = next((other.tolerance for other in before if covers(case, other)), case.tolerance)
    lower: dict[str, float] = {}
    words = []
    for name in (field.name for field in fields(Tolerance)):
        asked, allowed = getattr(case.tolerance, name), getattr(theirs, name)
        if asked > allowed:
            lower[name] = allowed
            shown = [f"{value:g}" if name.endswith("_points") else percent(value) for value in (asked, allowed)]
            words.append(
                f"{case.name}: the candidate raises its tolerance of {name} to {shown[0]}; the baseline's,"
                f" {shown[1]}, holds. {ALLOW} allows the candidate's."
            )
    return replace(case, tolerance=replace(case.tolerance, **lower)), words
