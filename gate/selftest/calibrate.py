"""The extra branch that slows a network down by about SLOWDOWN, found with the gate's own paired blocks.

The median of a few blocks varies by a point from one process to the next. A search that stops at the first width near
the target is therefore biased: it once took a slow-down of 8 % for one of 5.6 %. So a line is fitted to all that was
measured and selects the next width; the search ends when ENOUGH blocks of one width, of several processes, agree.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from devices.contract import Config
from gate import artifacts
from gate.artifacts import GateArtifact
from gate.blocks import effects
from gate.decision import estimate

SLOWDOWN = 0.05
"""What is aimed at, a share of the frame time."""
CLOSE = 0.01
"""The largest accepted difference from SLOWDOWN."""
FIRST_WIDTHS = (96, 256)
"""Channels of the branches tried first: a line needs two points."""
NARROWEST, WIDEST, STEP = 8, 1024, 4
PROCESSES, BLOCKS = 2, 20
"""Of one batch: processes, and blocks in each."""
ENOUGH = 120
"""Blocks of one width after which it may be settled on."""
BATCHES = 10
"""After these, the width with the slow-down nearest to SLOWDOWN is taken and its measured slow-down is recorded."""

Found = tuple[list[float], list[float]]
"""(effects, control movements) of blocks, as `gate.blocks.effects` gives them."""


@dataclass(frozen=True)
class Slower:
    """The slowed-down artifact, and the share by which it was slower while it was calibrated."""

    artifact: GateArtifact
    injected: float


def find(config: Config, plain: GateArtifact, checkpoint: Path, folder: Path, say: Callable[[str], None]) -> Slower:
    """An extra branch for `checkpoint`, calibrated on this machine and kept in `folder`; takes minutes when idle."""
    measured: dict[int, Found] = {}
    for batch in range(BATCHES):
        width = next_width(measured)
        artifact = _slowed(config, checkpoint, width, folder)
        fresh = _batch(config, plain, artifact, seed=PROCESSES * batch)
        before = measured.get(width, ([], []))
        measured[width] = before[0] + fresh[0], before[1] + fresh[1]
        say(f"calibrating: {words(width, measured[width])}")
        if settled(measured):
            break
    width = settled(measured) or min(measured, key=lambda w: abs(share(measured[w]) - SLOWDOWN))
    artifact = _slowed(config, checkpoint, width, folder)
    injected = share(measured[width])
    told = {w: {"share": share(found), "blocks": len(found[0])} for w, found in sorted(measured.items())}
    values = {"width": width, "injected": injected, "sha256": artifact.sha256, "measured": told}
    _kept(config, folder).write_text(json.dumps(values, indent=1) + "\n")
    return Slower(artifact, injected)


def kept(config: Config, checkpoint: Path, folder: Path) -> Slower | None:
    """What `find` kept in `folder` for `checkpoint`; None when there is none, or its artifact is another by now."""
    if not _kept(config, folder).exists():
        return None
    values = json.loads(_kept(config, folder).read_text())
    artifact = _slowed(config, checkpoint, values["width"], folder)
    return Slower(artifact, values["injected"]) if artifact.sha256 == values["sha256"] else None


def next_width(measured: Mapping[int, Found]) -> int:
    """The width to measure next: where the line through all that was measured crosses SLOWDOWN.

    A width counts for as much as it has blocks. One that was measured already and lies near enough is measured again
    rather than its neighbour; and no step goes beyond twice the widest or half the narrowest.
    """
    if len(measured) < len(FIRST_WIDTHS):
        return FIRST_WIDTHS[len(measured)]
    widths = sorted(measured)
    shown = [share(measured[w]) for w in widths]
    count = {w: len(measured[w][0]) for w in widths}
    slope, start = np.polyfit(widths, shown, 1, w=np.sqrt([count[w] for w in widths]))
    low, high = max(widths[0] // 2, NARROWEST), min(2 * widths[-1], WIDEST)
    if slope <= 0:  # A wider branch costs no less: the noise is larger than the step was.
        return high if np.mean(shown) < SLOWDOWN else low
    if near := [w for w in widths if abs(start + slope * w - SLOWDOWN) <= CLOSE / 2]:
        return max(near, key=count.__getitem__)
    return round(float(np.clip((SLOWDOWN - start) / slope, low, high)) / STEP) * STEP


def settled(measured: Mapping[int, Found]) -> int | None:
    """The width that ENOUGH blocks say is CLOSE to SLOWDOWN; None when there is none yet."""
    off = {w: abs(share(found) - SLOWDOWN) for w, found in measured.items() if len(found[0]) >= ENOUGH}
    return min((w for w in off if off[w] <= CLOSE), key=off.__getitem__, default=None)


def share(found: Found) -> float:
    """The slow-down that blocks show, as a share: what the gate would say of them."""
    return math.expm1(estimate(*found, SLOWDOWN).effect)


def words(width: int, found: Found) -> str:
    of = estimate(*found, SLOWDOWN)
    between = f" ({math.expm1(of.low):+.1%} to {math.expm1(of.high):+.1%})" if math.isfinite(of.low) else ""
    return f"{width} channels, {of.blocks} blocks: {share(found):+.1%}{between}"


def _slowed(config: Config, checkpoint: Path, width: int, folder: Path) -> GateArtifact:
    from gate.selftest import synthetic_slowdown

    path = synthetic_slowdown.convert(checkpoint, config.format, config.resolution, width, folder)
    return artifacts.of_file(path, config.format)


def _batch(config: Config, plain: GateArtifact, slower: GateArtifact, seed: int) -> Found:
    """The blocks of PROCESSES fresh processes."""
    from devices import paired
    from evaluation.sample import embedded
    from gate.run import Comparison, job_of

    blocks = []
    with tempfile.TemporaryDirectory(prefix="gate-") as temporary:
        job = job_of(Comparison(config, plain, slower), slower, embedded(), Path(temporary))
        for process in range(PROCESSES):
            with paired.opened(plain.path, job, seed + process) as pair:
                blocks += pair.blocks(BLOCKS)
    return effects(blocks)


def _kept(config: Config, folder: Path) -> Path:
    return folder / f"calibration-{config.variant}-{config.format}.json"
