"""The run as the command shows it: its rows kept, its page made, its plan printed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.ending import INTERRUPTED, NOT_MEASURED, fail
from cli.printing import print_json, print_rich

if TYPE_CHECKING:
    from devices.plan import Plan
    from devices.select import Attached
    from evaluation.clip import Dataset
    from reports.live import Live
    from reports.record import Run
    from reports.rows import Row


Source = Callable[["list[tuple[Plan, Attached]]", "Run", "Sequence[Row]", "Live"], "Iterator[Row]"]
"""Measures plans on devices for a run that has rows already, and yields new rows as they come."""


def measure(parts: list[tuple[Plan, Attached]], source: Source, out: Path, seed: int | None, as_json: bool) -> None:
    """Measure what has not been measured yet, append a row per configuration, and make the page.

    One run at a time has the folder `out`: two would measure each other.
    """
    from models.scratch import Held, hold

    out.mkdir(parents=True, exist_ok=True)
    try:
        with hold(out / "run.lock"):
            _measure(parts, source, out, seed, as_json)
    except Held:
        fail(f"another run writes into {out}; wait for its end, or give another --out.", NOT_MEASURED)


def here(footage: Dataset, frames: int | None) -> Source:
    """Measuring on the devices of this host; `frames` bounds how many are judged."""
    from devices import session
    from reports import rows
    from reports.record import identity, record

    def source(parts: list[tuple[Plan, Attached]], run: Run, known: Sequence[Row], live: Live) -> Iterator[Row]:
        finished = set(map(identity, rows.latest(known)))
        for share, outcome in session.measure(parts, footage, run.seed, finished, live, frames):
            yield record(outcome, share.plan.options.counts, share.data, run)

    return source


def _measure(parts: list[tuple[Plan, Attached]], source: Source, out: Path, seed: int | None, as_json: bool) -> None:
    from reports import page, rows, table
    from reports.live import Live, line
    from reports.pareto import overlooked
    from reports.record import Run

    ledger, report = out / "rows.jsonl", out / "report.html"
    cells = {task.config.name for plan, _ in parts for task in plan.tasks}
    fresh = 0
    unkept = []
    with Live() as live:
        try:
            known, damaged = rows.read(ledger) if ledger.exists() else ([], [])
            for words in damaged:
                live.say(words)
            this_run = Run.taken_up(known, seed)
            for row in source(parts, this_run, known, live):
                try:
                    rows.append(ledger, row)
                except OSError as error:
                    live.say(f"{row.cell}: its row could not be kept, and is on this page alone: {error}")
                    unkept.append(row)
                cells.add(row.cell)
                fresh += 1
                live.done(line(row))
        except KeyboardInterrupt:
            live.say(f"Interrupted. What was measured is in {ledger}; the same command goes on from there.")
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            live.say(f"The run ends here, and the page is made of what was measured: {error}")
            unmeasured = True
        else:
            unmeasured = False

    everything = [*(rows.read(ledger)[0] if ledger.exists() else []), *unkept]
    page.write(everything, report)
    mine = [row for row in rows.latest(everything) if row.cell in cells]
    if as_json:
        print_json({"rows": str(ledger), "page": str(report), "cells": table.figures(mine)})
    else:
        print_rich(table.summary(mine))
        if words := overlooked(row.variant for row in mine):
            print(words)
        print(f"The page: {report}")
    if not fresh and not unmeasured:
        live.say("All of this was measured before; give another --out to measure it once more.")
    if not any(row.status == "ok" for row in mine):
        fail("no configuration could be measured; each row says why.", NOT_MEASURED)
    if unkept or unmeasured:
        raise typer.Exit(NOT_MEASURED)


def show(plans: Sequence[Plan], as_json: bool) -> None:
    """Print what `plans` would do."""
    from devices import instructions
    from devices.plan import COUNT_SECONDS, counted, seconds

    specs = list(dict.fromkeys(spec for plan in plans for spec in plan.specs))
    tasks = [task for plan in plans for task in plan.tasks]
    converting = max(seconds(plan)[0] for plan in plans)
    counts = 0 if instructions.available() else max(map(counted, plans))
    measuring = sum(seconds(plan)[1] for plan in plans)
    absent = sorted({task.config.variant for task in tasks if not task.possible})
    elsewhere = sorted({plan.options.device for plan in plans} - {"desktop"})
    if as_json:
        print_json(
            {
                "convert": [spec.name for spec in specs],
                "measure": [task.config.name for task in tasks],
                "without_checkpoint": absent,
                "seconds": {
                    "converting": round(converting),
                    "counting": round(counts * COUNT_SECONDS),
                    "measuring": round(measuring),
                    "of": "desktop",
                },
            }
        )
        return
    for task in tasks:
        print(task.config.name)
    print(
        f"{len(specs)} artifacts to convert, about {converting / 60:.1f} min when none is in the cache; "
        f"{counts} counts of ARM instructions, about {counts * COUNT_SECONDS / 60:.1f} min when none is kept; "
        f"{len(tasks)} configurations to measure, about {measuring / 60:.1f} min when none is in the rows."
    )
    if elsewhere:
        print(f"The minutes are a desktop's; how long {', '.join(elsewhere)} takes is not known beforehand.")
    if absent:
        print(f"No checkpoint yet, so their configurations fail: {', '.join(absent)}.")
