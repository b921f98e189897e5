"""Energy of a frame, where the host has a counter of it: RAPL, as Linux shows it under /sys/class/powercap.

The counter is of the whole processor package, idle parts and other processes included: an upper bound for the network.
It takes a pass of its own: reading it is no part of any time. Source: the kernel's
Documentation/power/powercap/powercap.rst; the files are readable by root alone on most systems.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from devices.facts import attempt
from devices.sustained import Clock, Loop

POWERCAP = Path("/sys/class/powercap")
SOURCE = "RAPL, processor package"
SECONDS = 10.0


@dataclass(frozen=True)
class Energy:
    """Millijoules of a frame, the watts of the package meanwhile, and what told them."""

    millijoules: float
    watts: float
    frames: int
    source: str = SOURCE


def counters(root: Path = POWERCAP) -> dict[Path, int]:
    """Package -> microjoules so far; empty where there is no counter or it may not be read."""
    found = {package: attempt(partial(_microjoules, package)) for package in _packages(root)}
    return {package: value for package, value in found.items() if value is not None}


def _microjoules(package: Path) -> int:
    return int((package / "energy_uj").read_text())


def _packages(root: Path) -> list[Path]:
    """Whole packages: `intel-rapl:0`, whose parts are `intel-rapl:0:1`."""
    return [path for path in sorted(root.glob("intel-rapl:*")) if path.name.count(":") == 1]


def used(before: Mapping[Path, int], after: Mapping[Path, int]) -> int | None:
    """Microjoules between two readings of the same packages, a counter that began anew at its range allowed for."""
    if not before or before.keys() != after.keys():
        return None
    total = 0
    for package, start in before.items():
        spent = after[package] - start
        if spent < 0:
            spent += int((package / "max_energy_range_uj").read_text())
        total += spent
    return total


def measure(
    loop: Loop, seconds: float = SECONDS, root: Path = POWERCAP, clock: Clock = time.perf_counter_ns
) -> dict[str, Any] | None:
    """`Energy` as a dictionary of `loop` running for `seconds`; None where the host has no counter."""
    before = counters(root)
    if not before:
        return None
    start, frames = clock(), 0
    while clock() - start < seconds * 1e9:
        loop.prepare()
        loop.run()
        frames += 1
    spent, passed = used(before, counters(root)), (clock() - start) / 1e9
    if spent is None:
        return None
    return asdict(Energy(round(spent / 1000 / frames, 4), round(spent / 1e6 / passed, 3), frames))
