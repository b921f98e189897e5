"""`bench.py variants --count`: the ARM instructions of networks that were not counted yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.variant import Resolution, Variant


def missing(networks: Mapping[str, Variant], sizes: Mapping[str, Resolution]) -> int:
    """How many counts of `networks` at their `sizes` are not kept."""
    from profiling.arm import COLUMNS, cached_variant

    return sum(
        cached_variant(variant, sizes[name], *counted) is None
        for name, variant in networks.items()
        for counted in COLUMNS.values()
    )


def count_missing(networks: Mapping[str, Variant], sizes: Mapping[str, Resolution]) -> None:
    """Make them, a line a network on stderr; one that cannot be counted costs none of the others."""
    from devices.instructions import CannotCount
    from profiling.arm import COLUMNS, cached_variant, count_variants
    from reports.live import Live

    with Live() as live:
        todo = [n for n in networks if any(cached_variant(networks[n], sizes[n], *c) is None for c in COLUMNS.values())]
        live.stage("count", len(todo))
        for name in todo:
            live.step(name)
            try:
                found = count_variants(networks[name], sizes[name], COLUMNS.values())
                live.done(f"{name}: {', '.join(f'{n / 1e6:.2f}' for n in found)} M")
            except CannotCount as reason:
                live.done(f"{name}: not counted: {reason}")
