"""Artifacts by the hash of all that shapes them, so that nothing is converted twice.

An entry is a folder named by its key: the artifact and `entry.json`. It is made beside the others and renamed into
place, so that it is there whole or not at all; one whose files no longer match their hash counts as absent.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache as once
from pathlib import Path

from filelock import FileLock

from converters.artifact import Artifact, Format, Spec
from converters.registry import converter, format_of
from converters.serialization import artifact_of, encode_artifact
from converters.sources import ROOT, sources
from models.scratch import scratch

ENTRY = "entry.json"


def key(spec: Spec, versions: Mapping[str, str], calibration_data: str, code: str) -> str:
    """The artifact's key: checkpoint, format, precision, resolution, versions, the frames' hash and our own code's."""
    parts = [
        spec.checkpoint_sha,
        spec.format,
        spec.precision,
        spec.resolution,
        sorted(versions.items()),
        calibration_data,
        code,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


@once
def code(format: Format) -> str:
    """The hash of the source files that shape and judge an artifact of `format`: all that its worker is made of."""
    digest = hashlib.sha256()
    for path in sources("converters.worker", f"converters.{format}"):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def files(path: Path) -> list[Path]:
    """All files that the artifact at `path` consists of, as its format says; see `Converter.files`."""
    return list(placed(path, path))


def placed(path: Path, out: Path) -> dict[Path, Path]:
    """`Converter.files` of the artifact's format; ValueError, one sentence, when one is not there.

    A file whose suffix no format has consists of itself.
    """
    try:
        format = format_of(path)
    except ValueError:
        return {path: out}
    found = converter(format).files(path, out)
    if lost := [file for file in found if not file.is_file()]:
        raise ValueError(f"{path}: {lost[0].name!r}, which belongs to it, is not there")
    return found


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in files(path))


def sha256(path: Path) -> str:
    """The hash of an artifact's bytes, and of its files' places in it."""
    digest = hashlib.sha256()
    for file in files(path):
        digest.update(str(file.relative_to(path.parent)).encode())
        with file.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def copy(path: Path, out: Path) -> None:
    """Copy an artifact to the path `out`, whole: `out` replaces what was there."""
    if out.is_dir():
        shutil.rmtree(out, ignore_errors=True)
    for file, place in placed(path, out).items():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


@dataclass(frozen=True)
class Cache:
    root: Path

    @classmethod
    def default(cls) -> Cache:
        """In the platform's cache directory."""
        from platformdirs import user_cache_path

        return cls(user_cache_path("segmentation-bench") / "artifacts")

    def find(self, key: str, spec: Spec) -> Artifact | None:
        """The artifact under `key`, or None when there is none or it is damaged."""
        folder = self.root / key
        try:
            written = artifact_of(json.loads((folder / ENTRY).read_text()))
            path = folder / written.path.name
            whole = str(written.path) == path.name and sha256(path) == written.sha256
            return replace(written, spec=spec, path=path) if whole else None
        # Whatever was written into it, a damaged entry is none.
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None

    @contextmanager
    def workshop(self) -> Iterator[Path]:
        """An empty folder to make an entry in, gone afterwards unless it was published."""
        self.root.mkdir(parents=True, exist_ok=True)
        with scratch("making", self.root) as folder:
            (folder / "entry").mkdir()
            yield folder / "entry"

    def publish(self, workshop: Path, artifact: Artifact) -> Artifact:
        """Move the finished `artifact`, whose path lies in `workshop`, under its key; return it in its new place.

        Of many processes that publish under one key the first wins, and what it published is never moved: another may
        have it open by its name.
        """
        _describe(artifact, workshop)
        folder = self.root / artifact.key
        with FileLock(self.root.with_name(f"{self.root.name}.lock")):
            if found := self.find(artifact.key, artifact.spec):
                return found
            shutil.rmtree(folder, ignore_errors=True)
            workshop.rename(folder)
        return replace(artifact, path=folder / artifact.path.relative_to(workshop))

    def restate(self, artifact: Artifact) -> Artifact:
        """Describe anew an `artifact` that is here already; return it."""
        _describe(artifact, self.root / artifact.key)
        return artifact


def _describe(artifact: Artifact, folder: Path) -> None:
    """Write the entry of an artifact whose path lies in `folder`, whole or not at all."""
    entry = encode_artifact(replace(artifact, path=artifact.path.relative_to(folder)))
    partial = folder / f".{ENTRY}-{os.getpid()}"
    partial.write_text(json.dumps(entry, indent=1) + "\n")
    partial.replace(folder / ENTRY)
