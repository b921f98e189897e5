"""Phones by networks: the speed of each network on each phone, measured and contributed in tables of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.variant import VARIANTS
from reports.rows import Row, latest
from reports.statistics import Latency
from reports.summary import Summary, newest, summaries

if TYPE_CHECKING:
    from rich.console import Group

EVIDENCE = ("measured", "contributed")
NO_PHONE = frozenset({"headless", "emulator"})
"""Hazards of what is no phone in somebody's hand."""
EMPTY = (
    "No phone is among these rows. `bench.py web export DIR` makes a page that measures on any phone, and "
    "`bench.py import FILE` adds what it saved: docs/phones.md."
)


@dataclass(frozen=True)
class Entry:
    """The fastest configuration of one network on one phone."""

    summary: Summary
    fps: float

    @property
    def where(self) -> str:
        row = self.summary.row
        unit = f"{row.unit}{row.threads}" if row.unit == "cpu" else row.unit
        return f"{row.format} {row.precision} {unit}"


@dataclass(frozen=True)
class Matrix:
    """Of one kind of evidence."""

    phones: Sequence[str]
    networks: Sequence[str]
    entries: Mapping[tuple[str, str], Entry]
    """By phone and network."""


def matrices(rows: Iterable[Row]) -> dict[str, Matrix]:
    """Evidence -> its matrix, of the last row of each configuration; evidence without a phone has none."""
    seen = newest(summaries(latest(rows)))
    found = {evidence: _matrix([s for s in seen if s.row.evidence == evidence]) for evidence in EVIDENCE}
    return {evidence: matrix for evidence, matrix in found.items() if matrix.phones}


def _matrix(seen: Sequence[Summary]) -> Matrix:
    entries: dict[tuple[str, str], Entry] = {}
    for s in seen:
        timed = speed(s)
        if timed is None or s.row.device == "desktop" or NO_PHONE.intersection(s.row.hazards):
            continue
        key = s.row.device.removeprefix("web:"), s.row.variant
        if key not in entries or timed.fps > entries[key].fps:
            entries[key] = Entry(s, timed.fps)
    known = list(VARIANTS)
    networks = sorted({network for _, network in entries}, key=lambda n: (n not in known, n))
    return Matrix(sorted({phone for phone, _ in entries}), networks, entries)


def speed(s: Summary) -> Latency | None:
    """The network's times on that device, of either evidence: for a place that shows which."""
    return s.contributed_model if s.contributed else s.model


def show(found: Mapping[str, Matrix]) -> Group | str:
    """What `bench.py report --matrix` prints with rich: a table for each kind of evidence, or that there is none."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    if not found:
        return EMPTY
    tables = []
    for evidence, matrix in found.items():
        table = Table("phone", title=f"{evidence}: FPS of the network alone", title_justify="left", box=SIMPLE_HEAD)
        for network in matrix.networks:
            table.add_column(network, justify="right")
        for phone in matrix.phones:
            shown = [matrix.entries.get((phone, network)) for network in matrix.networks]
            table.add_row(phone, *(f"{one.fps:.1f}\n{one.where}" if one else "–" for one in shown))
        tables.append(table)
    return Group(*tables)
