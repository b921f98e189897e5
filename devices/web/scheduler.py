"""The scheduler of the web runner: every phone that joins measures all configurations, in the same order.

It uses neither network nor disk; the clock is an argument. All methods are called in one thread, `told` may be read in
another.
"""

from __future__ import annotations

import queue
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from devices.contract import MeasurementFailed, Result
from devices.fleet import DeviceJoined, JobEnded, JobStarted
from devices.web import phone

MOST_PHONES = 16
ATTEMPTS = 2
SILENCE_SECONDS = 60.0
"""A page that is there says so every two seconds; one in the background every minute at the worst."""


class Refused(Exception):
    """A page asked for what it cannot have; the text says why."""


@dataclass
class ClientSession:
    """A phone that has joined."""

    id: str
    name: str
    facts: Mapping[str, Any]
    at: int = 0
    """The configuration that it measures or is to measure next."""
    tries: int = 0
    """How often that configuration was handed out."""
    since: float = 0.0
    """When it was handed out last."""
    seen: float = 0.0
    gone: bool = False
    dismissed: bool = False
    """It was told that there is nothing more."""


@dataclass
class Scheduler:
    """`limits` are seconds, one a configuration, after which a page that still says it is there is stuck."""

    limits: Sequence[float]
    clock: Callable[[], float] = time.monotonic
    clients: dict[str, ClientSession] = field(default_factory=dict)
    told: queue.SimpleQueue[DeviceJoined | JobStarted | JobEnded] = field(default_factory=queue.SimpleQueue)

    def join(self, facts: Mapping[str, Any], before: str | None = None) -> ClientSession:
        """A phone's session; `before` is the id of the session that a reloaded page continues.

        Refused when there are too many phones already, and when all that took part have ended: the run is over then.
        """
        if before in self.clients and not self.clients[before].gone:
            client = self.clients[before]
            client.seen = self.clock()
            return client
        if self.over:
            raise Refused("this run is over; give the command again for this phone")
        if sum(not self._has_ended(client) for client in self.clients.values()) >= MOST_PHONES:
            raise Refused(f"{MOST_PHONES} phones take part already")
        alike = sum(client.name.partition(" #")[0] == phone.name(facts) for client in self.clients.values())
        name = phone.name(facts) + (f" #{alike + 1}" if alike else "")
        client = ClientSession(secrets.token_urlsafe(9), name, facts, seen=self.clock())
        self.clients[client.id] = client
        self.told.put(DeviceJoined(name))
        return client

    def client(self, id: str) -> ClientSession:
        """The session of this id, marked as alive. Refused when there is none, or it has ended."""
        if id not in self.clients or self.clients[id].gone:
            raise Refused("this phone takes no part, or was silent for too long: load the page again")
        self.clients[id].seen = self.clock()
        return self.clients[id]

    def next(self, client: ClientSession) -> int | None:
        """The configuration that the phone is to measure now; None when it has measured all."""
        if client.at < len(self.limits) and client.tries >= ATTEMPTS:
            self.end(client, client.at, MeasurementFailed(f"the page ended in the middle of it, {ATTEMPTS} times"))
        if client.at == len(self.limits):
            client.dismissed = True
            return None
        client.tries += 1
        client.since = self.clock()
        self.told.put(JobStarted(client.name, client.at))
        return client.at

    def is_measuring(self, client: ClientSession, index: int) -> bool:
        """Whether the phone is measuring this configuration, as far as the scheduler knows."""
        return client.at == index and client.tries > 0

    def elapsed(self, client: ClientSession) -> float:
        """Seconds since the phone was given the configuration that it measures."""
        return self.clock() - client.since

    def end(self, client: ClientSession, index: int, outcome: Result | MeasurementFailed) -> None:
        """Record a configuration's end and move on to the next. Refused when the phone was not measuring it."""
        if not self.is_measuring(client, index):
            raise Refused(f"this phone is not measuring configuration {index}")
        self.told.put(JobEnded(client.name, index, outcome))
        client.at, client.tries = client.at + 1, 0

    def tick(self) -> None:
        """End configurations that exceed their time limit, and sessions of phones that are silent."""
        now = self.clock()
        for client in self.clients.values():
            if client.gone or client.at == len(self.limits):
                continue
            if now - client.seen > SILENCE_SECONDS:
                client.gone = True
                words = f"the page was silent for {SILENCE_SECONDS:.0f} s: closed, in the background, or out of reach"
                for index in range(client.at, len(self.limits)):
                    self.told.put(JobEnded(client.name, index, MeasurementFailed(words)))
            elif client.tries and now - client.since > self.limits[client.at]:
                words = f"the page was still busy after {self.limits[client.at]:.0f} s, the time limit"
                self.end(client, client.at, MeasurementFailed(words))

    @property
    def over(self) -> bool:
        """Every phone that joined has measured everything or was given up, and there is one."""
        return bool(self.clients) and all(map(self._has_ended, self.clients.values()))

    @property
    def all_know(self) -> bool:
        """Whether every phone that is there was told that this was all."""
        return all(client.gone or client.dismissed for client in self.clients.values())

    def _has_ended(self, client: ClientSession) -> bool:
        """Whether a phone was given up or has measured everything, so that its place is free."""
        return client.gone or client.at == len(self.limits)
