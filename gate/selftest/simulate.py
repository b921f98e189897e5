"""The gate on simulated machines: its false alarms and the slow-downs that it detects.

Blocks are drawn visit by visit, so that drift, modes and disturbances affect baseline, candidate and control as on a
real machine, and `decision` takes them like measured ones. Thousands of gates at once; the seed is an argument.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from devices.paired import BASELINE, CANDIDATE, CONTROL, ROUND, round_of
from gate import decision
from gate.decision import ALPHA, FIRST, FRESH, MOST, Outcome, sides

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Machine:
    """How log frame times vary: all standard deviations, of natural logarithms.

    `load` is what an artifact gains or loses by where it happens to lie in memory, drawn anew for each artifact of each
    block; `visit` what a visit adds, with Student's t of `tails` degrees of freedom, whose own spread is not scaled
    away below 3; `drift` the step of a random walk from visit to visit; `process` what an artifact keeps for the life
    of a process. `modes` is (how much slower the slow mode is, the chance to change mode from one visit to the next);
    `spikes` is (chance, size) of a visit that a neighbour slowed down by up to that size. `wander` is (standard
    deviation, how much of it the next visit keeps) of an AR(1) process; `steps` is (how far apart the clock's
    frequencies are in log terms, how many there are, the chance of a change after each visit). `caught` is the
    share of the self-test's slow-downs that must be detected: less on a machine so noisy that INCONCLUSIVE is often
    right.
    """

    name: str
    visit: float = 0.01
    load: float = 0.005
    drift: float = 0.0
    process: float = 0.0
    modes: tuple[float, float] = (0.0, 0.0)
    spikes: tuple[float, float] = (0.0, 0.0)
    tails: float = 5.0
    wander: tuple[float, float] = (0.0, 0.0)
    steps: tuple[float, int, float] = (0.0, 1, 0.0)
    caught: float = 0.95


MACHINES = (
    Machine("quiet", visit=0.005),
    Machine("ordinary", visit=0.015, load=0.01),
    Machine("noisy", visit=0.04, load=0.01, caught=0.85),
    Machine("drifting", visit=0.015, drift=0.02),
    Machine("bimodal", visit=0.01, modes=(0.25, 0.05)),
    Machine("noisy neighbour", visit=0.02, spikes=(0.15, 0.6), caught=0.7),
    Machine("layout kept by a process", visit=0.01, process=0.007),
)
"""Those that the settings of `decision` were chosen on."""

HELD_OUT = (
    Machine("heavy tails", visit=0.008, tails=2.0),
    Machine("wandering", visit=0.008, wander=(0.03, 0.9)),
    Machine("clock in steps", visit=0.008, steps=(0.12, 4, 0.08)),
    Machine("two modes and spikes", visit=0.01, modes=(0.12, 0.1), spikes=(0.05, 1.0)),
    Machine("layout of a process, noisy", visit=0.02, load=0.01, process=0.01),
    Machine("all at once", visit=0.012, load=0.008, drift=0.01, process=0.005, tails=3.0, wander=(0.02, 0.8)),
)
"""Other kinds of noise, seen for the first time when the settings stood: what the gate does there was not tuned."""

ORDER = round_of(first=BASELINE, second=CANDIDATE)
"""The other order is the same to these machines, as they treat baseline and candidate alike."""
ROUNDS = 8
"""Rounds of a block, as many as a network of 3.7 ms gets."""


def blocks(
    machine: Machine, slowdown: float, gates: int, count: int, random: np.random.Generator
) -> tuple[Floats, Floats]:
    """(effects, control movements), each (gates, count), of gates whose candidate is slower by the share `slowdown`."""
    visits = ROUNDS * ROUND + 1
    shape = gates, count, visits
    spread = math.sqrt(machine.tails / (machine.tails - 2)) if machine.tails >= 3 else 1.0
    levels = machine.visit * random.standard_t(machine.tails, shape) / spread
    if machine.drift:
        walk = random.normal(0, machine.drift, (gates, count * visits)).cumsum(axis=1)
        levels += walk.reshape(shape)
    slower, change = machine.modes
    if change:
        levels += (
            math.log1p(slower) * (random.random((gates, count * visits)) < change).cumsum(axis=1).reshape(shape) % 2
        )
    deviation, kept = machine.wander
    if deviation:
        levels += deviation * _autoregressive(random.normal(size=(gates, count * visits)), kept).reshape(shape)
    apart, clocks, change = machine.steps
    if change:
        levels += apart * _held(random, change, clocks, (gates, count * visits)).reshape(shape)
    chance, size = machine.spikes
    if chance:
        levels += (random.random(shape) < chance) * np.log1p(size * random.random(shape))
    rounds = levels[..., :-1].reshape(gates, count, ROUNDS, ROUND)
    effects = np.median(_mean(rounds, CANDIDATE) - _mean(rounds, BASELINE), axis=-1) + math.log1p(slowdown)
    effects += math.sqrt(2) * machine.load * random.normal(size=(gates, count))
    effects += math.sqrt(2) * machine.process * random.normal(size=(gates, 1))
    control = levels[..., [i for i in range(visits) if ORDER[i % ROUND] == CONTROL]]
    return effects, np.median(np.abs(np.diff(control, axis=-1)), axis=-1)


def _autoregressive(shocks: Floats, kept: float) -> Floats:
    """AR(1) along the last axis with standard deviation 1, begun in its stationary state."""
    from scipy.signal import lfilter

    scaled = shocks * math.sqrt(1 - kept**2)
    scaled[..., 0] = shocks[..., 0]
    return np.asarray(lfilter([1.0], [1.0, -kept], scaled, axis=-1))


def _held(random: np.random.Generator, change: float, levels: int, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Integers below `levels`, each held until a coin of `change` draws the next."""
    changes = random.random(shape) < change
    changes[..., 0] = True
    since = np.maximum.accumulate(np.where(changes, np.arange(shape[-1]), 0), axis=-1)
    return np.take_along_axis(random.integers(0, levels, shape), since, axis=-1)


def _mean(levels: Floats, role: str) -> Floats:
    return levels[..., [i for i, visited in enumerate(ORDER) if visited == role]].mean(axis=-1)


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
    """Run `gates` whole gates of one configuration: blocks until decided, and a FAIL confirmed in new processes."""
    random = np.random.default_rng(seed)
    limit = math.log1p(tolerance)
    first = _process(machine, slowdown, limit, gates, most, random)
    outcome, taken = first.outcome.copy(), first.taken.copy()
    for index in np.flatnonzero(outcome == Outcome.FAIL):
        mine = int(first.taken[index])
        pooled = [(first.effects[index, :mine], first.control[index, :mine])]
        slower: list[bool] = []
        while len(slower) < FRESH and all(slower):
            effects, control = blocks(machine, slowdown, 1, decision.again(mine), random)
            pooled.append((effects[0], control[0]))
            slower.append(decision.is_slower(effects[0], control[0], tolerance))
            taken[index] += decision.again(mine)
        effects, control = (np.concatenate(parts) for parts in zip(*pooled, strict=True))
        together = decision.estimate(effects, control, tolerance)
        outcome[index] = decision.confirmed(slower, together)
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
