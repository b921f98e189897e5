"""A pipeline of threads: each stage is an iterator, and `ahead` lets it run before its reader asks."""

from __future__ import annotations

import queue
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any, TypeVar

T = TypeVar("T")

DEPTH = 3
"""Items between two stages: enough to even out their times, few enough that memory stays flat."""


def ahead(items: Iterable[T], depth: int = DEPTH) -> Generator[T, None, None]:
    """The same items in the same order, made in a thread of their own, at most `depth` of them waiting.

    What the thread raises is raised here, after the items before it. Closing the iterator ends the thread.
    """
    waiting: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(depth)
    stopped = threading.Event()

    def hand_over(item: tuple[T] | BaseException | None) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                waiting.put(item, timeout=0.1)
                return

    def make() -> None:
        try:
            for item in items:
                hand_over((item,))
                if stopped.is_set():
                    break
            hand_over(None)
        except BaseException as error:  # To be raised where it can be dealt with.
            hand_over(error)
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=make, daemon=True)
    thread.start()
    try:
        while (got := waiting.get()) is not None:
            if isinstance(got, BaseException):
                raise got
            yield got[0]
    finally:
        stopped.set()
        thread.join()


@contextmanager
def pipeline(
    items: Iterable[Any], *stages: Callable[[Iterator[Any]], Generator[Any, None, None]]
) -> Iterator[Iterator[Any]]:
    """The items through the stages, each in a thread of its own; when the block ends, however it does, so have they.

    A stage that raises leaves those under it running: its traceback holds them. So each is closed, the last one first.
    """
    with ExitStack() as threads:
        made = threads.enter_context(closing(ahead(items)))
        for stage in stages:
            made = threads.enter_context(closing(ahead(stage(made))))
        yield made


class Stopwatch:
    """Wall-clock seconds spent in each named stage, and how often; sums alone, so that memory stays flat."""

    def __init__(self) -> None:
        self.started = time.perf_counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.times: defaultdict[str, int] = defaultdict(int)

    @property
    def elapsed(self) -> float:
        """Seconds since it was made."""
        return time.perf_counter() - self.started

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start
        self.times[stage] += 1

    def timed(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """The items, the making of each counted as the stage's."""
        made = iter(items)
        while True:
            start = time.perf_counter()
            item = next(made, None)
            if item is None:
                return
            self.seconds[stage] += time.perf_counter() - start
            self.times[stage] += 1
            yield item
