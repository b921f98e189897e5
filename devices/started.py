"""The processes that a piece of work starts, so that it can end them and no others."""

from __future__ import annotations

from contextlib import suppress

import psutil

from devices.facts import attempt


class StartedProcesses:
    """The child processes of this one that start after this object is made, each with its own children.

    Threads wait for them: killing them ends the threads, so that Ctrl-C ends at once. Whatever else the caller of this
    package runs, a browser or a server, goes on.
    """

    def __init__(self) -> None:
        self._before = set(_children())

    def kill(self) -> None:
        for process in set(_children()) - self._before:
            family = attempt(lambda process=process: process.children(recursive=True)) or []  # type: ignore[misc]
            for one in (process, *family):
                with suppress(psutil.NoSuchProcess):
                    one.kill()


def _children() -> list[psutil.Process]:
    return attempt(lambda: psutil.Process().children()) or []
