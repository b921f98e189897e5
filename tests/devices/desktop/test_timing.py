"""Warm-up and sampling, on a clock that only moves when told to."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from itertools import count, repeat

import pytest

from devices.contract import Counts
from devices.desktop.timing import Convergence, sample, warm_up

MS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 5

    def __call__(self) -> int:
        return self.now


class FakeLoop:
    """Each `run` takes the next of `durations`, each `prepare` takes `prepare_ns`."""

    def __init__(self, clock: Clock, durations: Iterator[int], prepare_ns: int = 0) -> None:
        self.clock, self.durations, self.prepare_ns = clock, durations, prepare_ns
        self.calls: list[str] = []
        self.collected: list[bool] = []

    def prepare(self) -> None:
        self.clock.now += self.prepare_ns
        self.calls.append("prepare")

    def run(self) -> None:
        self.clock.now += next(self.durations)
        self.collected.append(gc.isenabled())
        self.calls.append("run")


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_steady_loop_converges_after_more_than_forty_similar_iterations(clock: Clock) -> None:
    ended = warm_up(FakeLoop(clock, repeat(MS)), Counts(warm_up_least=30), clock)
    assert ended.converged
    assert ended.iterations == 41
    assert ended.seconds == pytest.approx(0.041)


def test_the_least_number_of_iterations_is_kept(clock: Clock) -> None:
    ended = warm_up(FakeLoop(clock, repeat(MS)), Counts(warm_up_least=200), clock)
    assert ended.iterations == 200


def test_a_loop_that_settles_late_is_waited_for(clock: Clock) -> None:
    # Ten iterations three times as slow pull the slow average up for hundreds of iterations.
    durations = iter([3 * MS] * 10 + [MS] * 100_000)
    ended = warm_up(FakeLoop(clock, durations), Counts(warm_up_seconds=60), clock)
    assert ended.converged
    assert ended.iterations > 300


def test_a_loop_that_never_settles_stops_at_its_bound_and_says_so(clock: Clock) -> None:
    growing = (MS + i * MS // 10 for i in count())
    ended = warm_up(FakeLoop(clock, growing), Counts(warm_up_seconds=8), clock)
    assert not ended.converged
    assert 8 <= ended.seconds < 8.2


def test_a_network_of_a_second_a_frame_is_not_warmed_up_for_half_a_minute(clock: Clock) -> None:
    ended = warm_up(FakeLoop(clock, repeat(1000 * MS)), Counts(warm_up_least=30, warm_up_seconds=8), clock)
    assert (ended.iterations, ended.converged) == (8, False)


def test_similar_iterations_must_be_in_a_row() -> None:
    state = Convergence()
    for _ in range(40):
        state.add(MS)
    state.add(10 * MS)
    assert state.similar == 0
    assert not state.reached


def test_samples_are_the_runs_alone_as_the_clock_told_them(clock: Clock) -> None:
    loop = FakeLoop(clock, count(7), prepare_ns=1_000_000)
    taken = sample(loop, Counts(samples=5, seconds=0), clock)
    assert taken == (7, 8, 9, 10, 11)
    assert loop.calls == ["prepare", "run"] * 5


@pytest.mark.parametrize(
    ("counts", "expected"), [(Counts(samples=100, seconds=0.01), 100), (Counts(samples=10, seconds=0.05), 50)]
)
def test_it_samples_until_both_the_count_and_the_seconds_are_reached(
    clock: Clock, counts: Counts, expected: int
) -> None:
    assert len(sample(FakeLoop(clock, repeat(MS)), counts, clock)) == expected


def test_no_sample_is_lost_when_there_are_more_than_were_made_room_for(clock: Clock) -> None:
    taken = sample(FakeLoop(clock, count(1)), Counts(samples=1, seconds=0.01), clock)
    assert len(taken) > 4000
    assert taken == tuple(range(1, len(taken) + 1))


def test_python_collects_no_garbage_while_it_samples(clock: Clock) -> None:
    loop = FakeLoop(clock, repeat(MS))
    sample(loop, Counts(samples=3, seconds=0), clock)
    assert loop.collected == [False] * 3
    assert gc.isenabled()
