"""What `--baseline` names: a git ref, a folder of `gate --save`, or the folder of an earlier run; or files alone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from converters.artifact import FORMATS, PRECISIONS
from devices.contract import Config
from gate import artifacts, model_files
from gate.artifacts import Artifacts, MissingArtifact
from gate.config import Case, GateCase, ModelCase, Tolerance, here, of_sizes, parse_text
from gate.model_files import Taken
from models.files import read_json
from models.variant import Resolution
from reports import gitinfo, whole

DECLARED = "declared.json"
"""In a saved folder: what was declared when it was saved."""
ROWS = "rows.jsonl"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Baseline:
    """A baseline that was found."""

    name: str
    artifacts: Callable[[Sequence[Config]], Artifacts]
    models: Callable[[Sequence[str], Path], Taken]
    """Copies of the model files that gate.toml names, in a folder."""
    cases: tuple[Case, ...] = ()
    """What it checks, at its own resolutions."""
    sizes: Mapping[str, Resolution] = field(default_factory=dict)
    """The resolution that each of its networks has by itself, as far as it tells."""
    notes: tuple[str, ...] = ()
    """Sentences about what it does not tell."""
    unreadable: str | None = None
    """Why what it checks is not known although it says so, without the full stop."""
    commit: str = ""
    """The whole hash, where it is a commit."""


def find(baseline: str, configurations: Path, say: Say = lambda _: None, root: Path | None = None) -> Baseline:
    """The baseline of that name. ValueError, one sentence, when it names nothing, or two things.

    `configurations` is the candidate's gate.toml: the baseline's is the file of the same name. A git ref is one of the
    repository `root`, by default this project's.
    """
    folder = Path(baseline)
    kind = _run if (folder / ROWS).is_file() else _saved if _is_saved(folder) else None
    # A path is written as one; a bare name may be a folder and a ref.
    is_path = folder.is_absolute() or baseline.startswith((f".{os.sep}", f"..{os.sep}")) or baseline in (".", "..")
    if is_path and kind:
        return kind(folder)
    try:
        commit = gitinfo.commit(baseline, root)
    except gitinfo.NoCommit as reason:
        if kind:
            return kind(folder)
        what = "it is a folder without artifacts of gate --save and without rows" if folder.is_dir() else ""
        said = "; ".join(filter(None, (what, str(reason))))
        raise ValueError(
            f"{baseline!r} is no baseline: {said}. Name a git ref, the folder of a gate --save or of a run, or"
            " --baseline-artifact"
        ) from None
    if kind:
        raise ValueError(f"{baseline!r} is a folder and a git ref: write ./{baseline} or refs/heads/{baseline}")
    name = commit[:10]
    title = name if commit.startswith(baseline) else f"{baseline} ({name})"
    return replace(_of_commit(commit, title, configurations, say, root), commit=commit)


def _of_commit(commit: str, name: str, configurations: Path, say: Say, root: Path | None) -> Baseline:
    ours = root is None
    root = root or gitinfo.ROOT
    found = Baseline(
        name,
        partial(artifacts.of_commit, commit, say=say) if ours else partial(_none_of, root),
        partial(model_files.of_commit, commit, configurations.parent, root),
    )
    with gitinfo.tree(commit, root) as there:
        if ours:
            found = replace(found, sizes=artifacts.sizes_of(there))
        try:
            text = (there / configurations.resolve().relative_to(root)).read_text(encoding="utf-8")
        except (ValueError, OSError):
            return replace(found, notes=(f"{name} has no {configurations.name}.",))
    if ours and not found.sizes:
        said = f"{name} does not tell the resolutions of its networks: this checkout's are taken."
        found = replace(found, notes=(said,))
    try:
        return replace(found, cases=tuple(parse_text(text, of_sizes(found.sizes) if found.sizes else here)))
    except ValueError as error:
        return replace(found, unreadable=f"its {configurations.name} cannot be read: {error}")


def _none_of(root: Path, configs: Sequence[Config]) -> Artifacts:
    return {
        config: MissingArtifact(f"{root} has model files and no {config.variant}, which is a network of this project")
        for config in configs
    }


def of_files(cases: Sequence[Case], configurations: Path) -> Baseline:
    """The files that each entry names as its baseline. ValueError, one sentence, for an entry that names none."""
    if unpaired := [case.name for case in cases if not (isinstance(case, ModelCase) and case.baseline)]:
        raise ValueError(
            f"name --baseline, or else --baseline-artifact, --candidate-artifact and --runtime; without them each entry"
            f" of {configurations.name} names a baseline file, and {unpaired[0]} does not"
        )
    return Baseline("baseline files", lambda _: {}, partial(_on_disk, configurations.parent), tuple(cases))


def _on_disk(folder: Path, names: Sequence[str], into: Path) -> Taken:
    return model_files.take(names, model_files.on_disk(folder), into)


def _run(folder: Path) -> Baseline:
    from reports.rows import latest, read

    rows, _ = read(folder / ROWS)
    found: dict[str, set[Resolution]] = {}
    for row in latest(rows):
        found.setdefault(row.variant, set()).add(row.resolution)
    sizes = {variant: next(iter(several)) for variant, several in found.items() if len(several) == 1}
    return Baseline(str(folder), partial(artifacts.of_run, folder), partial(model_files.of_run, folder), sizes=sizes)


def save(cases: Sequence[Case], folder: Path) -> None:
    """Write the list of cases, which `find` reads back from a saved folder."""
    listed = [
        {"config": vars(case.config), "tolerance": vars(case.tolerance), "default_size": case.default_size}
        if isinstance(case, GateCase)
        else vars(case) | {"tolerance": vars(case.tolerance)}
        for case in cases
    ]
    whole.write(folder / DECLARED, json.dumps(listed, indent=1) + "\n")


def _saved(folder: Path) -> Baseline:
    """The cases that the folder's list names, and every other artifact in the folder: each artifact is checked."""
    found = Baseline(str(folder), partial(artifacts.of_folder, folder), partial(model_files.of_folder, folder))
    cases: list[Case] = []
    try:
        cases = [_case(one) for one in read_json(folder / DECLARED)] if (folder / DECLARED).exists() else []
    except (ValueError, KeyError, TypeError, AttributeError):
        return replace(found, unreadable=f"{folder / DECLARED} cannot be read")
    declared = [case for case in cases if isinstance(case, GateCase)]
    known = {artifacts.place(folder, case.config) for case in declared}
    for place in sorted(folder.glob(f"*/{artifacts.RECORD}")):
        if place.parent not in known and (config := _config_of(place.parent.name)):
            declared.append(GateCase(config, default_size=True))
    sizes = {case.config.variant: case.config.resolution for case in declared if case.default_size}
    models = [case for case in cases if isinstance(case, ModelCase)]
    return replace(found, cases=(*declared, *models), sizes=sizes)


def _is_saved(folder: Path) -> bool:
    return (folder / DECLARED).is_file() or any(folder.glob(f"*/{artifacts.RECORD}"))


def _case(values: Mapping[str, Any]) -> Case:
    tolerance = Tolerance(**{name: float(value) for name, value in values["tolerance"].items()})
    if "model" in values:
        return ModelCase(**dict(values) | {"tolerance": tolerance})
    config = Config(**values["config"])
    height, width = config.resolution
    return GateCase(Config(**vars(config) | {"resolution": (height, width)}), tolerance, bool(values["default_size"]))


def _config_of(name: str) -> Config | None:
    """The configuration whose artifact lies in the folder `name` of a saved folder."""
    found = re.fullmatch(rf"(.+)\.({'|'.join(FORMATS)})\.({'|'.join(PRECISIONS)})\.(\d+)x(\d+)", name)
    if not found:
        return None
    variant, format, precision, height, width = found.groups()
    return Config(variant, format, precision, (int(height), int(width)))  # type: ignore[arg-type]
