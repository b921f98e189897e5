"""Two model files for the gate, of any origin. Each has a description next to it, which the timing processes read."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters import cache
from gate.artifacts import GateArtifact, of_file
from models.variant import Resolution

if TYPE_CHECKING:
    from evaluation.clip import Dataset


@dataclass(frozen=True)
class File:
    """A file to be compared and the (height, width) of its pictures."""

    artifact: GateArtifact
    resolution: Resolution


NOTHING: Mapping[str, Any] = {}


def ready(
    path: Path,
    format: str,
    folder: Path,
    dataset: Dataset,
    say: Callable[[str], None],
    stated: Mapping[str, Any] = NOTHING,
) -> File:
    """The artifact at `path`; one that is not this project's is copied into `folder`, its description beside it.

    The fields `stated` outweigh those of the description file. What is assumed about the model is said. ValueError,
    one sentence, for what cannot be run, and where a description is needed: `bench.py describe` writes it.
    """
    from converters.inspection.told import Question
    from devices.open_model import inspected, is_foreign, open_model
    from models.description import PLACEHOLDERS, beside, lines, of_fields, read_fields, text

    if not stated and not is_foreign(path):
        resolution = open_model(path)[1]
        return File(of_file(path, format), resolution)
    folder.mkdir(parents=True, exist_ok=True)
    copied = folder / path.name
    cache.copy(path, copied)
    if stated:
        fields = read_fields(beside(path)) | dict(stated)
        of_fields(path.stem, path, PLACEHOLDERS | fields, beside(path).name)
        beside(copied).write_text(lines(fields))
    elif beside(path).is_file():
        shutil.copyfile(beside(path), beside(copied))
    try:
        model = inspected(copied, None, dataset=dataset, say=say)
    except Question as question:
        raise ValueError(f"{question} bench.py describe takes these options and keeps the answer.") from None
    if model.fit != "stretch":
        raise ValueError(f"{path}: takes its pictures with black bars, and the gate compares stretched ones alone")
    beside(copied).write_text(text(model))
    open_model(copied)
    artifact = of_file(copied, format)
    # The same file used in another way is another artifact.
    used = replace(model, name="", assumed=(), unsure=(), file="", origin="")
    whole = hashlib.sha256(f"{artifact.sha256} {used}".encode()).hexdigest()
    return File(replace(artifact, sha256=whole), model.resolution)
