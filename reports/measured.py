"""docs/measured.json: the counts, times and pictures of the documentation, each kept with the hash of what it is of.

{"counts": {KEY: count}, "times": [time], "pictures": {PATH: stamp}}

A count is stored by the network's shape (`shape_key`), because in float32 it does not depend on the weights. A time,
and the IOU difference beside it, is stored by the weights (`weights_key`). A figure is shown only where its key is that
of the shipped network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports import whole

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint
    from models.reference import ReferenceModel
    from models.variant import Variant

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "docs" / "measured.json"
DIGITS = 16
SAME_TIME = ("network", "precision", "reference", "processor")
"""A new time replaces one that is equal in these."""

Entry = dict[str, Any]


def read(path: Path = PATH) -> dict[str, Any]:
    """The file's three parts, empty where there is no file."""
    found = json.loads(path.read_text()) if path.exists() else {}
    return {"counts": {}, "times": [], "pictures": {}, **found}


def write(measured: Mapping[str, Any], path: Path = PATH) -> None:
    """Whole or not at all."""
    whole.write(path, json.dumps(measured, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


def shape_key(of: Variant | ReferenceModel) -> str:
    """Of a variant all fields, the resolution too; of a reference model the hash of its file and the resolution."""
    from models.variant import Variant

    return digest(of.to_dict() if isinstance(of, Variant) else {"sha256": of.sha256, "resolution": of.resolution})


def weights_key(of: Checkpoint | ReferenceModel) -> str:
    """Of a checkpoint its variant and its tensors: metrics that are added to its card change nothing."""
    from models.checkpoint import Checkpoint

    if not isinstance(of, Checkpoint):
        return shape_key(of)
    tensors = hashlib.sha256()
    for name, tensor in sorted(of.state.items()):
        tensors.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        tensors.update(tensor.contiguous().numpy().tobytes())
    return digest({"variant": of.variant.to_dict(), "tensors": tensors.hexdigest()})


def digest(values: Any) -> str:
    """DIGITS hexadecimal digits of what can be written as JSON."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:DIGITS]


def add_times(entries: Iterable[Entry], path: Path = PATH) -> None:
    """Put times into the file in place of those that are equal in SAME_TIME."""
    measured, fresh = read(path), list(entries)
    taken = {_same(entry) for entry in fresh}
    kept = [entry for entry in measured["times"] if _same(entry) not in taken]
    write({**measured, "times": sorted([*kept, *fresh], key=_same)}, path)


def _same(entry: Entry) -> tuple[str, ...]:
    return tuple(entry[field] for field in SAME_TIME)


def stamp(picture: Path, made_from: Mapping[str, str], path: Path = PATH) -> None:
    """Note the hash of a picture, and what it was made from in words and hashes."""
    measured = read(path)
    entry = {"sha256": sha256(picture), "made_from": dict(made_from)}
    name = picture.resolve().relative_to(path.resolve().parent.parent).as_posix()
    write({**measured, "pictures": {**measured["pictures"], name: entry}}, path)


def sha256(*paths: Path) -> str:
    """Of the content of files, one after the other."""
    found = hashlib.sha256()
    for path in paths:
        found.update(path.read_bytes())
    return found.hexdigest()
