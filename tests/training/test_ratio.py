"""Times of two networks in pairs."""

from __future__ import annotations

import itertools

import pytest

from training import ratio


class Machine:
    """Two loops that take 2 and 5 ms on a machine that slows down by a microsecond with every inference."""

    def __init__(self) -> None:
        self.now, self.slower, self.visits = 0, 0, ""

    def spend(self, ms: float, name: str) -> None:
        self.slower += 1_000
        self.now += int(ms * 1e6) + self.slower
        self.visits += name


def test_a_drift_cancels_in_the_ratio():
    machine = Machine()
    found = ratio.measure(
        lambda: machine.spend(2, "c"), lambda: machine.spend(5, "r"), pairs=20, clock=lambda: machine.now
    )
    # 2 ms and 5 ms, both with the same growing part on top: a ratio of mere halves, first then second, drifts away.
    added = machine.slower / 2e6
    assert found.median == pytest.approx((2 + added) / (5 + added), rel=0.01)
    assert found.low <= found.median <= found.high
    assert found.pairs == 20
    visit = ratio.LEAD_IN + ratio.BURST
    visits = machine.visits[2 * ratio.WARM_UP :]
    order = [visits[i : i + visit] for i in range(0, 8 * visit, visit)]
    assert [set(one) for one in order] == [{name} for name in "crrcrccr"]


def test_an_interruption_inside_a_visit_is_left_out():
    times = itertools.cycle([2e6, 2e6, 9e6, 2e6, 2e6])
    now = 0

    def candidate():
        nonlocal now
        now += int(next(times))

    def reference():
        nonlocal now
        now += 4_000_000

    assert ratio.measure(candidate, reference, 4, lambda: now).median == pytest.approx(0.5)
