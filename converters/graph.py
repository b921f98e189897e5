"""What converted graphs are made of: leftovers that a mobile kernel would rather not see, and where a function ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

LEFTOVERS: dict[str, frozenset[str]] = {
    "TRANSPOSE": frozenset({"transpose"}),
    "PAD": frozenset({"pad", "padv2", "mirror_pad"}),
    "RESHAPE": frozenset({"reshape", "squeeze", "unsqueeze", "expand_dims", "flatten"}),
}
"""Kinds of leftover, and the names the formats give them, in lower case."""
HARD_SWISH_FLOOR = -3.0
"""Hard-swish gives zero from here down: integers spent on what lies below are lost."""


def summary(ops: Iterable[str]) -> dict[str, Any]:
    """The histogram of operator names as the format spells them, and how many of each kind of leftover there are."""
    histogram = Counter(ops)
    leftovers = {
        kind: sum(count for op, count in histogram.items() if op.lower() in names) for kind, names in LEFTOVERS.items()
    }
    return {"ops": dict(sorted(histogram.items())), "leftovers": leftovers}
