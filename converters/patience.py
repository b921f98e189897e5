"""A limit on the first use of somebody's model: one that never ends would hold its process for ever."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 120.0
"""Of loading a model or of its first inference. Of the models known here none takes two."""
NOT_MEASURED = 3


@contextmanager
def patience(model: Path) -> Iterator[None]:
    """End this process in a sentence when what is done within takes too long.

    Native code hears neither an exception nor Ctrl-C: nothing but the end of its process stops it.
    """

    def give_up() -> None:
        name = Path(sys.argv[0]).name
        print(f"{name}: {model}: did not answer within {SECONDS:g} s and is given up.", file=sys.stderr, flush=True)
        os._exit(NOT_MEASURED)

    timer = threading.Timer(SECONDS, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
