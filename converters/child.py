"""A process of this project that works for another: lines on its stdin and stdout, and what it says on stderr kept."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def last_line(text: str) -> str:
    """The last words of a program, 300 characters at most."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


class Child:
    """It runs in the project's folder, in a process group of its own.

    So Ctrl-C reaches it through us alone, and its own children end with it. `threads` bounds those of its numerical
    libraries; None leaves them as they are.
    """

    def __init__(self, command: Sequence[str], threads: int | None = None) -> None:
        self.stderr = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - as long as the process
        bound = {} if threads is None else {"OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"} | bound,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            text=True,
            errors="replace",
            start_new_session=True,
        )
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
        for stream in (self.stdin, self.stdout, self.stderr):
            with suppress(BrokenPipeError):
                stream.close()
