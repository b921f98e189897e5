"""`bench.py import`: files of rows that were saved by an exported page."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.ending import NOT_MEASURED, fail
from cli.inputs import read_people, trained
from cli.options import CheckpointsOption, DataOption
from cli.printing import print_rich

if TYPE_CHECKING:
    from devices.plan import Task
    from reports.contributed import Key, Known

SHOWN = 80
"""Characters of a file's name, which may be the text of a code."""


def import_rows(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="What `Save rows` of the page has given, a picture of its QR code, or that code's text.",
        ),
    ],
    page: Annotated[
        Path | None,
        typer.Option(
            "--export",
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="The exported page that measured: its manifest tells models and pictures.",
            show_default="what this checkout makes",
        ),
    ] = None,
    data: DataOption = None,
    checkpoints: CheckpointsOption = None,
    out: Annotated[Path, typer.Option(file_okay=False, metavar="DIR", help="Where the rows and the page go.")] = Path(
        "results"
    ),
) -> None:
    """Add rows that others measured with an exported page, as contributed.

    Their models and pictures must be those known here, the masks' figures those that the models give, the times
    possible. What is refused is said, and the rest is added. Contributed figures never share a column with measured
    ones.
    """
    from reports import contributed, rows, short_row, table
    from reports import page as pages

    taken, problems = {}, []
    short = set()
    for path in files:
        name = str(path) if len(str(path)) < SHOWN else f"{str(path)[:SHOWN]}…"
        try:
            if code := short_row.code_of(path):
                short.add(name)
            taken[name] = short_row.read(code) if code else contributed.read(path)
        except (contributed.NotBelieved, OSError) as reason:
            problems.append(f"{name}: {reason}")
    ledger = out / "rows.jsonl"
    added = []
    if taken:
        known = from_manifest(page) if page else _from_checkout(_keys(taken.values()), data, checkpoints)
        before, damaged = rows.read(ledger) if ledger.exists() else ([], [])
        problems += damaged
        there = {(row.run, row.cell) for row in before}
        for name, values in taken.items():
            try:
                whole = short_row.completed(values, known) if name in short else values
                found, refused = contributed.rows(whole, known, datetime.now(UTC))
            except contributed.NotBelieved as reason:
                found, refused = [], [str(reason)]
            problems += [f"{name}: {words}" for words in refused]
            fresh = [row for row in found if (row.run, row.cell) not in there]
            if len(fresh) < len(found):
                print(f"{name}: {len(found) - len(fresh)} of its rows are there already", file=sys.stderr)
            for row in fresh:
                rows.append(ledger, row)
            there |= {(row.run, row.cell) for row in fresh}
            added += fresh
    if ledger.exists():
        everything, _ = rows.read(ledger)
        pages.write(everything, out / "report.html")
        if added:
            print_rich(table.summary(added))
        print(f"{len(added)} rows added. The page: {out / 'report.html'}")
    if problems:
        fail(".\n".join(problems) + ".", NOT_MEASURED)


def _keys(files: Iterable[Mapping[str, Any]]) -> list[Key]:
    """The networks that files name, each once; what names none is refused later."""
    from models.reference import read
    from reports.contributed import NotBelieved, key_of

    found, references = [], read()
    for values in files:
        for told in values["configurations"]:
            try:
                found.append(key_of(told.get("network")))
                # A row of a QR code comes without that of the reference model that it was compared with.
                reference = references[told["rounds"]["reference"]["variant"]]
                found.append((reference.name, reference.format, reference.precision, reference.resolution))
            except (NotBelieved, AttributeError, KeyError, TypeError):
                continue
    return list(dict.fromkeys(found))


def _references() -> dict[str, dict[str, Any]]:
    from models.reference import read

    return {name: reference.to_dict() | {"peer": True} for name, reference in read().items()}


def from_manifest(folder: Path) -> Known:
    from devices.web.export.folder import read
    from reports.contributed import Known, key_of

    manifest = read(folder)
    networks = {key_of(network): network for network in manifest["networks"]}
    return Known(networks, manifest["sample"]["name"], manifest["sample"]["description"], _references())


def _from_checkout(asked: Sequence[Key], data: Path | None, checkpoints: Path | None) -> Known:
    """Convert what is asked for and is ours, and run it here on the pictures."""
    from devices.web.export import networks
    from devices.web.export.sample import excerpt
    from reports.contributed import Known, key_of
    from reports.live import Live

    sample = excerpt(read_people(data))
    tasks = _tasks(asked, checkpoints)
    with Live() as live:
        live.stage("convert", sum(not task.reference for task in tasks))
        made = networks.make(tasks, sample, live.convert) if tasks else []
    known = {key_of(told): told for told in (network.to_dict() for network in made)}
    return Known(known, sample.name, sample.description, _references())


def _tasks(asked: Sequence[Key], checkpoints: Path | None) -> list[Task]:
    from converters.artifact import PRECISIONS
    from devices.contract import Config
    from devices.plan import Task, spec_of
    from devices.web.export.networks import FORMATS, described_task
    from models.reference import read
    from models.variant import VARIANTS

    weights, references = trained(checkpoints), read()
    tasks = []
    for asked_for in asked:
        variant, format, precision, resolution = asked_for
        reference = references.get(variant)
        if reference and (reference.format, reference.precision, reference.resolution) == (
            format,
            precision,
            resolution,
        ):
            tasks.append(described_task(reference))
        possible = variant in weights and format in FORMATS and precision in PRECISIONS
        if possible and resolution == VARIANTS[variant].resolution and (format, precision) != ("tflite", "int8"):
            config = Config(variant, format, precision, resolution, "web")  # type: ignore[arg-type]
            tasks.append(Task(config, weights[variant], spec=spec_of(config, weights[variant])))
    return tasks
