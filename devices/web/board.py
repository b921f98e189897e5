"""Who measures what: every phone that joins goes through all cells by itself, in the same order.

Nothing here touches a network or a disk; the clock is an argument. Calls come from one thread, `told` may be read in
another.
"""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devices.contract import CellFailed, Result
from devices.fleet import Began, Ended, Joined
from devices.web import phone

MOST_PHONES = 16
ATTEMPTS = 2
SILENCE_SECONDS = 60.0
"""A page that is there says so every two seconds; one in the background every minute at the worst."""


class Refused(Exception):
    """A page asked for what it cannot have; the text says why."""


@dataclass
class Seat:
    """A phone that takes part."""

    id: str
    name: str
    facts: Mapping[str, Any]
    at: int = 0
    """The cell that it measures or is to measure next."""
    tries: int = 0
    """How often that cell was handed out."""
    since: float = 0.0
    """When it was handed out last."""
    seen: float = 0.0
    gone: bool = False
    dismissed: bool = False
    """It was told that there is nothing more."""


@dataclass
class Board:
    """`limits` are seconds, one a cell, after which a page that still says it is there is stuck."""

    limits: Sequence[float]
    clock: Callable[[], float] = time.monotonic
    seats: dict[str, Seat] = field(default_factory=dict)
    told: queue.SimpleQueue[Joined | Began | Ended] = field(default_factory=queue.SimpleQueue)

    def join(self, facts: Mapping[str, Any], before: str | None = None) -> Seat:
        """A seat for a phone; `before` is the seat of a page that was loaded again, which goes on where it was."""
        if before in self.seats and not self.seats[before].gone:
            seat = self.seats[before]
            seat.seen = self.clock()
            return seat
        if len(self.seats) >= MOST_PHONES:
            raise Refused(f"{MOST_PHONES} phones take part already")
        alike = sum(seat.name.partition(" #")[0] == phone.name(facts) for seat in self.seats.values())
        name = phone.name(facts) + (f" #{alike + 1}" if alike else "")
        seat = Seat(secrets.token_urlsafe(9), name, facts, seen=self.clock())
        self.seats[seat.id] = seat
        self.told.put(Joined(name))
        return seat

    def seat(self, id: str) -> Seat:
        """The phone of this seat, noted as alive. Refused when there is none, or it has been given up."""
        if id not in self.seats or self.seats[id].gone:
            raise Refused("this phone takes no part, or was silent for too long: load the page again")
        self.seats[id].seen = self.clock()
        return self.seats[id]

    def next(self, seat: Seat) -> int | None:
        """The cell that the phone is to measure now; None when it has measured all."""
        if seat.at < len(self.limits) and seat.tries >= ATTEMPTS:
            self.end(seat, seat.at, CellFailed(f"the page ended in the middle of it, {ATTEMPTS} times"))
        if seat.at == len(self.limits):
            seat.dismissed = True
            return None
        seat.tries += 1
        seat.since = self.clock()
        self.told.put(Began(seat.name, seat.at))
        return seat.at

    def expects(self, seat: Seat, index: int) -> bool:
        """Whether the phone is measuring this cell, as far as the board knows."""
        return seat.at == index and seat.tries > 0

    def end(self, seat: Seat, index: int, outcome: Result | CellFailed) -> None:
        """Note a cell's end and move on to the next. Refused when the phone was not measuring it."""
        if not self.expects(seat, index):
            raise Refused(f"this phone is not measuring cell {index}")
        self.told.put(Ended(seat.name, index, outcome))
        seat.at, seat.tries = seat.at + 1, 0

    def tick(self) -> None:
        """Give up cells that take too long, and phones that say nothing any more."""
        now = self.clock()
        for seat in self.seats.values():
            if seat.gone or seat.at == len(self.limits):
                continue
            if now - seat.seen > SILENCE_SECONDS:
                seat.gone = True
                words = f"the page was silent for {SILENCE_SECONDS:.0f} s: closed, in the background, or out of reach"
                for index in range(seat.at, len(self.limits)):
                    self.told.put(Ended(seat.name, index, CellFailed(words)))
            elif seat.tries and now - seat.since > self.limits[seat.at]:
                words = f"the page was still busy after {self.limits[seat.at]:.0f} s, its time limit for this cell"
                self.end(seat, seat.at, CellFailed(words))

    @property
    def over(self) -> bool:
        """Every phone that joined has measured everything or was given up, and there is one."""
        return bool(self.seats) and all(seat.gone or seat.at == len(self.limits) for seat in self.seats.values())

    @property
    def all_know(self) -> bool:
        """Whether every phone that is there was told that this was all."""
        return all(seat.gone or seat.dismissed for seat in self.seats.values())
