"""What a recommendation does not rest on, for the card that makes it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from reports.summary import Scope, Summary


def unmeasured(seen: Sequence[Summary], scope: Scope) -> str:
    """Which networks of `scope` lack a runtime and precision that others there have, and the units of its device and
    minutes of load that none has, as a list in words."""
    members = [s for s in seen if s.scope == scope and s.model and not s.speed_only]
    ours = [s for s in members if not (s.is_reference or s.baseline)]
    networks = {s.row.variant for s in ours}
    have: dict[str, set[str]] = defaultdict(set)
    for s in ours:
        have[f"{s.runtime} {s.row.precision}"].add(s.row.variant)
    lacking: dict[int, list[str]] = defaultdict(list)
    for column in sorted(have):
        lacking[len(networks - have[column])].append(column)
    told = [
        f"{count} of {len(networks)} networks in {_listed(columns)}"
        for count, columns in sorted(lacking.items())
        if count
    ]
    units = {s.row.unit for s in seen if s.row.device == scope.device and s.model}
    told += [unit.upper() for unit in ("cpu", "gpu", "npu") if unit not in units]
    if not any(s.sustained for s in members):
        told.append("speed after minutes of load")
    return "; ".join(told)


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last
