"""`bench.py merge`: the shares of `--shard` as one run."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from cli.ending import NOT_MEASURED, WRONG_USAGE, fail
from cli.printing import print_rich


def merge_rows(
    folders: Annotated[
        list[Path], typer.Argument(exists=True, file_okay=False, metavar="DIR...", help="The --out of each --shard.")
    ],
    out: Annotated[Path, typer.Option(file_okay=False, metavar="DIR", help="Where the rows and the page go.")] = Path(
        "results"
    ),
) -> None:
    """Join the rows of runs of `--shard` and make one page of them.

    Refused, and nothing is written, when a configuration is in two folders, or when checkpoints, data set or number of
    samples differ.
    """
    from models.files import check_outputs, same
    from models.scratch import Held, hold
    from reports import page, rows, table, whole
    from reports.merge import merge

    places = list(dict.fromkeys(folder.resolve() for folder in folders))
    if len(places) < len(folders):
        fail("a folder is named twice.", WRONG_USAGE)
    if any(same(out, folder) for folder in folders):
        fail(f"{out} is one of the folders to merge; give another --out.", WRONG_USAGE)
    ledger = out / "rows.jsonl"
    check_outputs([ledger, out / "report.html"])
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as held:
        try:
            for folder in (out, *(f for f in folders if (f / "run.lock").exists())):
                held.enter_context(hold(folder / "run.lock"))
        except Held:
            fail(f"a run writes into {folder} now; wait for its end.", NOT_MEASURED)
        found = {}
        for folder in folders:
            if not (folder / "rows.jsonl").is_file():
                fail(f"{folder}: no rows there; a run writes them.", WRONG_USAGE)
            found[folder], damaged = rows.read(folder / "rows.jsonl")
            for words in damaged:
                print(f"{folder}: {words}", file=sys.stderr)
        merged = merge(found)
        text = "".join(rows.to_json(row) + "\n" for row in merged.rows)
        # Given again, the command says the same; rows of something else are never written over.
        if ledger.exists() and ledger.read_bytes() != text.encode():
            fail(f"{ledger} has other rows; give another --out.", WRONG_USAGE)
        page.write(merged.rows, out / "report.html")
        whole.write(ledger, text)
    for words in merged.words:
        print(words, file=sys.stderr)
    print_rich(table.summary(rows.latest(merged.rows)))
    print(f"{len(merged.rows)} rows of {len(folders)} folders. The page: {out / 'report.html'}")
