"""How well the public networks' times are predicted, as README.md has it: `python -m devices.estimate.table`."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from devices.catalog import phones
from devices.estimate.factor import estimate, leave_one_out, mean
from devices.estimate.phone import pooled, rates_of
from devices.estimate.published import published

HEAD = (
    "| phone | processor | runtime | precision | networks | ms per million instructions | error, median | worst |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
RANGE_OF = 2
"""How many other networks give a range."""


def table() -> str:
    """Markdown: a line a source, then the error over all of them, each network predicted from its source's others."""
    lines, everything, used = [], list[float](), list[float]()
    chosen = set[tuple[str, str]]()
    for times in published():
        found = rates_of(times)
        errors = [abs(error) for error in leave_one_out(found).values()]
        everything += errors
        phone = phones()[times.phone]
        if (times.phone, times.precision) not in chosen:
            chosen.add((times.phone, times.precision))
            used += errors
        cells = (
            f"`{times.phone}`",
            phone.soc,
            times.runtime.name,
            times.precision,
            str(len(found)),
            f"{mean(found.values()):.3f}",
            _percent(median(errors)),
            _percent(max(errors)),
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    inside, tried = covered()
    return (
        f"{HEAD}{''.join(lines)}\n"
        + _over(everything, "of all sources")
        + _over(used, "that estimates rest on")
        + f"- {inside} of {tried} times lie in the range that the others of their source, two or more, give.\n"
    )


def covered() -> tuple[int, int]:
    """How many times lie in the range that the others of their source give, and how many there are."""
    inside = []
    for times in published():
        found = rates_of(times)
        for name, rate in found.items():
            others = [other for key, other in found.items() if key != name]
            if len(others) >= RANGE_OF:
                predicted = estimate(10**6, others, pooled(times.precision))
                inside.append(predicted.low <= rate <= predicted.high)
    return sum(inside), len(inside)


def _over(errors: Sequence[float], which: str) -> str:
    return (
        f"- Over the {len(errors)} times {which}: {_percent(median(errors))} in the median,"
        f" {_percent(sorted(errors)[int(0.9 * len(errors))])} at the 90th percentile.\n"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    print(table(), end="")
