"""A time limit on what blocks, without polling: the sleeper is woken by what the alarm does to its partner."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def alarm(seconds: float, act: Callable[[], object]) -> Iterator[None]:
    """Call `act` in another thread unless what is done within ends before `seconds`."""
    timer = threading.Timer(seconds, act)
    # Where Ctrl-C comes before it can be cancelled, it must not keep this process alive until it is up.
    timer.daemon = True
    try:
        timer.start()
        yield
    finally:
        timer.cancel()
