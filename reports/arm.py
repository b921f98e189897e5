"""IOU against ARM instructions: what an artifact costs on a phone's processor, as a count and never as a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from reports.summary import Summary


@dataclass(frozen=True)
class Tally:
    """An artifact with a count and an accuracy of its own."""

    summary: Summary
    instructions: float
    """Millions, of one inference."""
    iou: float
    """Percent."""
    dominator: Summary | None = None
    """One that takes no more instructions, is as accurate, and is better in one; None on the Pareto front."""


def tallies(seen: Iterable[Summary], core: str) -> dict[str, list[Tally]]:
    """By data set, each artifact once, whatever devices ran it; the dominated ones name who gives the most instead.

    A count is the artifact's and its IOU is of its own masks, so the device plays no part. Reference
    models are left out.
    """
    found: dict[str, dict[object, Tally]] = defaultdict(dict)
    for s in seen:
        count = s.arm(core)
        if s.ok and count is not None and s.iou is not None:
            artifact = s.row.artifact.get("sha256") or s.row.cell
            found[s.row.accuracy.get("data", "")].setdefault((artifact, s.row.resolution), Tally(s, count, s.iou))
    return {data: _dominance(list(by_artifact.values())) for data, by_artifact in found.items()}


def _dominance(members: Sequence[Tally]) -> list[Tally]:
    ours = [t for t in members if not t.summary.is_reference]
    front = [t for t in ours if not any(_dominates(other, t) for other in ours)]
    best_first = sorted(front, key=lambda t: (-round(t.iou, 1), t.instructions))
    return [
        t
        if t.summary.is_reference
        else replace(t, dominator=next((q.summary for q in best_first if _dominates(q, t)), None))
        for t in members
    ]


def _dominates(a: Tally, b: Tally) -> bool:
    """IOU to the tenth of a point, as it is shown."""
    one, other = (-a.instructions, round(a.iou, 1)), (-b.instructions, round(b.iou, 1))
    return one[0] >= other[0] and one[1] >= other[1] and one != other
