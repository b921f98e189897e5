"""Who measures what, without a network: phones that come, go, are reloaded, fall silent, get stuck."""

from __future__ import annotations

import queue

import pytest

from devices.contract import MeasurementFailed, Result
from devices.fleet import DeviceJoined, JobEnded, JobStarted
from devices.web.scheduler import ATTEMPTS, MOST_PHONES, SILENCE_SECONDS, Refused, Scheduler

FACTS = {"user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 15_8 like Mac OS X) Version/15.6 Mobile Safari/604.1"}
RESULT = Result(masks=None, evidence="measured")  # type: ignore[arg-type]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def scheduler(clock: Clock) -> Scheduler:
    return Scheduler(limits=[100.0, 100.0], clock=clock)


def told(scheduler: Scheduler) -> list:
    events = []
    while True:
        try:
            events.append(scheduler.told.get_nowait())
        except queue.Empty:
            return events


def test_a_phone_goes_through_all_configurations_in_order(scheduler: Scheduler) -> None:
    client = scheduler.join(FACTS)
    for index in (0, 1):
        assert scheduler.next(client) == index
        assert not scheduler.over
        scheduler.end(client, index, RESULT)
    assert scheduler.over
    known = [scheduler.all_know, scheduler.next(client), scheduler.all_know]
    assert known == [False, None, True]
    name = "iPhone Safari 15.6"
    assert told(scheduler) == [
        DeviceJoined(name),
        *(JobStarted(name, 0), JobEnded(name, 0, RESULT)),
        *(JobStarted(name, 1), JobEnded(name, 1, RESULT)),
    ]


def test_each_phone_measures_everything_under_a_name_of_its_own(scheduler: Scheduler) -> None:
    clients = [scheduler.join(FACTS), scheduler.join(FACTS)]
    assert [client.name for client in clients] == ["iPhone Safari 15.6", "iPhone Safari 15.6 #2"]
    assert [scheduler.next(client) for client in clients] == [0, 0]
    scheduler.end(clients[0], 0, RESULT)
    assert scheduler.is_measuring(clients[1], 0)
    assert not scheduler.is_measuring(clients[0], 0)


def test_without_a_phone_nothing_is_over(scheduler: Scheduler) -> None:
    assert not scheduler.over


def test_a_page_that_is_loaded_again_gets_the_same_configuration_again_and_not_for_ever(scheduler: Scheduler) -> None:
    client = scheduler.join(FACTS)
    for attempt in range(ATTEMPTS):
        assert scheduler.next(client) == 0
        assert client.tries == attempt + 1
        assert scheduler.join(FACTS, before=client.id) is client
    assert scheduler.next(client) == 1
    failed = next(event for event in told(scheduler) if isinstance(event, JobEnded))
    assert "ended in the middle" in str(failed.outcome)


def test_a_phone_that_falls_silent_costs_its_configurations_and_no_other_phone(
    scheduler: Scheduler, clock: Clock
) -> None:
    silent, loud = scheduler.join(FACTS), scheduler.join(FACTS)
    scheduler.next(silent)
    clock.now = SILENCE_SECONDS + 1
    scheduler.client(loud.id)
    scheduler.tick()
    assert silent.gone
    lost = [event for event in told(scheduler) if isinstance(event, JobEnded)]
    assert [(event.name, event.index) for event in lost] == [(silent.name, 0), (silent.name, 1)]
    assert all("silent" in str(event.outcome) for event in lost)
    with pytest.raises(Refused, match="load the page again"):
        scheduler.client(silent.id)
    again = scheduler.join(FACTS, before=silent.id)
    assert again is not silent
    again.gone = True
    while (index := scheduler.next(loud)) is not None:
        assert not scheduler.all_know, "one of two knows, and the other measures"
        scheduler.end(loud, index, RESULT)
    assert scheduler.all_know, "a phone that is gone hears nothing"
    assert scheduler.over


def test_a_phone_that_comes_late_is_told_so(scheduler: Scheduler) -> None:
    client = scheduler.join(FACTS)
    while (index := scheduler.next(client)) is not None:
        scheduler.end(client, index, RESULT)
    with pytest.raises(Refused, match="this run is over"):
        scheduler.join(FACTS)
    assert scheduler.join(FACTS, before=client.id) is client, "its own page, loaded again, hears that this was all"
    assert scheduler.over


def test_phones_that_were_given_up_free_their_places(scheduler: Scheduler, clock: Clock) -> None:
    silent = [scheduler.join(FACTS) for _ in range(MOST_PHONES - 1)]
    loud = scheduler.join(FACTS)
    with pytest.raises(Refused, match="take part already"):
        scheduler.join(FACTS)
    clock.now = SILENCE_SECONDS + 1
    scheduler.client(loud.id)
    scheduler.tick()
    assert all(client.gone for client in silent)
    for _ in silent:
        scheduler.join(FACTS)
    with pytest.raises(Refused, match="take part already"):
        scheduler.join(FACTS)


def test_what_a_phone_takes_is_counted_from_when_it_was_told_to_begin(scheduler: Scheduler, clock: Clock) -> None:
    client = scheduler.join(FACTS)
    clock.now = 5.0
    scheduler.next(client)
    clock.now = 12.5
    assert scheduler.elapsed(client) == 7.5


def test_a_configuration_that_takes_too_long_is_given_up_and_the_next_one_begins(
    scheduler: Scheduler, clock: Clock
) -> None:
    client = scheduler.join(FACTS)
    scheduler.next(client)
    for clock.now in (50.0, 90.0, 101.0):  # type: ignore[misc]
        scheduler.client(client.id)
        scheduler.tick()
    assert not scheduler.is_measuring(client, 0)
    assert scheduler.next(client) == 1
    ended = next(event for event in told(scheduler) if isinstance(event, JobEnded))
    assert isinstance(ended.outcome, MeasurementFailed)
    assert "time limit" in str(ended.outcome)


def test_an_answer_to_another_configuration_is_refused(scheduler: Scheduler) -> None:
    client = scheduler.join(FACTS)
    with pytest.raises(Refused):
        scheduler.end(client, 0, RESULT)
    scheduler.next(client)
    with pytest.raises(Refused):
        scheduler.end(client, 1, RESULT)


def test_a_flood_of_phones_is_turned_away(scheduler: Scheduler) -> None:
    for _ in range(MOST_PHONES):
        scheduler.join(FACTS)
    with pytest.raises(Refused, match="take part already"):
        scheduler.join(FACTS)
