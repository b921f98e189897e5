"""`argparse` with this project's exit code for wrong usage; of the standard library alone."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

WRONG_USAGE = 64
"""EX_USAGE of BSD: 1 and 2 are verdicts of the gate."""


class ArgumentParser(argparse.ArgumentParser):
    """One whose user's mistakes end with WRONG_USAGE."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(WRONG_USAGE, f"{self.prog}: error: {message}\n")


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """The type of an option that takes a whole number in [least, most]; others are told both."""

    def read(text: str) -> int:
        try:
            if least <= (number := int(text)) <= most:
                return number
        except ValueError:
            pass
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {least} to {most}")

    return read
