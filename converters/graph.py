"""Operators of converted graphs, and how many of them are layout operators, which cost time and compute nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

LAYOUT_OPERATORS: dict[str, frozenset[str]] = {
    "TRANSPOSE": frozenset({"transpose"}),
    "PAD": frozenset({"pad", "padv2", "mirror_pad"}),
    "RESHAPE": frozenset({"reshape", "squeeze", "unsqueeze", "expand_dims", "flatten"}),
}
"""Kinds of layout operator, and their names in the formats, in lower case."""
HARD_SWISH_FLOOR = -3.0
"""Hard-swish is zero at and below this input: int8 values for anything lower are wasted."""


def summary(ops: Iterable[str]) -> dict[str, Any]:
    """The histogram of operator names as the format spells them, and the number of layout operators of each kind."""
    histogram = Counter(ops)
    leftovers = {
        kind: sum(count for op, count in histogram.items() if op.lower() in names)
        for kind, names in LAYOUT_OPERATORS.items()
    }
    return {"ops": dict(sorted(histogram.items())), "leftovers": leftovers}
