"""The run: what is planned, then converted, measured, kept and shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cli.ending import INTERRUPTED, NOT_MEASURED, fail
from cli.printing import print_json, print_rich

if TYPE_CHECKING:
    from converters.artifact import Artifact, Failure
    from devices.plan import Plan, Weights
    from devices.select import Attached
    from frames.clip import Footage
    from reports.live import Live


def with_live(plan: Plan, weights: Mapping[str, Weights]) -> Plan:
    """The plan and one cell more, `live` in TFLite: nobody who names no network is to see the ablation alone."""
    from devices.plan import make

    if "live" not in weights or "tflite" not in plan.options.formats:
        return plan
    alone = replace(plan.options, variants="live", formats=("tflite",), peers=())
    return replace(plan, tasks=plan.tasks + make(alone, weights).tasks)


def measure(
    parts: list[tuple[Plan, Attached]], footage: Footage, frames: int | None, out: Path, seed: int | None, as_json: bool
) -> None:
    """Convert, measure what has not been measured yet, append a row a cell, and make the page."""
    from converters.build import build
    from converters.peer import bring
    from devices import run
    from devices.excerpt import excerpt
    from devices.plan import shuffled
    from reports import page, rows, table
    from reports.live import Live, line
    from reports.pareto import overlooked
    from reports.record import Session, identity, record

    ledger, report = out / "rows.jsonl", out / "report.html"
    with Live() as live:
        try:
            known, damaged = rows.read(ledger) if ledger.exists() else ([], [])
            for words in damaged:
                live.say(words)
            session = Session.taken_up(known, seed)
            finished = set(map(identity, rows.latest(known)))
            specs = list(dict.fromkeys(spec for plan, _ in parts for spec in plan.specs))
            live.stage("convert", len(specs))
            made = build(specs, live.convert)
            tasks = [task for plan, _ in parts for task in plan.tasks]
            made |= {task.spec: bring(task.cell.peer, task.spec) for task in tasks if task.cell.peer and task.spec}
            shares = []
            for plan, target in parts:
                few = frames or target.frames
                taken = [task.cell for task in plan.tasks]
                data = run.prepare(excerpt(footage, few) if few else footage, taken)
                todo = shuffled(run.left(plan, made, data, finished), session.seed)
                shares.append(run.Share(plan, todo, target.runner, data, target.emulated, target.here))
            _count([made[task.spec] for share in shares for task in share.tasks if task.spec], live)
            live.stage("measure", sum(len(share.tasks) for share in shares))
            cells = {task.cell.name for plan, _ in parts for task in plan.tasks}
            for share, event in run.everywhere(shares, made):
                if isinstance(event, run.Started):
                    live.step(event.task.cell.name)
                elif isinstance(event, run.Further):
                    live.more(f"{event.name} takes part.", event.cells)
                else:
                    row = record(event, share.plan.options.counts, share.data, session)
                    rows.append(ledger, row)
                    cells.add(row.cell)
                    live.done(line(row))
        except KeyboardInterrupt:
            live.say(f"Interrupted. What was measured is in {ledger}; the same command goes on from there.")
            raise typer.Exit(INTERRUPTED) from None

    everything, _ = rows.read(ledger)
    page.write(everything, report)
    mine = [row for row in rows.latest(everything) if row.cell in cells]
    if as_json:
        print_json({"rows": str(ledger), "page": str(report), "cells": table.figures(mine)})
    else:
        print_rich(table.summary(mine))
        if words := overlooked(row.variant for row in mine):
            print(words)
        print(f"The page: {report}")
    if not any(share.tasks for share in shares):
        live.say("All of this was measured before; give another --out to measure it once more.")
    if not any(row.status == "ok" for row in mine):
        fail("no cell could be measured; each row says why.", NOT_MEASURED)


def _count(made: Iterable[Artifact | Failure], live: Live) -> None:
    """Count the ARM instructions of the TFLite artifacts that are to be measured, before a clock runs on this machine.

    `reports.record` finds the counts where they are kept. What cannot be counted is said, and costs no cell.
    """
    from converters.artifact import Artifact
    from devices import instructions

    names: dict[instructions.Model, str]
    names = {a.path: a.spec.name for a in made if isinstance(a, Artifact) and a.spec.format == "tflite"}
    if names and (reason := instructions.available()):
        live.say(reason)
        return
    absent = [(p, core) for p in names for core in instructions.CORES if instructions.cached(p, core) is None]
    if not absent:
        return
    live.stage("count", len(absent))
    reasons: set[str] = set()
    for path, core, found in instructions.count_all(absent):
        fresh = isinstance(found, instructions.CannotCount) and str(found) not in reasons
        reasons |= {str(found)} if fresh else set()
        live.done(f"{names[path]}: ARM instructions on {core} were not counted: {found}." if fresh else "")


def show(plans: list[Plan], as_json: bool) -> None:
    """Print what `plans` would do."""
    from devices.plan import seconds

    specs = list(dict.fromkeys(spec for plan in plans for spec in plan.specs))
    tasks = [task for plan in plans for task in plan.tasks]
    converting = max(seconds(plan)[0] for plan in plans)
    measuring = sum(seconds(plan)[1] for plan in plans)
    absent = sorted({task.cell.variant for task in tasks if not task.possible})
    elsewhere = sorted({plan.options.device for plan in plans} - {"desktop"})
    if as_json:
        print_json(
            {
                "convert": [spec.name for spec in specs],
                "measure": [task.cell.name for task in tasks],
                "without_checkpoint": absent,
                "seconds": {"converting": round(converting), "measuring": round(measuring), "of": "desktop"},
            }
        )
        return
    for task in tasks:
        print(task.cell.name)
    print(
        f"{len(specs)} artifacts to convert, about {converting / 60:.1f} min when none is in the cache; "
        f"{len(tasks)} cells to measure, about {measuring / 60:.1f} min when none is in the rows."
    )
    if elsewhere:
        print(f"The minutes are a desktop's; how long {', '.join(elsewhere)} takes is not known beforehand.")
    if absent:
        print(f"No checkpoint yet, so their cells fail: {', '.join(absent)}.")
