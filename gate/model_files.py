"""Where the files of a `ModelCase` come from, and copies of them, each with its description, for one gate."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from converters import cache
from converters.registry import format_of
from devices.contract import Config
from gate import described
from gate.artifacts import RECORD, MissingArtifact, content
from gate.config import ModelCase
from gate.run import Comparison
from models.description import beside
from models.files import read_json, refuse_special
from reports import gitinfo

if TYPE_CHECKING:
    from evaluation.clip import Dataset
    from gate.baseline import Baseline

Place = Callable[[str], Path]
"""A path as gate.toml writes it -> where that file is. ValueError, one sentence, where it is not to be had."""
Taken = Mapping[str, Path | MissingArtifact]
"""Of each path that gate.toml writes the copy of its file, or why there is none."""
Side = described.File | MissingArtifact
SAVED = "models"
"""In a saved folder: where the model files are."""


def take(names: Iterable[str], place: Place, into: Path) -> Taken:
    """Copy the file of each name into a folder of its own in `into`; what is wrong with one costs that one."""
    taken: dict[str, Path | MissingArtifact] = {}
    for number, name in enumerate(dict.fromkeys(names)):
        try:
            source = place(name)
            taken[name] = _copied(source, into / str(number) / source.name)
        except (ValueError, OSError) as error:
            taken[name] = MissingArtifact(str(error).removesuffix("."))
    return taken


def _copied(source: Path, out: Path) -> Path:
    refuse_special(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    cache.copy(source, out)
    if beside(source).is_file():
        shutil.copyfile(beside(source), beside(out))
    return out


def on_disk(folder: Path) -> Place:
    """The files that a gate.toml in `folder` names."""

    def place(name: str) -> Path:
        path = folder / name
        if not path.exists():
            raise ValueError(f"there is no {path}")
        return path

    return place


def of_commit(commit: str, folder: Path, root: Path, names: Iterable[str], into: Path) -> Taken:
    """The files as `commit` of the repository `root` has them, where gate.toml is in `folder` of that repository."""
    inside = os.path.relpath(folder.resolve(), root)
    with gitinfo.tree(commit, root) as there:

        def place(name: str) -> Path:
            path = Path(os.path.normpath(there / inside / name))
            if not path.is_relative_to(there):
                raise ValueError(f"{name} is outside the repository")
            if not path.exists():
                raise ValueError(f"{commit[:10]} has no {name}")
            return path

        return take(names, place, into)


def of_folder(saved: Path, names: Iterable[str], into: Path) -> Taken:
    """The files that `save` kept."""

    def place(name: str) -> Path:
        there = _kept(saved, name)
        path = there / Path(name).name
        if not (there / RECORD).is_file():
            raise ValueError(f"{saved} holds no {name}")
        try:
            same = read_json(there / RECORD)["sha256"] == content(path)
        except (KeyError, TypeError):
            same = False
        if not same:
            raise ValueError(f"{path} is not the file that was saved: its hash is another")
        return path

    return take(names, place, into)


def of_run(run: Path, names: Iterable[str], into: Path) -> Taken:
    """None of them: a run keeps the hashes of such files and not the files."""
    return {name: MissingArtifact(f"{run} is a run, which keeps no copy of {name}") for name in names}


def save(cases: Iterable[ModelCase], folder: Path, saved: Path) -> dict[str, str]:
    """Keep every file that `cases` name in the folder `saved`; returned are a path and the reason of each that cannot.

    `folder` is that of gate.toml.
    """
    failed = {}
    place = on_disk(folder)
    for name in dict.fromkeys(name for case in cases for name in (case.model, case.before)):
        there = _kept(saved, name)
        shutil.rmtree(there, ignore_errors=True)
        try:
            copy = _copied(place(name), there / Path(name).name)
            (there / RECORD).write_text(json.dumps({"sha256": content(copy)}) + "\n")
        except (ValueError, OSError) as error:
            failed[name] = str(error).removesuffix(".")
    return failed


def _kept(saved: Path, name: str) -> Path:
    return saved / SAVED / quote(name, safe="")


def comparisons(
    cases: Sequence[ModelCase],
    baseline: Baseline,
    folder: Path,
    into: Path,
    dataset: Dataset,
    say: Callable[[str], None],
) -> tuple[list[Comparison], list[str]]:
    """Each model of a gate.toml in `folder` against the baseline's, from copies in `into`, which must outlive the gate.

    Returned with a sentence for each baseline file that is the one on the disk, as the baseline does not have it.
    """
    now = take([case.model for case in cases], on_disk(folder), into / "candidate")
    before = dict(baseline.models([case.before for case in cases], into / "baseline"))
    notes = []
    for name in dict.fromkeys(case.baseline for case in cases if case.baseline):
        if isinstance(missing := before[name], MissingArtifact) and (folder / name).exists():
            notes.append(f"{missing.reason}: the file {folder / name} is the baseline.")
            before |= take([name], on_disk(folder), into / "other")
    stated = {case.model: case.description for case in baseline.cases if isinstance(case, ModelCase)}
    return [
        _comparison(
            case,
            _ready(before[case.before], stated.get(case.before, case.description), dataset, say),
            _ready(now[case.model], case.description, dataset, say),
        )
        for case in cases
    ], notes


def _comparison(case: ModelCase, old: Side, new: Side) -> Comparison:
    if not isinstance(new, described.File):
        return Comparison(Config("", ""), MissingArtifact("it was not looked at"), new, case.tolerance, case.name)
    config = Config("", format_of(new.artifact.path), resolution=new.resolution, threads=case.threads)
    if not isinstance(old, described.File):
        return Comparison(config, old, new.artifact, case.tolerance, case.name)
    if (former := format_of(old.artifact.path)) != config.format:
        two = MissingArtifact(f"it is in {former} and the candidate in {config.format}, and one runtime runs both")
        return Comparison(config, two, new.artifact, case.tolerance, case.name)
    return Comparison(config, old.artifact, new.artifact, case.tolerance, case.name, old.resolution)


def _ready(
    file: Path | MissingArtifact, stated: Mapping[str, Any], dataset: Dataset, say: Callable[[str], None]
) -> Side:
    if isinstance(file, MissingArtifact):
        return file
    try:
        return described.ready(file, format_of(file), file.parent / "ready", dataset, say, stated)
    except (ValueError, OSError) as error:
        shown = str(error).replace(f"{file.parent / 'ready'}{os.sep}", "").replace(f"{file.parent}{os.sep}", "")
        return MissingArtifact(shown.removesuffix("."))
