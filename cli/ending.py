"""How a command of this project ends: a user's mistake in one sentence, and only a fault of ours in a traceback."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from models.arguments import WRONG_USAGE as WRONG_USAGE

NOT_MEASURED, INTERRUPTED = 3, 130
"""What a command exits with, beside WRONG_USAGE, when it does not exit with 0. 1 and 2 are verdicts of the gate."""

ROOT = Path(__file__).resolve().parent.parent


def fail(words: str, code: int) -> NoReturn:
    """End the command with `code`, and say why."""
    import typer

    print(f"{Path(sys.argv[0]).name}: {words}", file=sys.stderr)
    raise typer.Exit(code)


def carry_out(app: Callable[[], object], name: str) -> None:
    """Run the command called `name`, and exit as it ended."""
    from typer import BadParameter

    # Typer would end wrong usage with 2, which is the gate's word for an inconclusive comparison.
    for kind in BadParameter.__mro__:
        if kind.__name__ == "UsageError":
            kind.exit_code = WRONG_USAGE  # type: ignore[attr-defined]
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupt_once)
    try:
        app()
    except ValueError as error:
        if not ours(error):
            raise
        words, code = str(error), getattr(error, "exit_code", WRONG_USAGE)
    except OSError as error:
        words, code = str(error), NOT_MEASURED
    print(f"{name}: {words}", file=sys.stderr)
    sys.exit(code)


def interrupt_once(number: int, frame: object) -> NoReturn:
    """Ctrl-C. Those that an impatient hand adds are not heeded: they would break off the tidying up in a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def ours(error: Exception) -> bool:
    """Whether this project raised it, as it does for a user's mistake; a library's ValueError is a bug."""
    frame = error.__traceback__
    assert frame is not None
    while frame.tb_next:
        frame = frame.tb_next
    raised = Path(frame.tb_frame.f_code.co_filename)
    return raised.is_relative_to(ROOT) and "site-packages" not in raised.parts
