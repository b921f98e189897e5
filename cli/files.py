"""Models of the user's on the command line: `bench.py mine.onnx` beside `bench.py evaluate mine.onnx`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.core import TyperGroup

from models.files import read_toml, refuse_special

if TYPE_CHECKING:
    from converters.inspection.told import Told
    from evaluation.clip import Dataset
    from models.reference import ReferenceModel
    from models.variant import Resolution

SUFFIXES = (".onnx", ".tflite", ".xml", ".mlpackage", ".pt", ".pth", ".pt2", ".safetensors")
"""What is taken for a file's name rather than a command's; some of these are known to be refused in a sentence."""
OPTION = "--file"


class Files(TyperGroup):
    """A group whose arguments before a command's name may be files of models."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(self._marked(ctx, args)))

    def _marked(self, ctx: Any, args: Sequence[str]) -> Iterator[str]:
        """The arguments with OPTION in front of each file, up to a command's name."""
        taking = {
            name
            for parameter in self.get_params(ctx)
            if not getattr(parameter, "is_flag", False)
            for name in parameter.opts
        }
        rest = iter(args)
        for argument in rest:
            if argument in taking:
                yield argument
                yield from (value for _, value in zip(range(1), rest, strict=False))
            elif argument in self.commands or argument == "--":
                yield argument
                yield from rest
            elif not argument.startswith("-") and Path(argument).suffix in SUFFIXES:
                yield OPTION
                yield argument
            else:
                yield argument


@dataclass(frozen=True)
class Described:
    """The models that are measured, and a sentence for each that is not."""

    models: tuple[ReferenceModel, ...]
    problems: tuple[str, ...]


def describe_all(
    files: Sequence[Path], listed: Path | None, told: Told, resolution: Resolution | None, dataset: Dataset | None
) -> Described:
    """Descriptions of `files` and of the models that the TOML `listed` names, one table each.

    What is assumed about them is said on stderr.
    """
    from devices.open_model import inspected
    from models.variant import VARIANTS

    found: list[ReferenceModel] = []
    problems = []
    for name, path, stated in [*((None, path, {}) for path in files), *_listed(listed)]:
        try:
            refuse_special(path)
            if not path.exists():
                raise ValueError(f"{path}: there is no such file")
            answers = told.over(stated)
            one = inspected(path, answers, resolution, dataset, partial(print, file=sys.stderr))
        except ValueError as problem:
            problems.append(str(problem))
            continue
        taken = {(other.name, other.format) for other in found}
        if name or (one.name, one.format) in taken:
            one = replace(one, name=name or str(path))
        if one.name in VARIANTS:
            problems.append(f"{path}: {one.name} is the name of a variant; give it another")
            continue
        found.append(one)
    return Described(tuple(found), tuple(problems))


def _listed(listed: Path | None) -> list[tuple[str, Path, dict[str, Any]]]:
    """(name, file, other fields) of each table. ValueError, one sentence, for a file that is no such list."""
    if listed is None:
        return []
    models = []
    for name, table in read_toml(listed).items():
        if not isinstance(table, dict) or not isinstance(table.get("file"), str):
            raise ValueError(f"{listed}: [{name}] has no file, the path of its model")
        stated = {key: value for key, value in table.items() if key != "file"}
        models.append((name, listed.parent / table["file"], stated))
    return models
