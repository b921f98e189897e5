"""Where the two arms of a gate come from: this checkout, a git ref, a saved folder, an earlier run, a file.

A saved folder holds a folder a cell: the artifact and `arm.json`, which tells what an artifact by itself does not. A
git ref becomes such a folder in the cache: its own code converts its own checkpoints, once a commit, cell and set of
converter versions. Both arms are then run by this checkout's runtime, so that they differ in the artifact alone.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.artifact import Artifact, Format, Parity, Spec
from converters.cache import Cache, files
from converters.cache import copy as copy_artifact
from converters.registry import converter
from devices.transport import last
from gate.declared import Gated
from reports.gitinfo import commit_of, no_checkout, tree

if TYPE_CHECKING:
    from converters.build import Progress
    from devices.plan import Weights

ARM = "arm.json"
CONVERT_SECONDS = 900.0


@dataclass(frozen=True)
class Arm:
    """An artifact to be compared. `macs` and `parity` are None where only the file is known."""

    path: Path
    sha256: str
    bytes: int
    graph: dict[str, Any] = field(default_factory=dict)
    macs: int | None = None
    parity: Parity | None = None


@dataclass(frozen=True)
class Absent:
    """An arm that cannot be had, and why, in one sentence without its end."""

    reason: str


Arms = Mapping[Gated, Arm | Absent]


def of_file(path: Path, format: Format, macs: int | None = None, parity: Parity | None = None) -> Arm:
    """The arm of an artifact on disk."""
    parts = files(path)
    return Arm(path, content(path), sum(p.stat().st_size for p in parts), converter(format).inspect(path), macs, parity)


def content(path: Path) -> str:
    """The hash of an artifact's bytes, whatever its files are called."""
    digest = hashlib.sha256()
    for file in files(path):
        name = str(file.relative_to(path)) if path.is_dir() else file.suffix
        digest.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def of_checkout(cells: Sequence[Gated], weights: Mapping[str, Weights], progress: Progress | None = None) -> Arms:
    """This checkout's own artifacts of `cells`, from the cache or converted now."""
    from converters.build import build
    from models.cost import macs
    from models.variant import get

    specs = {
        cell: Spec(cell.variant, w.path, w.sha256, cell.format, cell.precision, cell.resolution)
        for cell in cells
        if (w := weights.get(cell.variant))
    }
    made = build(specs.values(), progress) if specs else {}
    arms: dict[Gated, Arm | Absent] = {}
    for cell in cells:
        artifact = made[specs[cell]] if cell in specs else None
        if artifact is None:
            arms[cell] = Absent(f"{cell.variant} has no checkpoint; train.py makes one")
        elif isinstance(artifact, Artifact):
            cost = macs(get(cell.variant), cell.resolution)
            arms[cell] = of_file(artifact.path, cell.format, cost, artifact.parity)
        else:
            arms[cell] = Absent(artifact.reason)
    return arms


def save(arms: Arms, folder: Path) -> None:
    """Write every arm that is there into `folder`, complete in itself."""
    for cell, arm in arms.items():
        if isinstance(arm, Arm):
            _save(cell, arm, folder)


def _save(cell: Gated, arm: Arm, folder: Path) -> None:
    place = _place(folder, cell)
    place.mkdir(parents=True, exist_ok=True)
    copy_artifact(arm.path, place / f"model{arm.path.suffix}")
    (place / ARM).write_text(json.dumps(asdict(arm) | {"path": f"model{arm.path.suffix}"}, indent=1) + "\n")


def of_folder(folder: Path, cells: Sequence[Gated]) -> Arms:
    """The arms that `save` left in `folder`."""
    return {cell: _read(folder, cell) or Absent(f"{folder} holds no {cell.name}") for cell in cells}


def _read(folder: Path, cell: Gated) -> Arm | None:
    place = _place(folder, cell)
    try:
        values = json.loads((place / ARM).read_text())
        parity = Parity.from_dict(values["parity"]) if values["parity"] else None
        arm = Arm(**values | {"path": place / values["path"], "parity": parity})
        return arm if content(arm.path) == arm.sha256 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _place(folder: Path, cell: Gated) -> Path:
    height, width = cell.resolution
    return folder / f"{cell.variant}.{cell.format}.{cell.precision}.{height}x{width}"


def of_run(folder: Path, cells: Sequence[Gated], cache: Cache | None = None) -> Arms:
    """The artifacts that the rows of an earlier run were measured with, as far as the cache still has them."""
    from reports.rows import latest, read

    rows, _ = read(folder / "rows.jsonl")
    last = {row.cell: row for row in latest(rows) if row.status == "ok"}
    root = (cache or Cache.default()).root
    arms: dict[Gated, Arm | Absent] = {}
    for cell in cells:
        row = last.get(cell.name)
        if row is None:
            arms[cell] = Absent(f"{folder} has no row of {cell.name} that was measured")
            continue
        suffix = converter(cell.format).SUFFIX
        found = next(iter(sorted((root / row.artifact["key"]).glob(f"*{suffix}"))), None)
        if found is None:
            arms[cell] = Absent(f"the artifact that {folder} measured as {cell.name} is no longer in the cache")
            continue
        parity = Parity.from_dict(row.artifact["parity"]) if row.artifact.get("parity") else None
        arms[cell] = of_file(found, cell.format, row.network.get("macs"), parity)
    return arms


def of_commit(commit: str, cells: Sequence[Gated], say: Callable[[str], None] = lambda _: None) -> Arms:
    """The artifacts of `cells` as the code and the checkpoints of `commit` make them, in processes of their own."""
    from platformdirs import user_cache_path

    folder = user_cache_path("segmentation-bench") / "gate" / commit
    folders = {cell: folder / _versions(cell) for cell in cells}
    arms: dict[Gated, Arm | Absent] = {}
    for cell in cells:
        if found := _read(folders[cell], cell):
            arms[cell] = found
    if missing := [cell for cell in cells if cell not in arms]:
        with tree(commit) as there:
            costs = _costs(there, missing)
            for cell in missing:
                say(f"{cell.name} as of {commit[:10]}")
                made = _convert(there, cell, costs.get(cell))
                if isinstance(made, Arm):
                    _save(cell, made, folders[cell])
                    made = _read(folders[cell], cell) or Absent(f"{cell.name} could not be kept in {folders[cell]}")
                arms[cell] = made
    return {cell: arms[cell] for cell in cells}


def _versions(cell: Gated) -> str:
    versions = sorted(converter(cell.format).versions().items())
    return hashlib.sha256(json.dumps(versions).encode()).hexdigest()[:12]


def _convert(there: Path, cell: Gated, macs: int | None) -> Arm | Absent:
    height, width = cell.resolution
    out = there / "made" / f"model{converter(cell.format).SUFFIX}"
    shutil.rmtree(out.parent, ignore_errors=True)
    asked = [cell.variant, "--format", cell.format, "--precision", cell.precision, "--resolution", f"{height}x{width}"]
    done = _bench(there, "convert", *asked, "--out", str(out))
    if done.returncode or not out.exists():
        return Absent(f"the baseline's own code could not make {cell.name}: {last(done.stderr).removesuffix('.')}")
    return of_file(out, cell.format, macs)


def _costs(there: Path, cells: Sequence[Gated]) -> dict[Gated, int]:
    """Multiply-accumulates of `cells` as the baseline's own code counts them."""
    costs: dict[Gated, int] = {}
    for height, width in {cell.resolution for cell in cells}:
        done = _bench(there, "variants", "--resolution", f"{height}x{width}", "--json")
        listed = {v["variant"]: v["macs"] for v in json.loads(done.stdout)} if done.returncode == 0 else {}
        mine = [cell for cell in cells if cell.resolution == (height, width)]
        costs |= {cell: listed[cell.variant] for cell in mine if cell.variant in listed}
    return costs


def _bench(there: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "bench.py", *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        return subprocess.run(
            command,
            cwd=there,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=CONVERT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"it was stopped after {CONVERT_SECONDS:g} s")


def find(baseline: str, cells: Sequence[Gated], say: Callable[[str], None] = lambda _: None) -> tuple[str, Arms]:
    """What `--baseline` names, in words, and its arms. ValueError when it names nothing."""
    folder = Path(baseline)
    if folder.is_dir():
        kind = of_run if (folder / "rows.jsonl").exists() else of_folder
        return baseline, kind(folder, cells)
    if commit := commit_of(baseline):
        name = commit[:10]
        return name if commit.startswith(baseline) else f"{baseline} ({name})", of_commit(commit, cells, say)
    if reason := no_checkout():
        raise ValueError(
            f"{baseline!r} is no saved folder and no earlier run, and a git ref needs a git checkout: {reason};"
            " name the folder of a gate --save or of a run, or --baseline-artifact"
        )
    raise ValueError(f"{baseline!r} is no git ref of this repository, no saved folder and no earlier run")
