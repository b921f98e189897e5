"""Files on their way to another host, known by the hash of their content: a host that has them is sent nothing."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.scratch import scratch


@dataclass(frozen=True)
class Parcel:
    """Files by their place below one folder; `name` is the one, or the folder, that they are asked for by."""

    name: str
    files: dict[str, bytes]

    @property
    def sha256(self) -> str:
        digest = hashlib.sha256(self.name.encode())
        for place, content in sorted(self.files.items()):
            digest.update(f"\0{place}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()

    def write(self, folder: Path) -> Path:
        """Write the files below `folder`; return the path of `name`."""
        for place, content in self.files.items():
            path = folder / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return folder / self.name


def pack(path: Path, files: Iterable[Path]) -> Parcel:
    """The parcel of `files`, which lie in the folder of `path` or below."""
    return Parcel(path.name, {file.relative_to(path.parent).as_posix(): file.read_bytes() for file in files})


def pack_folder(folder: Path) -> Parcel:
    """The parcel of a folder and all its regular files."""
    root = folder.resolve()
    return pack(root, (file for file in sorted(root.rglob("*")) if file.is_file()))


@dataclass(frozen=True)
class Sent:
    """What a host is told of a parcel: its hash, and where to fetch it (a reference into Ray's object store)."""

    sha256: str
    reference: Any


def land(sent: Sent, fetch: Callable[[Any], Parcel]) -> Path:
    """The parcel's files in this host's cache, fetched where they are not there or are damaged; the path of `name`."""
    from platformdirs import user_cache_path

    place = user_cache_path("segmentation-bench") / "received" / sent.sha256
    if found := _whole(place, sent.sha256):
        return found
    place.parent.mkdir(parents=True, exist_ok=True)
    parcel = fetch(sent.reference)
    with scratch("receiving", place.parent) as folder:
        (folder / "parcel").mkdir()
        parcel.write(folder / "parcel")
        shutil.rmtree(place, ignore_errors=True)
        with suppress(OSError):  # another process was faster
            os.rename(folder / "parcel", place)
    return place / parcel.name


def _whole(place: Path, sha256: str) -> Path | None:
    """The path of what landed in `place` before, if it is still what was sent."""
    names = {path.name for path in _children(place)}
    files = [path for path in sorted(place.rglob("*")) if path.is_file()]
    for name in names:
        if pack(place / name, files).sha256 == sha256:
            return place / name
    return None


def _children(place: Path) -> Iterator[Path]:
    with suppress(OSError):
        yield from place.iterdir()
