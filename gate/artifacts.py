"""The baseline's and the candidate's artifacts: of this checkout, a git ref, a saved folder, an earlier run, a file.

A saved folder holds a folder a config: the artifact and `arm.json` with what the artifact itself does not state. A
git ref becomes such a folder in the cache: its own code converts its own checkpoints, once a commit, config and set of
converter versions. This checkout's runtime then runs both, so that only the artifacts differ.
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

from converters.artifact import Artifact, Parity
from converters.cache import Cache, placed, size
from converters.cache import copy as copy_artifact
from converters.child import last_line
from converters.registry import converter
from devices.contract import Config
from reports.gitinfo import commit_of, no_checkout, tree

if TYPE_CHECKING:
    from converters.build import Progress
    from devices.plan import Weights

RECORD = "arm.json"
CONVERT_SECONDS = 900.0


@dataclass(frozen=True)
class GateArtifact:
    """An artifact to be compared. `macs` and `parity` are None where only the file is known."""

    path: Path
    sha256: str
    bytes: int
    graph: dict[str, Any] = field(default_factory=dict)
    macs: int | None = None
    parity: Parity | None = None


@dataclass(frozen=True)
class MissingArtifact:
    """Why an artifact is not available, in one sentence without its full stop."""

    reason: str


Artifacts = Mapping[Config, GateArtifact | MissingArtifact]


def of_file(path: Path, format: str, macs: int | None = None, parity: Parity | None = None) -> GateArtifact:
    """The artifact at `path`, with its hash, size and operators."""
    return GateArtifact(path, content(path), size(path), converter(format).inspect(path), macs, parity)


def content(path: Path) -> str:
    """The hash of the bytes of all files of an artifact, whatever the artifact itself is called."""
    digest = hashlib.sha256()
    for file, place in placed(path, Path(f"model{path.suffix}")).items():
        with file.open("rb") as stream:
            digest.update(str(place).removeprefix("model").encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def of_checkout(
    configs: Sequence[Config], weights: Mapping[str, Weights], progress: Progress | None = None
) -> Artifacts:
    """This checkout's own artifacts of `configs`, from the cache or converted now."""
    from converters.build import build
    from devices.plan import spec_of
    from models.cost import macs
    from models.variant import get

    specs = {config: spec_of(config, weights[config.variant]) for config in configs if config.variant in weights}
    made = build(specs.values(), progress) if specs else {}
    artifacts: dict[Config, GateArtifact | MissingArtifact] = {}
    for config in configs:
        artifact = made[specs[config]] if config in specs else None
        if artifact is None:
            artifacts[config] = MissingArtifact(f"{config.variant} has no checkpoint; train.py makes one")
        elif isinstance(artifact, Artifact):
            cost = macs(get(config.variant), config.resolution)
            artifacts[config] = of_file(artifact.path, config.format, cost, artifact.parity)
        else:
            artifacts[config] = MissingArtifact(artifact.reason)
    return artifacts


def save(artifacts: Artifacts, folder: Path) -> None:
    """Write every available artifact into `folder`, with all that `of_folder` needs."""
    for config, artifact in artifacts.items():
        if isinstance(artifact, GateArtifact):
            _save(config, artifact, folder)


def _save(config: Config, artifact: GateArtifact, folder: Path) -> None:
    place = _place(folder, config)
    place.mkdir(parents=True, exist_ok=True)
    copy_artifact(artifact.path, place / f"model{artifact.path.suffix}")
    (place / RECORD).write_text(
        json.dumps(asdict(artifact) | {"path": f"model{artifact.path.suffix}"}, indent=1) + "\n"
    )


def of_folder(folder: Path, configs: Sequence[Config]) -> Artifacts:
    """The artifacts that `save` wrote into `folder`."""
    return {config: _read(folder, config) or MissingArtifact(f"{folder} holds no {config.name}") for config in configs}


def _read(folder: Path, config: Config) -> GateArtifact | None:
    place = _place(folder, config)
    try:
        values = json.loads((place / RECORD).read_text())
        parity = Parity.from_dict(values["parity"]) if values["parity"] else None
        artifact = GateArtifact(**values | {"path": place / values["path"], "parity": parity})
        return artifact if content(artifact.path) == artifact.sha256 else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _place(folder: Path, config: Config) -> Path:
    height, width = config.resolution
    return folder / f"{config.variant}.{config.format}.{config.precision}.{height}x{width}"


def of_run(folder: Path, configs: Sequence[Config], cache: Cache | None = None) -> Artifacts:
    """The artifacts that the rows of an earlier run were measured with, as far as the cache still has them."""
    from reports.rows import latest, read

    rows, _ = read(folder / "rows.jsonl")
    last = {row.cell: row for row in latest(rows) if row.status == "ok"}
    root = (cache or Cache.default()).root
    artifacts: dict[Config, GateArtifact | MissingArtifact] = {}
    for config in configs:
        row = last.get(config.name)
        if row is None:
            artifacts[config] = MissingArtifact(f"{folder} has no row of {config.name} that was measured")
            continue
        suffix = converter(config.format).SUFFIX
        found = next(iter(sorted((root / row.artifact["key"]).glob(f"*{suffix}"))), None)
        if found is None:
            artifacts[config] = MissingArtifact(f"the cache no longer has the {config.name} of {folder}")
            continue
        parity = Parity.from_dict(row.artifact["parity"]) if row.artifact.get("parity") else None
        artifacts[config] = of_file(found, config.format, row.network.get("macs"), parity)
    return artifacts


def of_commit(commit: str, configs: Sequence[Config], say: Callable[[str], None] = lambda _: None) -> Artifacts:
    """The artifacts of `configs` as the code and the checkpoints of `commit` make them, in processes of their own."""
    from platformdirs import user_cache_path

    folder = user_cache_path("segmentation-bench") / "gate" / commit
    folders = {config: folder / _versions(config) for config in configs}
    artifacts: dict[Config, GateArtifact | MissingArtifact] = {}
    for config in configs:
        if found := _read(folders[config], config):
            artifacts[config] = found
    if missing := [config for config in configs if config not in artifacts]:
        with tree(commit) as there:
            costs = _costs(there, missing)
            for config in missing:
                say(f"{config.name} as of {commit[:10]}")
                made = _convert(there, config, costs.get(config))
                if isinstance(made, GateArtifact):
                    _save(config, made, folders[config])
                    made = _read(folders[config], config) or MissingArtifact(
                        f"{config.name} could not be kept in {folders[config]}"
                    )
                artifacts[config] = made
    return {config: artifacts[config] for config in configs}


def _versions(config: Config) -> str:
    versions = sorted(converter(config.format).versions().items())
    return hashlib.sha256(json.dumps(versions).encode()).hexdigest()[:12]


def _convert(there: Path, config: Config, macs: int | None) -> GateArtifact | MissingArtifact:
    height, width = config.resolution
    out = there / "made" / f"model{converter(config.format).SUFFIX}"
    shutil.rmtree(out.parent, ignore_errors=True)
    size = f"{height}x{width}"
    asked = [config.variant, "--format", config.format, "--precision", config.precision, "--resolution", size]
    done = _bench(there, "convert", *asked, "--out", str(out))
    if done.returncode or not out.exists():
        said = last_line(done.stderr).removesuffix(".")
        return MissingArtifact(f"the baseline's own code could not make {config.name}: {said}")
    return of_file(out, config.format, macs)


def _costs(there: Path, configs: Sequence[Config]) -> dict[Config, int]:
    """Multiply-accumulates of `configs` as the baseline's own code counts them."""
    costs: dict[Config, int] = {}
    for height, width in {config.resolution for config in configs}:
        done = _bench(there, "variants", "--resolution", f"{height}x{width}", "--json")
        listed = {v["variant"]: v["macs"] for v in json.loads(done.stdout)} if done.returncode == 0 else {}
        mine = [config for config in configs if config.resolution == (height, width)]
        costs |= {config: listed[config.variant] for config in mine if config.variant in listed}
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


def find(
    baseline: str, configs: Sequence[Config], say: Callable[[str], None] = lambda _: None
) -> tuple[str, Artifacts]:
    """The name of the baseline that `--baseline` selects, and its artifacts. ValueError when it names nothing."""
    folder = Path(baseline)
    if folder.is_dir():
        kind = of_run if (folder / "rows.jsonl").exists() else of_folder
        return baseline, kind(folder, configs)
    if commit := commit_of(baseline):
        name = commit[:10]
        return name if commit.startswith(baseline) else f"{baseline} ({name})", of_commit(commit, configs, say)
    if reason := no_checkout():
        raise ValueError(
            f"{baseline!r} is no saved folder and no earlier run, and a git ref needs a git checkout: {reason};"
            " name the folder of a gate --save or of a run, or --baseline-artifact"
        )
    raise ValueError(f"{baseline!r} is no git ref of this repository, no saved folder and no earlier run")
