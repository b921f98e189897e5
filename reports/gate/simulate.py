"""The gate on machines made of random numbers: how often it cries wolf, and what it catches.

Blocks are drawn visit by visit, so that drift, modes and disturbances hit the arms and the control as they would on a
machine, and `decision` judges them as it judges measured ones. Thousands of gates at once; the seed is an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.paired import BASELINE, CANDIDATE, CONTROL, order
from reports.gate import decision
from reports.gate.decision import ALPHA, FIRST, MOST, Outcome, sides

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Machine:
    """How log frame times vary: all standard deviations, of natural logarithms.

    `load` is what an artifact gains or loses by where it happens to lie in memory, drawn anew for each arm of each
    block; `visit` what a visit adds; `drift` the step of a random walk from visit to visit; `process` what one arm
    keeps for the life of a process. `modes` is (how much slower the slow mode is, the chance to change mode between
    visits); `spikes` is (chance, size) of a visit that a neighbour slowed down by up to that size.
    """

    name: str
    visit: float = 0.01
    load: float = 0.005
    drift: float = 0.0
    process: float = 0.0
    modes: tuple[float, float] = (0.0, 0.0)
    spikes: tuple[float, float] = (0.0, 0.0)


MACHINES = (
    Machine("quiet", visit=0.005),
    Machine("ordinary", visit=0.015, load=0.01),
    Machine("noisy", visit=0.04, load=0.01),
    Machine("drifting", visit=0.015, drift=0.02),
    Machine("bimodal", visit=0.01, modes=(0.25, 0.05)),
    Machine("noisy neighbour", visit=0.02, spikes=(0.15, 0.6)),
    Machine("layout kept by a process", visit=0.01, process=0.007),
)

ORDER = order(first=BASELINE, second=CANDIDATE)
"""The other order is the same to these machines, as none of them knows the arms by name."""


def blocks(
    machine: Machine, slowdown: float, gates: int, count: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """(effects, control movements), each (gates, count), of gates whose candidate is slower by the share `slowdown`."""
    visits = len(ORDER)
    shape = gates, count, visits
    levels = machine.visit * random.standard_t(5, shape) / math.sqrt(5 / 3)
    if machine.drift:
        walk = random.normal(0, machine.drift, (gates, count * visits)).cumsum(axis=1)
        levels += walk.reshape(shape)
    slower, change = machine.modes
    if change:
        levels += (
            math.log1p(slower) * (random.random((gates, count * visits)) < change).cumsum(axis=1).reshape(shape) % 2
        )
    chance, size = machine.spikes
    if chance:
        levels += (random.random(shape) < chance) * np.log1p(size * random.random(shape))
    effects = _mean(levels, CANDIDATE) - _mean(levels, BASELINE) + math.log1p(slowdown)
    effects += math.sqrt(2) * machine.load * random.normal(size=(gates, count))
    effects += math.sqrt(2) * machine.process * random.normal(size=(gates, 1))
    control = levels[..., [i for i, arm in enumerate(ORDER) if arm == CONTROL]]
    return effects, np.ptp(control, axis=-1)


def _mean(levels: Floats, arm: str) -> Floats:
    return levels[..., [i for i, visited in enumerate(ORDER) if visited == arm]].mean(axis=-1)


@dataclass(frozen=True)
class Tally:
    """What became of simulated gates: shares of the three outcomes, and the blocks that the median gate took."""

    machine: str
    slowdown: float
    tolerance: float
    gates: int
    failed: float
    passed: float
    blocks: int

    @property
    def inconclusive(self) -> float:
        return 1 - self.failed - self.passed


def gate(machine: Machine, slowdown: float, tolerance: float, gates: int, seed: int, most: int = MOST) -> Tally:
    """Run `gates` whole gates of one cell: looks until decided, and a FAIL confirmed in a fresh process."""
    random = np.random.default_rng(seed)
    limit = math.log1p(tolerance)
    first = _process(machine, slowdown, limit, gates, most, random)
    outcome, taken = first.outcome.copy(), first.taken.copy()
    red = np.flatnonzero(outcome == Outcome.FAIL)
    if red.size:
        second = _process(machine, slowdown, limit, red.size, most, random)
        taken[red] += second.taken
        for row, index in enumerate(red):
            mine = slice(0, second.taken[row])
            theirs = slice(0, first.taken[index])
            effects = np.concatenate([first.effects[index, theirs], second.effects[row, mine]])
            control = np.concatenate([first.control[index, theirs], second.control[row, mine]])
            again = decision.estimate(second.effects[row, mine], second.control[row, mine], tolerance)
            pooled = decision.estimate(effects, control, tolerance)
            outcome[index] = decision.confirmed(again, pooled, tolerance)
    return Tally(
        machine.name,
        slowdown,
        tolerance,
        gates,
        float((outcome == Outcome.FAIL).mean()),
        float((outcome == Outcome.PASS).mean()),
        int(np.median(taken)),
    )


@dataclass(frozen=True)
class _Processes:
    outcome: NDArray[np.object_]
    taken: NDArray[np.int64]
    effects: Floats
    control: Floats


def _process(
    machine: Machine, slowdown: float, limit: float, gates: int, most: int, random: np.random.Generator
) -> _Processes:
    """Each gate's first process: looked at after FIRST blocks, and again until it is decided or at its `most`."""
    effects, control = blocks(machine, slowdown, gates, most, random)
    outcome = np.full(gates, Outcome.INCONCLUSIVE, object)
    taken = np.full(gates, most)
    open_ = np.arange(gates)
    count = FIRST
    while open_.size:
        slower, within, _ = sides(effects[open_, :count], control[open_, :count], limit)
        failed, passed = slower <= ALPHA, within <= ALPHA
        outcome[open_[passed]], outcome[open_[failed]] = Outcome.PASS, Outcome.FAIL
        taken[open_] = count
        open_ = open_[~(failed | passed)]
        if not (step := decision.more(count, most)):
            break
        count += step
    return _Processes(outcome, taken, effects, control)
