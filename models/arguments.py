"""`argparse` with this project's exit code for wrong usage; of the standard library alone."""

from __future__ import annotations

import argparse
import sys
from typing import NoReturn

WRONG_USAGE = 64
"""EX_USAGE of BSD: 1 and 2 are verdicts of the gate."""


class ArgumentParser(argparse.ArgumentParser):
    """One whose user's mistakes end with WRONG_USAGE."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(WRONG_USAGE, f"{self.prog}: error: {message}\n")
