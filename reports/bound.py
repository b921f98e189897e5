"""How many rows one page holds: a folder that was measured into for years is still a page, and of what counts now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reports.rows import Row, latest

MOST, SHOWN = 1000, 300
"""A page of more than MOST rows would take minutes and nobody would read it: it shows SHOWN of them."""


def bounded(rows: Iterable[Row]) -> tuple[list[Row], list[str]]:
    """The rows that a page shows, and a sentence where it leaves some out.

    Shown are up to MOST; of more, the newest SHOWN, of each configuration its last measurement before any earlier one.
    `rows` may be a stream: no more than twice MOST are held at once.
    """
    kept: list[Row] = []
    count = 0
    for row in rows:
        count += 1
        kept.append(row)
        if len(kept) >= 2 * MOST:
            kept = _newest(latest(kept), MOST)
    kept = latest(kept)
    if count <= MOST or len(kept) <= SHOWN:
        return kept, []
    shown = _newest(kept, SHOWN)
    return shown, [
        f"There are {count:,} rows; this page shows {len(shown)}, the newest of each configuration first. Name fewer"
        " folders, or use --csv for the figures of all"
    ]


def _newest(rows: Sequence[Row], most: int) -> list[Row]:
    """At most `most` of `rows`, in their order."""
    last: dict[tuple[str, str], Row] = {}
    for row in rows:
        key = row.device, row.cell
        if key not in last or last[key].time <= row.time:
            last[key] = row
    current = {id(row) for row in last.values()}
    ranked = sorted(rows, key=lambda row: (id(row) in current, row.time), reverse=True)
    kept = {id(row) for row in ranked[:most]}
    return [row for row in rows if id(row) in kept]
