"""The baseline's and the candidate's artifacts: of this checkout, a git ref, a saved folder, an earlier run, a file.

A saved folder holds a folder a config: the artifact, and `arm.json` with its hash. Nothing else that is written there
is believed: size, operators and multiply-accumulates are taken from the artifact itself each time. A git ref becomes
such a folder in the cache: its own code converts its own checkpoints, once a commit, config and set of converter
versions. This checkout's runtime then runs both, so that only the artifacts differ.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.artifact import Artifact, Parity
from converters.cache import Cache, placed, sha256, size
from converters.cache import copy as copy_artifact
from converters.child import last_line
from converters.macs import macs
from converters.registry import converter
from devices.contract import Config
from models.files import read_json, refuse_special
from reports.gitinfo import tree

if TYPE_CHECKING:
    from converters.build import Event, Progress
    from devices.plan import Weights
    from models.variant import Resolution

RECORD = "arm.json"
CONVERT_SECONDS = 900.0


@dataclass(frozen=True)
class GateArtifact:
    """An artifact to be compared. `macs` is None where its graph does not tell, `parity` where it has no checkpoint."""

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


def of_file(path: Path, format: str, parity: Parity | None = None) -> GateArtifact:
    """The artifact at `path`, with its hash, size, operators and multiply-accumulates, all taken from its files."""
    return GateArtifact(path, content(path), size(path), converter(format).inspect(path), macs(path, format), parity)


def content(path: Path) -> str:
    """The hash of the bytes of all files of an artifact, whatever the artifact itself is called."""
    digest = hashlib.sha256()
    for file, place in placed(path, Path(f"model{path.suffix}")).items():
        refuse_special(file)
        with file.open("rb") as stream:
            digest.update(
                str(place).removeprefix("model").encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest()
            )
    return digest.hexdigest()


def of_checkout(
    configs: Sequence[Config],
    weights: Mapping[str, Weights],
    progress: Progress | None = None,
    known: Collection[str] = (),
) -> Artifacts:
    """This checkout's own artifacts of `configs`, from the cache or converted now.

    What the cache says of an artifact's parity is not believed: it is measured again, but for an artifact whose content
    is among the hashes `known`, which is not compared.
    """
    from converters.build import build
    from devices.plan import spec_of

    specs = {config: spec_of(config, weights[config.variant]) for config in configs if config.variant in weights}
    cached = set()

    def note(event: Event) -> None:
        if event.cached:
            cached.add(event.spec)
        if progress:
            progress(event)

    made = build(specs.values(), note) if specs else {}
    doubted = [
        spec
        for spec, artifact in made.items()
        if spec in cached and isinstance(artifact, Artifact) and content(artifact.path) not in known
    ]
    if doubted:
        made = made | build(doubted, believe_parity=False)
    artifacts: dict[Config, GateArtifact | MissingArtifact] = {}
    for config in configs:
        artifact = made[specs[config]] if config in specs else None
        if artifact is None:
            artifacts[config] = MissingArtifact(f"{config.variant} has no checkpoint; train.py makes one")
        elif isinstance(artifact, Artifact):
            artifacts[config] = of_file(artifact.path, config.format, artifact.parity)
        else:
            artifacts[config] = MissingArtifact(artifact.reason)
    return artifacts


def save(artifacts: Artifacts, folder: Path) -> None:
    """Write every available artifact into `folder`, with all that `of_folder` needs."""
    for config, artifact in artifacts.items():
        if isinstance(artifact, GateArtifact):
            _save(config, artifact, folder)


def _save(config: Config, artifact: GateArtifact, folder: Path) -> None:
    there = place(folder, config)
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    copy_artifact(artifact.path, there / f"model{artifact.path.suffix}")
    (there / RECORD).write_text(json.dumps({"sha256": artifact.sha256}) + "\n")


def of_folder(folder: Path, configs: Sequence[Config]) -> Artifacts:
    """The artifacts that `save` wrote into `folder`."""
    return {config: _read(folder, config) for config in configs}


def _read(folder: Path, config: Config) -> GateArtifact | MissingArtifact:
    there = place(folder, config)
    path = there / f"model{converter(config.format).SUFFIX}"
    if not (there / RECORD).is_file():
        return MissingArtifact(f"{folder} holds no {config.name}")
    try:
        saved = read_json(there / RECORD)["sha256"]
        if content(path) == saved:
            return of_file(path, config.format)
        return MissingArtifact(f"{path} is not the artifact that was saved: its hash is another")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return MissingArtifact(f"{there} is damaged: {error}".removesuffix("."))


def place(folder: Path, config: Config) -> Path:
    """The folder in a saved folder where the artifact of `config` lies."""
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
        try:
            changed = sha256(found) != row.artifact["sha256"]
            artifacts[config] = (
                MissingArtifact(f"{found} is not what {folder} measured: its hash is another")
                if changed
                else of_file(found, config.format)
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            artifacts[config] = MissingArtifact(f"{found} is damaged: {error}".removesuffix("."))
    return artifacts


def of_commit(commit: str, configs: Sequence[Config], say: Callable[[str], None] = lambda _: None) -> Artifacts:
    """The artifacts of `configs` as the code and the checkpoints of `commit` make them, in processes of their own."""
    from platformdirs import user_cache_path

    folder = user_cache_path("segmentation-bench") / "gate" / commit
    folders = {config: folder / _versions(config) for config in configs}
    artifacts: dict[Config, GateArtifact | MissingArtifact] = {}
    for config in configs:
        if isinstance(found := _read(folders[config], config), GateArtifact):
            artifacts[config] = found
    if missing := [config for config in configs if config not in artifacts]:
        with tree(commit) as there:
            for config in missing:
                say(f"{config.name} as of {commit[:10]}")
                made = _convert(there, config)
                if isinstance(made, GateArtifact):
                    _save(config, made, folders[config])
                    made = _read(folders[config], config)
                artifacts[config] = made
    return {config: artifacts[config] for config in configs}


def _versions(config: Config) -> str:
    versions = sorted(converter(config.format).versions().items())
    return hashlib.sha256(json.dumps(versions).encode()).hexdigest()[:12]


def _convert(there: Path, config: Config) -> GateArtifact | MissingArtifact:
    height, width = config.resolution
    out = there / "made" / f"model{converter(config.format).SUFFIX}"
    shutil.rmtree(out.parent, ignore_errors=True)
    size = f"{height}x{width}"
    asked = [config.variant, "--format", config.format, "--precision", config.precision, "--resolution", size]
    done = _bench(there, "convert", *asked, "--out", str(out))
    if done.returncode or not out.exists():
        said = last_line(done.stderr).removesuffix(".")
        return MissingArtifact(f"the baseline's own code could not make {config.name}: {said}")
    return of_file(out, config.format)


def sizes_of(there: Path) -> dict[str, Resolution]:
    """The resolution that each network of another checkout has by itself; empty where it does not tell."""
    done = _bench(there, "variants", "--json")
    try:
        listed = json.loads(done.stdout) if done.returncode == 0 else []
        return {one["variant"]: (int(one["resolution"][0]), int(one["resolution"][1])) for one in listed}
    except (ValueError, KeyError, TypeError, IndexError):
        return {}


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
