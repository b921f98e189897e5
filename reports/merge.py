"""The rows of several folders as those of one: the shares of `bench.py --shard`, each measured into its own."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reports.rows import Row, latest

SHOWN = 6
"""Configurations that a sentence names before it counts the rest."""

Folders = Mapping[Path, Sequence[Row]]


@dataclass(frozen=True)
class Merged:
    """The rows in the order of the folders, and a sentence for each that gave way."""

    rows: tuple[Row, ...]
    words: tuple[str, ...]


def merge(folders: Folders) -> Merged:
    """Join the rows, unchanged. ValueError names what is doubled and what contradicts.

    A configuration belongs to one folder. Where it only failed in one and was measured in another, which is what
    becomes of the share of a host that was lost, the failed row gives way.
    """
    if problems := [*_doubled(folders), *_contradictions(folders)]:
        raise ValueError(". ".join(problems))
    measured = {row.cell: folder for folder, rows in folders.items() for row in rows if row.status == "ok"}
    kept: list[Row] = []
    words: dict[str, None] = {}
    for folder, rows in folders.items():
        for row in rows:
            if (better := measured.get(row.cell, folder)) == folder:
                kept.append(row)
            else:
                words[f"{row.cell} failed in {folder} and was measured in {better}; the failed row is left out."] = None
    return Merged(tuple(kept), tuple(words))


def _doubled(folders: Folders) -> Iterator[str]:
    """A sentence, without its end, for each two folders that have the same configurations."""
    ok: dict[str, list[Path]] = defaultdict(list)
    failed: dict[str, list[Path]] = defaultdict(list)
    for folder, rows in folders.items():
        succeeded = {row.cell for row in rows if row.status == "ok"}
        for cell in dict.fromkeys(row.cell for row in rows):
            (ok if cell in succeeded else failed)[cell].append(folder)
    several: dict[tuple[Path, ...], list[str]] = defaultdict(list)
    for cell in dict.fromkeys([*ok, *failed]):
        if len(found := ok.get(cell) or failed[cell]) > 1:
            several[tuple(found)].append(cell)
    for where, cells in several.items():
        more = f" and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
        yield f"{', '.join(cells[:SHOWN])}{more}: in each of {_listed(where)}"


def _contradictions(folders: Folders) -> Iterator[str]:
    """A sentence, without its end, for each fact that rows of one run share and these do not."""
    told: dict[str, dict[str, tuple[str, Path]]] = defaultdict(dict)
    for folder, rows in folders.items():
        for row in latest(rows):
            for fact, value in _facts(row):
                told[fact].setdefault(value, (row.cell, folder))
    for fact, values in told.items():
        # What differs within one folder alone is a run that was resumed with something newer, and stays.
        if len({folder for _, folder in values.values()}) > 1:
            listed = "; ".join(f"{value} for {cell} in {folder}" for value, (cell, folder) in values.items())
            yield f"{fact} differs: {listed}"


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    """(what, its value) of all that a run has one of. Lengthy values are cut."""
    if row.checkpoint:
        yield f"the checkpoint of {row.variant}", row.checkpoint[:12]
    if pictures := row.accuracy.get("data_sha256"):
        size = "x".join(map(str, row.resolution))
        mode = row.network.get("resize_mode", "stretch")
        yield f"the data set of {row.device} at {size}, {mode}", f"{row.accuracy.get('data')} ({pictures[:12]})"
    if counts := row.timing.get("counts"):
        yield f"the number of samples on {row.device}", json.dumps(counts, sort_keys=True)


def _listed(folders: Sequence[Path]) -> str:
    return f"{', '.join(map(str, folders[:-1]))} and {folders[-1]}"
