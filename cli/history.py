"""`bench.py history`: the figures of many runs over time."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.ending import WRONG_USAGE, fail
from cli.options import JsonOption, or_before
from cli.printing import print_json, print_table

STORE = Path("results/history.parquet")
GLOB = "Only those whose name matches."


def history(
    ctx: typer.Context,
    add: Annotated[
        list[Path] | None,
        typer.Argument(exists=True, metavar="[DIR|JSON]...", help="Runs, gates and pytest-benchmark JSON to keep."),
    ] = None,
    store: Annotated[
        Path,
        typer.Option(
            dir_okay=False, metavar="FILE", help="The Parquet file. A .sqlite file of the same name is imported once."
        ),
    ] = STORE,
    out: Annotated[Path, typer.Option(dir_okay=False, metavar="PAGE", help="The page of trends to write.")] = Path(
        "results/history.html"
    ),
    revision: Annotated[
        str | None, typer.Option(metavar="SHA", help="What the runs were of.", show_default="what each row says")
    ] = None,
    series: Annotated[str, typer.Option(metavar="GLOB", help=f"Of configurations and benchmarks. {GLOB}")] = "*",
    metric: Annotated[str, typer.Option(metavar="GLOB", help=f"Such as 'model ms'. {GLOB}")] = "*",
    machine: Annotated[str, typer.Option(metavar="GLOB", help=f"Of processors. {GLOB}")] = "*",
    since: Annotated[str, typer.Option(metavar="TIME", help="From then on: 2026-01-31, or with a time.")] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help="Before then.")] = "",
    summary: Annotated[
        bool, typer.Option("--summary", help="Print median and extremes of each series, and make no page.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Keep the figures of runs, draw them over time, and tell where their level changed. Advisory, unlike the gate."""
    from models.files import check_outputs
    from reports import history as past
    from reports import store as figures
    from reports.row_check import moment

    as_json = or_before(ctx, "as_json", as_json)
    asked, store = store, figures.place(store)
    check_outputs([store, out], [*(add or []), *(path / "rows.jsonl" for path in add or [])])
    for path in add or []:
        found, damaged = past.gather(path, revision)
        for words in damaged:
            print(f"{path}: {words}", file=sys.stderr)
        fresh = figures.add(store, found)
        # With --json standard output is JSON alone.
        print(f"{path}: {fresh} figures are new", file=sys.stderr if as_json else sys.stdout)
    if asked != store:
        print(f"The store is {store} now; what {asked} held is taken up into it.", file=sys.stderr)
    for name, given in (("--since", since), ("--until", until)):
        if given and not moment(given):
            fail(f"{name}: {given!r} is no time, such as 2026-01-31 or 2026-01-31T12:00.", WRONG_USAGE)
    selection = figures.Selection(series, metric, machine, since, until)
    if summary or as_json:
        listed = figures.summarize(store, selection)
        if as_json:
            print_json([asdict(one) for one in listed])
            return
        print_table(
            ["machine", "series", "metric", "figures", "median", "low", "high", "first", "last"],
            [
                [s.machine, s.series, s.metric, str(s.count)]
                + [f"{value:.4g}" for value in (s.median, s.low, s.high)]
                + [s.first[:16], s.last[:16]]
                for s in listed
            ],
        )
        return
    for sentence in past.page(figures.load(store, selection), out):
        print(sentence)
    print(out)
