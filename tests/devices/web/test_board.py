"""Who measures what, without a network: phones that come, go, are reloaded, fall silent, get stuck."""

from __future__ import annotations

import queue

import pytest

from devices.contract import CellFailed, Result
from devices.fleet import Began, Ended, Joined
from devices.web.board import ATTEMPTS, MOST_PHONES, SILENCE_SECONDS, Board, Refused

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
def board(clock: Clock) -> Board:
    return Board(limits=[100.0, 100.0], clock=clock)


def told(board: Board) -> list:
    events = []
    while True:
        try:
            events.append(board.told.get_nowait())
        except queue.Empty:
            return events


def test_a_phone_goes_through_all_cells_in_order(board: Board) -> None:
    seat = board.join(FACTS)
    for index in (0, 1):
        assert board.next(seat) == index
        assert not board.over
        board.end(seat, index, RESULT)
    assert board.over
    known = [board.all_know, board.next(seat), board.all_know]
    assert known == [False, None, True]
    name = "iPhone Safari 15.6"
    assert told(board) == [
        Joined(name),
        *(Began(name, 0), Ended(name, 0, RESULT)),
        *(Began(name, 1), Ended(name, 1, RESULT)),
    ]


def test_each_phone_measures_everything_under_a_name_of_its_own(board: Board) -> None:
    seats = [board.join(FACTS), board.join(FACTS)]
    assert [seat.name for seat in seats] == ["iPhone Safari 15.6", "iPhone Safari 15.6 #2"]
    assert [board.next(seat) for seat in seats] == [0, 0]
    board.end(seats[0], 0, RESULT)
    assert board.expects(seats[1], 0)
    assert not board.expects(seats[0], 0)


def test_without_a_phone_nothing_is_over(board: Board) -> None:
    assert not board.over


def test_a_page_that_is_loaded_again_gets_the_same_cell_again_and_not_for_ever(board: Board) -> None:
    seat = board.join(FACTS)
    for attempt in range(ATTEMPTS):
        assert board.next(seat) == 0
        assert seat.tries == attempt + 1
        assert board.join(FACTS, before=seat.id) is seat
    assert board.next(seat) == 1
    failed = next(event for event in told(board) if isinstance(event, Ended))
    assert "ended in the middle" in str(failed.outcome)


def test_a_phone_that_falls_silent_costs_its_cells_and_no_other_phone(board: Board, clock: Clock) -> None:
    silent, loud = board.join(FACTS), board.join(FACTS)
    board.next(silent)
    clock.now = SILENCE_SECONDS + 1
    board.seat(loud.id)
    board.tick()
    assert silent.gone
    lost = [event for event in told(board) if isinstance(event, Ended)]
    assert [(event.name, event.index) for event in lost] == [(silent.name, 0), (silent.name, 1)]
    assert all("silent" in str(event.outcome) for event in lost)
    with pytest.raises(Refused, match="load the page again"):
        board.seat(silent.id)
    while (index := board.next(loud)) is not None:
        assert not board.all_know, "one of two knows, and the other measures"
        board.end(loud, index, RESULT)
    assert board.all_know, "a phone that is gone hears nothing"
    assert board.join(FACTS, before=silent.id) is not silent
    assert not board.over


def test_a_cell_that_takes_too_long_is_given_up_and_the_next_one_begins(board: Board, clock: Clock) -> None:
    seat = board.join(FACTS)
    board.next(seat)
    for clock.now in (50.0, 90.0, 101.0):  # type: ignore[misc]
        board.seat(seat.id)
        board.tick()
    assert not board.expects(seat, 0)
    assert board.next(seat) == 1
    ended = next(event for event in told(board) if isinstance(event, Ended))
    assert isinstance(ended.outcome, CellFailed)
    assert "time limit" in str(ended.outcome)


def test_an_answer_to_another_cell_is_refused(board: Board) -> None:
    seat = board.join(FACTS)
    with pytest.raises(Refused):
        board.end(seat, 0, RESULT)
    board.next(seat)
    with pytest.raises(Refused):
        board.end(seat, 1, RESULT)


def test_a_flood_of_phones_is_turned_away(board: Board) -> None:
    for _ in range(MOST_PHONES):
        board.join(FACTS)
    with pytest.raises(Refused, match="take part already"):
        board.join(FACTS)
