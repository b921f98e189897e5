"""What the commands print on stdout."""

from __future__ import annotations

from typing import Any

PIPED = 200
"""Columns of what is not read on a terminal."""


def print_json(value: Any) -> None:
    import json

    print(json.dumps(value, indent=1))


def print_table(head: list[str], lines: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(*head, box=SIMPLE_HEAD)
    for line in lines:
        table.add_row(*line)
    print_rich(table)


def print_rich(what: Any) -> None:
    """Print as wide as the terminal is; into a file or a pipe without folding lines at 80 columns."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PIPED
    console.print(what)
