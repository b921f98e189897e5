"""Which samples count, when a measurement is disturbed, and its ratio: numbers computed by hand."""

from __future__ import annotations

import math
from itertools import cycle

import pytest

from devices.contract import Counts
from devices.desktop.interleaved import (
    AGAIN,
    ORDERS,
    ROUNDS,
    Interleaved,
    Visit,
    alone,
    effect,
    measure,
    sizes,
)
from devices.desktop.timing import Samples, involuntary_switches, watched
from tests.devices.desktop.test_timing import MS, Clock, FakeLoop

OWN_MS, REFERENCE_MS = 4, 10


def visit(of: str, *ms: float, out: str = "") -> Visit:
    """`out` holds an x for each sample that was switched out."""
    return Visit(of, Samples(tuple(int(t * MS) for t in ms), tuple(c == "x" for c in out.ljust(len(ms)))))


def rounds(count: int, own: float = OWN_MS, out: str = "", taken: int = 0) -> tuple[Visit, ...]:
    """`count` rounds, the first `taken` of which have an own visit that was switched out."""
    made = []
    for number in range(count):
        bad = "xx" if number < taken else out
        made += [visit("R", 10, 10), visit("O", own, own, out=bad), visit("O", own, own, out=out), visit("R", 10, 10)]
    return tuple(made)


class Scheduler:
    """Counts an involuntary switch for each run that `pattern` says was switched out."""

    def __init__(self, clock: Clock, pattern: str) -> None:
        self.count = 0
        self.pattern = cycle(pattern)

    def loop(self, loop: FakeLoop) -> FakeLoop:
        run = loop.run

        def disturbed() -> None:
            run()
            self.count += next(self.pattern) == "x"

        loop.run = disturbed  # type: ignore[method-assign]
        return loop

    def __call__(self) -> int:
        return self.count


def test_a_visit_counts_when_most_of_its_samples_do() -> None:
    assert visit("O", 4, 4, 50, out="  x").level == pytest.approx(math.log(4 * MS))
    assert visit("O", 4, 50, out=" x").level is None


def test_a_round_is_the_ratio_of_geometric_means() -> None:
    """Reference 8 and 12.5 (mean of logs: 10), own 4 and 4: 2.5 times as fast."""
    found = effect([visit("R", 8), visit("O", 4), visit("O", 4), visit("R", 12.5)])
    assert found == pytest.approx(math.log(2.5))


def test_a_round_with_a_visit_that_was_switched_out_does_not_count() -> None:
    found = Interleaved(rounds(13, taken=3), takes=1)
    assert len(found.effects) == 10
    assert found.ratio is not None
    assert found.ratio.times == pytest.approx(2.5)
    assert found.switched_share == pytest.approx(6 / 104)
    assert not found.disturbed


@pytest.mark.parametrize(("taken", "disturbed"), [(4, False), (5, True)])
def test_with_fewer_than_ten_rounds_it_is_disturbed(taken: int, disturbed: bool) -> None:
    assert Interleaved(rounds(14, taken=taken), takes=3).disturbed is disturbed


@pytest.mark.parametrize(("times", "spread", "disturbed"), [(2.7, 0.039, False), (2.9, 0.077, True)])
def test_a_wide_ratio_is_disturbed(times: float, spread: float, disturbed: bool) -> None:
    """Half of the rounds 2.5 times as fast, half `times`: the estimate is their geometric mean, the ends are they."""
    found = Interleaved(rounds(5) + rounds(5, own=10 / times), 1)
    assert found.ratio is not None
    assert found.ratio.times == pytest.approx(math.sqrt(2.5 * times), rel=1e-3)
    assert found.ratio.spread == pytest.approx(spread, abs=0.001)
    assert found.disturbed is disturbed


def test_what_was_mostly_switched_out_is_disturbed_though_its_rounds_agree() -> None:
    lost = tuple(visit("O", 4, 4, out="xx") for _ in range(4 * 12))
    assert Interleaved(rounds(10) + lost, 1).disturbed


def test_where_switches_are_not_known_every_sample_counts() -> None:
    unknown = tuple(Visit(v.of, Samples(v.samples.ns, None)) for v in rounds(10, taken=5))
    found = Interleaved(unknown, 1)
    assert found.switched_share is None
    assert found.to_json()["reference_switched"] is None
    assert not found.disturbed


@pytest.mark.parametrize(
    ("ms", "counts", "expected"),
    [
        (4, Counts(samples=50, seconds=0.5), (10, 7)),  # 125 samples, 20 visits
        (25, Counts(samples=88, seconds=0.5), (22, 2)),  # 2.2 s: visits of 50 ms
        (100, Counts(samples=50, seconds=0.5), (48, 1)),  # 5 s: visits of one sample
        (4, Counts(samples=1024, seconds=60), (48, 157)),  # 15000 samples, 96 visits
    ],
)
def test_the_samples_of_all_visits_are_as_many_as_asked(ms: float, counts: Counts, expected: tuple[int, int]) -> None:
    found, each = sizes(ms / 1000, counts)
    assert (found, each) == expected
    assert 2 * found * each >= counts.samples
    assert 2 * found * each * ms / 1000 >= counts.seconds


COUNTS = Counts(samples=50, seconds=0.1)


def measured(pattern: str) -> Interleaved:
    clock = Clock()
    scheduler = Scheduler(clock, pattern)
    own, beside = (scheduler.loop(FakeLoop(clock, cycle([ms * MS]))) for ms in (OWN_MS, REFERENCE_MS))
    return measure(own, beside, OWN_MS / 1000, COUNTS, clock, scheduler)


def test_a_quiet_machine_is_measured_once() -> None:
    found = measured(" ")
    assert found.takes == 1
    assert "".join(v.of for v in found.visits) == "".join(ORDERS) * (ROUNDS // 2)
    assert found.ratio is not None
    assert found.ratio.times == pytest.approx(2.5)
    said = found.to_json()
    assert said["reference_fps"] == pytest.approx(100)
    assert len(said["reference_ns"]) == 2 * 2 * ROUNDS
    assert sum(said["samples"]) == len(said["reference_ns"]) + len(found.of("O").ns)


def test_each_round_has_its_turn_also_when_rounds_are_added() -> None:
    clock = Clock()
    scheduler = Scheduler(clock, "x")
    own, beside = (scheduler.loop(FakeLoop(clock, cycle([ms * MS]))) for ms in (OWN_MS, REFERENCE_MS))
    turns: list[int] = []
    found = measure(own, beside, OWN_MS / 1000, COUNTS, clock, scheduler, turns.append)
    assert turns == list(range(len(found.visits) // 4))
    assert len(turns) == 3 * ROUNDS


def test_a_disturbed_one_gets_more_rounds_until_it_has_thrice_as_many_and_claims_nothing() -> None:
    found = measured("x")
    assert found.takes == 1 + AGAIN
    assert len(found.visits) == 4 * 3 * ROUNDS
    assert found.disturbed
    assert found.to_json()["times_as_fast"] is None
    assert found.to_json()["switched_share"] == 1


def test_a_disturbed_one_gets_no_more_rounds_than_it_needs() -> None:
    """Five rounds of ten are switched out: six rounds more make eleven that count."""
    clock = Clock()
    scheduler = Scheduler(clock, " ")
    own, beside = (scheduler.loop(FakeLoop(clock, cycle([ms * MS]))) for ms in (OWN_MS, REFERENCE_MS))

    def turn(number: int) -> None:
        scheduler.pattern = cycle("x" if number < 4 or number == 9 else " ")

    found = measure(own, beside, OWN_MS / 1000, COUNTS, clock, scheduler, turn)
    assert (found.takes, len(found.visits), len(found.effects)) == (4, 4 * 16, 11)
    assert not found.disturbed


def test_the_pipeline_is_measured_again_while_too_few_samples_count() -> None:
    clock = Clock()
    scheduler = Scheduler(clock, "xxxx ")
    found = alone(scheduler.loop(FakeLoop(clock, cycle([MS]))), Counts(samples=50, seconds=0), clock, scheduler)
    assert (len(found.ns), len(found.clean)) == (100, 20)


def test_the_system_counts_what_it_switched_out() -> None:
    """Two processes bound to one processor are switched; the counter of this process moves on Linux."""
    if involuntary_switches() is None:
        pytest.skip("this system does not tell")
    import os
    import subprocess
    import sys

    allowed = os.sched_getaffinity(0)
    rival = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        one = {min(allowed)}
        os.sched_setaffinity(rival.pid, one)
        os.sched_setaffinity(0, one)

        class Work:
            def prepare(self) -> None: ...

            def run(self) -> None:
                sum(range(1_000_000))

        found = watched(Work(), Counts(samples=40, seconds=0.0))
    finally:
        os.sched_setaffinity(0, allowed)
        rival.kill()
        rival.wait()
    assert found.switched is not None
    assert sum(found.switched) > 0
