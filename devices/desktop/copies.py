"""Copies of one network in a process: its speed depends on where its memory lies, which differs from copy to copy.

Each copy is opened anew and stays open, so each has memory of its own. Rounds take the copies in turn, so the interval
of a ratio contains what changes from copy to copy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from converters.session import Session
from devices.desktop.model_loop import ModelLoop

MOST = 10
"""As many as a take has rounds at least, so that each round of it has a copy of its own."""
OPENING_SECONDS = 1.0
"""About how long opening the copies of one network may take: OpenVINO takes up to half a second for one."""
BYTES = 1 << 26
"""Of the model files of all copies: their memory grows with it."""
WARM = 2
"""Runs of a copy that are discarded: they lay out its memory. One more is discarded each time before it is timed."""


def most(open_seconds: float, size: int) -> int:
    """How many copies there may be of a model file of `size` bytes that took so long to open; that one is the first."""
    return 1 if open_seconds > OPENING_SECONDS else max(1, min(MOST, BYTES // max(size, 1)))


def opened(
    loop: ModelLoop, open_one: Callable[[], Session], number: int, clock: Callable[[], float] = time.perf_counter
) -> list[Session]:
    """The session of `loop` and copies of it, `number` in all or as many as OPENING_SECONDS allow, each run WARM times.

    `open_one` opens the model where the session cannot copy itself. `loop` begins again at its first frame, with the
    session that it had.
    """
    first = loop.session
    sessions = [first]
    start = before = clock()
    while len(sessions) < number:
        sessions.append(first.copy() or open_one())
        now = clock()
        if now + (now - before) > start + OPENING_SECONDS:
            break
        before = now
    for session in sessions:
        loop.session = session
        for _ in range(WARM):
            loop.prepare()
            loop.run()
    loop.session = first
    loop.rewind()
    return sessions


def turn(*loops: tuple[ModelLoop, Sequence[Session]]) -> Callable[[int], None]:
    """For `interleaved.measure`: gives each loop the next of its sessions, by the number of the round."""

    def give(number: int) -> None:
        for loop, sessions in loops:
            loop.session = sessions[number % len(sessions)]

    return give
