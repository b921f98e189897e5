"""A process of this project that works for another: lines on its stdin and stdout, and what it says on stderr kept."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARENT = "SEGMENTATION_BENCH_PARENT"
"""The number of a pipe's end in a child: nothing is ever written into it, and it closes when the parent ends."""


def end_with_parent() -> None:
    """In a child of `Child`: kill this process and its own children when the parent has gone, were it by SIGKILL.

    The system's signal for a dead parent would not do: on Linux that is of the parent's thread, and other systems have
    none.
    """
    if (given := os.environ.pop(PARENT, None)) is None:
        return
    pipe = int(given)

    def watch() -> None:
        with suppress(OSError):
            os.read(pipe, 1)
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent", daemon=True).start()
    if sys.platform == "linux":
        # A converter's native code may keep the thread from running for minutes; SIGIO ends it from outside.
        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETOWN, -os.getpgrp())
            fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)


def last_line(text: str) -> str:
    """The last words of a program, 300 characters at most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


class Child:
    """It runs in the project's folder, in a process group of its own.

    So Ctrl-C reaches it through us alone, and its own children end with it; where its program calls `end_with_parent`
    it does not outlive us. `threads` bounds those of its numerical
    libraries; None leaves them as they are.
    """

    def __init__(self, command: Sequence[str], threads: int | None = None) -> None:
        self.stderr = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - as long as the process
        bound = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        self._ours: int | None
        theirs, self._ours = os.pipe()
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1", PARENT: str(theirs)} | bound,
            pass_fds=[theirs],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        os.close(theirs)
        assert self.process.stdin
        assert self.process.stdout
        self.stdin, self.stdout = self.process.stdin, self.process.stdout

    def tell(self, line: str) -> None:
        """Write one line to it; nothing happens where it has ended."""
        with suppress(BrokenPipeError):
            self.stdin.write(f"{line}\n")
            self.stdin.flush()

    def lines(self) -> Iterator[str]:
        """What it says until it ends, without the lines' ends. This sleeps: polling would disturb what is timed."""
        for line in self.stdout:
            yield line.rstrip("\n")

    def how_it_ended(self, chatty: bool = False) -> str:
        """In words, once it is silent. What a `chatty` one said last does not explain the signal that it died of."""
        code = self.process.wait()
        self.stderr.seek(0)
        said = self.stderr.read()
        ended = f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        if code < 0 and chatty:
            return ended
        return f"{ended} after saying: {last_line(said)}" if said.strip() else f"{ended} without a word"

    def kill(self) -> None:
        """Kill it and its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self) -> None:
        """Kill what is left of it, and collect it."""
        self.kill()
        self.process.wait()
        if self._ours is not None:
            os.close(self._ours)
            self._ours = None
        for stream in (self.stdin, self.stdout, self.stderr):
            with suppress(BrokenPipeError):
                stream.close()
