"""What the options of the commands mean: their texts parsed, with one sentence for a wrong one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

if TYPE_CHECKING:
    from models.reference import ReferenceModel
    from models.variant import Resolution

T = TypeVar("T")


def option(parse: Callable[[str], T]) -> Callable[[str | T], T]:
    """A parser of one option's text, whose ValueError is told as wrong usage of that option."""

    def parser(text: str | T) -> T:
        if not isinstance(text, str):
            return text
        try:
            return parse(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    return parser


def finite(value: float | None) -> float | None:
    """A number as given; infinity and NaN pass every bound of an option, and mean nothing."""
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is no number to wait or to weigh by")
    return value


def here(threads: int) -> int:
    """As many threads as given, where this machine has the processors."""
    from models.bounds import check_threads

    try:
        check_threads(threads)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return threads


def parsed(parse: Callable[[str], Any], metavar: str, words: str, default: str | bool = True) -> Any:
    """An option whose text `parse` reads; `default` is what help shows of its default."""
    return typer.Option(parser=option(parse), metavar=metavar, help=words, show_default=default)


def parse_resolution(text: str) -> Resolution:
    from models import variant

    return variant.parse_resolution(text)


def parse_variants(text: str) -> str:
    from models.variant import match

    if text != "none":
        match(text)
    return text


def parse_references(text: str) -> tuple[ReferenceModel, ...]:
    from models.reference import match

    return match(text)


def parse_variant(text: str) -> str:
    from models.variant import get

    get(text)
    return text


def parse_format(text: str) -> str:
    from converters.artifact import FORMATS

    return _one(text, FORMATS)


def parse_runtime(text: str) -> str:
    from converters.artifact import FORMATS
    from devices.plan import BASELINE

    return _one(text, (BASELINE, *FORMATS))


def parse_precision(text: str) -> str:
    from converters.artifact import PRECISIONS

    return _one(text, PRECISIONS)


def parse_formats(text: str) -> tuple[str, ...]:
    from devices.plan import CELL_FORMATS

    return _listed(text, CELL_FORMATS)


def parse_precisions(text: str) -> tuple[str, ...]:
    from converters.artifact import PRECISIONS

    return _listed(text, PRECISIONS)


def parse_share(text: str) -> float:
    from gate.config import share

    return share(text)


def parse_shard(text: str) -> tuple[int, int]:
    index, _, shards = text.partition("/")
    if not (index.isdecimal() and shards.isdecimal() and 1 <= int(index) <= int(shards)):
        raise ValueError(f"{text!r} is no share: write it I/N, with I from 1 to N")
    return int(index), int(shards)


def parse_cluster(text: str) -> str:
    if text != "auto" and not re.fullmatch(r"[^\s:/]+:\d+", text):
        raise ValueError(f"{text!r} is no address of a cluster: auto, or HOST:PORT of its head")
    return text


def parse_unit(text: str) -> str:
    from devices.contract import UNITS

    return _one(text, UNITS)


NO_LABELS = "none"


def parse_labels(text: str) -> dict[str, int] | str:
    """A map from classes to our labels, in the text or in a JSON or TOML file that it names; or NO_LABELS."""
    from evaluation import truth
    from models.files import read_json, read_toml

    path = Path(text)
    if text == NO_LABELS:
        return text
    if path.suffix not in (".json", ".toml"):
        return truth.parse(text)
    names = read_json(path) if path.suffix == ".json" else read_toml(path)
    if not isinstance(names, dict):
        raise ValueError(f'{path}: is no table of classes and labels, such as {{"shirt": "clothes"}}')
    try:
        return truth.mapped(names)
    except truth.UnknownLabel as error:
        raise ValueError(f"{path}: {error}") from None


def _one(text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        raise ValueError(f"{text!r} is none of {', '.join(known)}")
    return text


def _listed(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    asked = [_one(name.strip(), known) for name in text.split(",")]
    return tuple(name for name in known if name in asked)


ResolutionOption = Annotated[
    Any,
    typer.Option(
        "--resolution",
        parser=option(parse_resolution),
        metavar="HxW",
        help="Input of the network, multiples of 32 (16 for live).",
        show_default="each network's own",
    ),
]
DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Pictures with masks: DIR/images and DIR/masks, or one such folder a clip.",
        show_default="an embedded sample",
    ),
]
CheckpointsOption = Annotated[
    Path | None,
    typer.Option(
        "--checkpoints",
        exists=True,
        file_okay=False,
        metavar="DIR",
        help="Your own VARIANT.safetensors, as train.py writes them.",
        show_default="those shipped",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, nothing else there.")]


SHARED = ("resolution", "data", "checkpoints", "as_json")
"""Parameters that mean the same before a command's name and behind it."""


def misplaced(ctx: typer.Context) -> str | None:
    """What is wrong with an option before a command's name that the command would not heed; None when nothing is."""
    name = ctx.invoked_subcommand
    command = ctx.command.get_command(ctx, name)  # type: ignore[attr-defined]
    taken = {parameter.name for parameter in command.params}
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE" or parameter.name in taken.intersection(SHARED):
            continue
        written = parameter.opts[0]
        return f"{written} belongs behind {name}." if parameter.name in taken else f"{name} takes no {written}."
    return None


def or_before(ctx: typer.Context, name: str, value: Any) -> Any:
    """An option's value, or the one given before the command's name."""
    before = ctx.parent
    while before and not value:
        value, before = before.params.get(name), before.parent
    return value
