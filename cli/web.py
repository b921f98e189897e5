"""`bench.py web`: the bench as a static page for any web server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.ending import NOT_MEASURED, WRONG_USAGE, fail
from cli.inputs import read_people, trained
from cli.options import (
    CheckpointsOption,
    DataOption,
    parse_formats,
    parse_precisions,
    parse_references,
    parse_variants,
    parsed,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from devices.web.export.networks import Network
    from evaluation.clip import Dataset
    from models.reference import ReferenceModel

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="The bench as a static page for any web server.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


@app.callback()
def web() -> None:
    """The bench as a static page: any phone measures in its browser, with nothing installed."""


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New, empty, or an earlier export, which is replaced.")],
    variants: Annotated[
        Any, parsed(parse_variants, "GLOB", "Names or globs, separated by commas.", "live, live-fast, s16-skip-plain")
    ] = None,
    formats: Annotated[Any, parsed(parse_formats, "F,F", "Of tflite, onnx.", "tflite")] = ("tflite",),
    precisions: Annotated[Any, parsed(parse_precisions, "P,P", "Of fp32, fp16, int8.", "fp32")] = ("fp32",),
    references: Annotated[
        Any,
        parsed(
            parse_references,
            "GLOB",
            "The reference model that every network is compared with; none is none.",
            "mediapipe-selfie",
        ),
    ] = None,
    models: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="A .tflite model of yours with its description FILE.toml, or a TOML file that lists several;"
            " give it again for another.",
        ),
    ] = None,
    data: DataOption = None,
    checkpoints: CheckpointsOption = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer samples, for a look.")] = False,
) -> None:
    """Write a static page that measures the networks on the phone that opens it.

    Any web server can serve the folder, which has at most 25 MB. The page makes no request to another host and sends
    no data: the user saves a file of rows, and `bench.py import` reads it.
    """
    from devices.contract import QUICK, Counts
    from devices.web.export.folder import Rounds, check_free, write
    from devices.web.export.networks import FORMATS, REFERENCE, VARIANTS
    from devices.web.export.sample import excerpt
    from devices.web.packages import NoPackages
    from reports.gitinfo import revision_here

    chosen = parse_references(REFERENCE) if references is None else references
    if len(chosen) > 1:
        fail(f"a page has one reference model, not {len(chosen)}.", WRONG_USAGE)
    taken = tuple(format for format in FORMATS if format in formats)
    if strange := [format for format in formats if format not in FORMATS]:
        fail(f"a browser runs {' and '.join(FORMATS)}, not {strange[0]}.", WRONG_USAGE)
    check_free(folder)
    footage = read_people(data)
    sample = excerpt(footage)
    yours = _described(models or [], footage if data else None)
    networks = _make(variants or ",".join(VARIANTS), taken, precisions, chosen, yours, checkpoints, sample)
    counts, rounds = (QUICK, Rounds(rounds=20)) if quick else (Counts(), Rounds())
    try:
        made = write(folder, networks, sample, counts, rounds, revision_here() or "")
    except NoPackages as reason:
        fail(f"{reason}.", NOT_MEASURED)
    print(f"{made.folder}: {made.files} files, {made.bytes / 1e6:.1f} MB")
    print(f"To look at it: python -m http.server --directory {made.folder}, then http://localhost:8000/")


def _described(files: Sequence[Path], footage: Dataset | None) -> tuple[ReferenceModel, ...]:
    """Models of the user's. A page has all that were asked for or is not written."""
    from cli.files import describe_all
    from converters.inspection.told import Told

    lists = [path for path in files if path.suffix == ".toml"]
    alone = [path for path in files if path.suffix != ".toml"]
    found = [describe_all(alone, None, Told(), None, footage)]
    found += [describe_all([], path, Told(), None, footage) for path in lists]
    if problems := [problem for one in found for problem in one.problems]:
        fail(".\n".join(problems) + ".", WRONG_USAGE)
    return tuple(model for one in found for model in one.models)


def _make(
    variants: str,
    formats: Any,
    precisions: Any,
    references: Any,
    yours: Sequence[ReferenceModel],
    checkpoints: Path | None,
    sample: Any,
) -> list[Network]:
    from devices.plan import Options
    from devices.web.export import networks
    from reports.live import Live

    options = Options(device="web", variants=variants, formats=formats, precisions=precisions)
    asked = networks.tasks(options, references, trained(checkpoints), yours)
    with Live() as live:
        live.stage("convert", sum(not task.reference for task in asked))
        return networks.make(asked, sample, live.convert)
