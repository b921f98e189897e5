"""A configuration and the reference in turn, in short visits: what slows the machine down slows both down.

A round is own, reference, reference, own, or the other way round; the next one takes other copies of both networks
where there are some. A visit begins with a run that is discarded, because
the other network used the caches before it. Pure logic: loops, clock and counter are arguments.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from devices.contract import Counts
from devices.desktop import timing
from devices.desktop.timing import Clock, Loop, Samples
from devices.ratio import Ratio, ratio

OWN, REFERENCE = "O", "R"
ORDERS = ("ROOR", "ORRO")
"""Of a round, in turn."""
ROUNDS, MOST_ROUNDS = 10, 48
"""Of a take, the fewest and the most."""
VISIT_SECONDS = 0.05
"""About how long the configuration's visits are to be, where it is measured for long."""
REFERENCE_SAMPLES = 2
"""Of a visit. They and the run discarded before them bound the reference's share: some 0.4 s of a default take."""
LEAD_IN = 1
AGAIN = 10
"""How often a fifth of a take is added to a disturbed measurement: it then has thrice the rounds of an undisturbed one.

Fifths instead of halves cost little in how often the interval holds the truth: 97.2 % and 97.6 % of the claimed ones,
of 14.0 and 15.2 rounds on average, with rounds drawn from 168 measurements of default runs on a quiet machine.
"""
ALONE_AGAIN = 2
"""How often the samples of one loop by itself are taken again."""
FEWEST_ROUNDS = 10
"""Undisturbed rounds without which there is no ratio. Six have an interval of 95 %, if they are independent.
Beside a load they are not: one of 20 such ratios was 7 % off, with six of ten rounds left.
"""
FEWEST_SAMPLES = 20
"""Undisturbed samples without which there is no median to show."""
WIDEST = 0.05
"""A ratio whose interval reaches farther than that from it, as a share, is not claimed."""
MOSTLY = 0.5
"""A measurement of which a larger share of the samples was switched out is disturbed, whatever the rest says."""

Switches = Callable[[], int | None]


@dataclass(frozen=True)
class Visit:
    of: str
    samples: Samples

    @property
    def level(self) -> float | None:
        """The log of its median over the samples that count; None when half of them or more were switched out."""
        clean = self.samples.clean
        return math.log(float(np.median(clean))) if 2 * len(clean) > len(self.samples.ns) else None


@dataclass(frozen=True)
class Interleaved:
    """All takes together: the visits in order, four of them a round."""

    visits: tuple[Visit, ...]
    takes: int

    def of(self, which: str) -> Samples:
        """The samples of one side."""
        return sum((visit.samples for visit in self.visits if visit.of == which), Samples())

    @property
    def effects(self) -> list[float]:
        """log(reference's time / own time) of each round whose four visits all have a level."""
        rounds = [self.visits[i : i + 4] for i in range(0, len(self.visits), 4)]
        return [found for visits in rounds if (found := effect(visits)) is not None]

    @property
    def ratio(self) -> Ratio | None:
        """How many times as fast as the reference; None with fewer than FEWEST_ROUNDS undisturbed rounds."""
        return ratio(self.effects) if len(self.effects) >= FEWEST_ROUNDS else None

    @property
    def switched_share(self) -> float | None:
        return share_switched(self.of(OWN) + self.of(REFERENCE))

    @property
    def disturbed(self) -> bool:
        """Whether nothing may be claimed: no ratio, one that is too wide, or a measurement mostly switched out."""
        found = self.ratio
        return found is None or found.spread > WIDEST or (self.switched_share or 0) > MOSTLY

    def to_json(self) -> dict[str, Any]:
        """What a row keeps: raw times of the reference, the order of the visits, and what follows from them."""
        found, theirs = self.ratio, self.of(REFERENCE)
        return {
            "times_as_fast": found and found.times,
            "interval": found and [found.low, found.high],
            "rounds": len(self.effects),
            "rounds_taken": len(self.visits) // 4,
            "takes": self.takes,
            "switched_share": self.switched_share,
            "disturbed": self.disturbed,
            "reference_fps": 1e9 / float(np.median(theirs.clean)) if len(theirs.clean) >= FEWEST_SAMPLES else None,
            "reference_ns": list(theirs.ns),
            "reference_switched": theirs.switched_at,
            "order": "".join(visit.of for visit in self.visits),
            "samples": [len(visit.samples.ns) for visit in self.visits],
        }


def share_switched(samples: Samples) -> float | None:
    """The share of samples that were switched out; None where that is not known."""
    return None if samples.switched is None or not samples.ns else sum(samples.switched) / len(samples.ns)


def effect(visits: Sequence[Visit]) -> float | None:
    """log(reference's time / own time) of one round; None when a visit has no level."""
    levels: dict[str, list[float]] = {OWN: [], REFERENCE: []}
    for visit in visits:
        if visit.level is None:
            return None
        levels[visit.of].append(visit.level)
    return float(np.mean(levels[REFERENCE]) - np.mean(levels[OWN]))


def sizes(own_seconds: float, counts: Counts) -> tuple[int, int]:
    """(rounds of a take, own samples of a visit) for a network of so many seconds a frame.

    Together they are `counts.samples` and `counts.seconds` at least.
    """
    needed = max(counts.samples, math.ceil(counts.seconds / own_seconds))
    rounds = min(max(round(needed * own_seconds / (2 * VISIT_SECONDS)), ROUNDS), MOST_ROUNDS)
    return rounds, math.ceil(needed / (2 * rounds))


def measure(
    own: Loop,
    reference: Loop,
    own_seconds: float,
    counts: Counts,
    clock: Clock = time.perf_counter_ns,
    switches: Switches = timing.involuntary_switches,
    turn: Callable[[int], None] = lambda _: None,
) -> Interleaved:
    """A take, and fifths of takes until all together are not disturbed, AGAIN at most; the rounds of all of them count.

    `own_seconds` is about what a frame takes. Both loops are warm. `turn` is called before each round with its number,
    from 0, to give the loops other copies of their networks.
    """
    rounds, each = sizes(own_seconds, counts)
    samples = {OWN: each, REFERENCE: REFERENCE_SAMPLES}
    loops = {OWN: own, REFERENCE: reference}
    visits: list[Visit] = []
    turns = itertools.count()
    with timing.no_garbage_collection():
        for take in range(1, AGAIN + 2):
            for number in range(rounds if take == 1 else math.ceil(rounds / 5)):
                turn(next(turns))
                for of in ORDERS[number % 2]:
                    visits.append(_visit(of, loops[of], samples[of], clock, switches))
            found = Interleaved(tuple(visits), take)
            if not found.disturbed:
                break
    return found


def _visit(of: str, loop: Loop, samples: int, clock: Clock, switches: Switches) -> Visit:
    for _ in range(LEAD_IN):
        loop.prepare()
        loop.run()
    return Visit(of, timing.watched(loop, Counts(samples=samples, seconds=0.0), clock, switches))


def alone(
    loop: Loop, counts: Counts, clock: Clock = time.perf_counter_ns, switches: Switches = timing.involuntary_switches
) -> Samples:
    """Samples of one loop by itself, taken again while fewer than FEWEST_SAMPLES count, ALONE_AGAIN times at most."""
    found = timing.watched(loop, counts, clock, switches)
    enough = min(FEWEST_SAMPLES, counts.samples)
    for _ in range(ALONE_AGAIN):
        if len(found.clean) >= enough:
            break
        found += timing.watched(loop, counts, clock, switches)
    return found


def take_all(counts: Counts, frames: int) -> Counts:
    """The same counts with as many samples as there are frames to be scored, if those are more."""
    return replace(counts, samples=max(counts.samples, frames))
