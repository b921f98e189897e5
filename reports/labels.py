"""The labels of networks that give them, as the page shows them: pictures, figures, and what is taken for what."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.overlay import LABEL_COLOURS
from evaluation.truth import NAMES
from reports.summary import Summary

LEGEND = {name: "#{:02x}{:02x}{:02x}".format(*colour) for name, colour in LABEL_COLOURS.items()}
"""Label -> its colour in the pictures, as CSS writes it."""


@dataclass(frozen=True)
class LabelTable:
    """Figures by label of the configurations that were judged on one data set."""

    data: str
    configurations: tuple[Summary, ...]
    names: tuple[str, ...]

    def figure(self, s: Summary, name: str) -> dict[str, Any] | None:
        """{"iou", "iou_ci", "pixels", "pictures"} of one label, shares of 1."""
        return (s.labels or {}).get("labels", {}).get(name)

    @property
    def confusion(self) -> list[tuple[str, list[float]]]:
        """Of the first configuration: each true label, and the percentages of its pixels found as each of `found`."""
        told = (self.configurations[0].labels or {})["confusion"]
        rows = ((name, told[name], sum(told[name].values())) for name in NAMES if name in told)
        return [
            (name, [100 * row.get(other, 0) / pixels for other in self.found]) for name, row, pixels in rows if pixels
        ]

    @property
    def found(self) -> list[str]:
        """What the first configuration found, or might have."""
        told = (self.configurations[0].labels or {})["confusion"]
        return [name for name in NAMES if name in told or any(name in row for row in told.values())]


def tables(done: Iterable[Summary]) -> list[LabelTable]:
    """One table a data set that tells labels."""
    by_data: dict[str, list[Summary]] = {}
    for s in done:
        if s.labels:
            by_data.setdefault(s.scope.data, []).append(s)
    return [LabelTable(data, tuple(found), _names(found)) for data, found in by_data.items()]


def pictured(gallery: Sequence[Summary]) -> list[Summary]:
    """The configurations with pictures in the labels' colours."""
    return [s for s in gallery if any(example.get("labels_jpeg") for example in s.row.examples)]


def _names(found: Sequence[Summary]) -> tuple[str, ...]:
    return tuple(name for name in NAMES if any(name in (s.labels or {})["labels"] for s in found))
