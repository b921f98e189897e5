"""What the commands print on stdout."""

from __future__ import annotations

from typing import Any


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
    from rich.console import Console

    Console(highlight=False).print(what)
