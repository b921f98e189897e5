"""From a path or a name to a model that runs: a checkpoint in PyTorch, or an artifact of any format in its runtime."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import models.reference
from converters.artifact import FORMATS, Failure, Precision, Spec
from converters.patience import patience
from converters.registry import cannot_run, converter, format_of
from converters.session import Session, with_labels
from devices.contract import Config
from devices.plan import BASELINE, Weights, spec_of
from models import checkpoint
from models.files import refuse_special
from models.labels import LABELS
from models.reference import ReferenceModel
from models.segmenter import no_mask
from models.variant import VARIANTS, Resolution, get

if TYPE_CHECKING:
    from converters.inspection.told import Told
    from evaluation.clip import Dataset

CHECKPOINT = ".safetensors"


class Unavailable(OSError):
    """A model that is known and cannot be had here; its text is the reason, one sentence."""


def open_model(
    model: Path | str,
    precision: Precision = "fp32",
    resolution: Resolution | None = None,
    threads: int = 1,
    format: str = BASELINE,
    say: Callable[[str], None] = lambda _: None,
    told: Told | None = None,
    dataset: Dataset | None = None,
) -> tuple[Session, Resolution]:
    """A `models.segmenter.Step` and its (height, width).

    `model` is what `find_model` takes, the name of an entry in references.toml, or a file with the hash of such an
    entry, which then says how it is used. For any other file its description does, or an inspection with the answers
    `told` and pictures of `dataset`; `say` prints what that assumes. An artifact has one resolution; a checkpoint runs
    at `resolution`, or its variant's own.

    Errors as of `find_model`; ValueError, one sentence, when a file's format is not known or cannot run here, when the
    inspection needs an answer, or when an artifact breaks the contract `(frame, prev_mask) -> mask`: shapes alike,
    values in [0, 1].
    """
    if not told and (reference := _reference(model)):
        return _open_reference(*reference, resolution, threads)
    path = find_model(model, format, precision, resolution, say)
    if is_foreign(path, told):
        described = inspected(path, told, resolution, dataset, say)
        return load(config_of(described, threads), path, described), described.resolution
    session = (
        _checkpoint(path, resolution, threads) if path.suffix == CHECKPOINT else _artifact(path, precision, threads)
    )
    if resolution and resolution != session.resolution:
        raise ValueError(f"{path}: was made for {_size(session.resolution)}, not {_size(resolution)}")
    _check(path, session)
    return session, session.resolution


def is_foreign(path: Path, told: Told | None = None) -> bool:
    """Whether a file is not one of this project's artifacts, so that it needs a description."""
    from models.description import beside

    if path.suffix not in models.reference.FORMATS or not path.is_file():
        return False
    if beside(path).exists() or told:
        return True
    from converters.inspection.describe import read

    if cannot_run(format_of(path)):
        return False
    try:
        graph = read(path)
    except ValueError:
        return False
    names = {port.name.removeprefix("serving_default_") for port in graph.inputs}
    return names != {"frame", "prev_mask"} or len(graph.outputs) != 1


def inspected(
    path: Path,
    told: Told | None,
    resolution: Resolution | None = None,
    dataset: Dataset | None = None,
    say: Callable[[str], None] = lambda _: None,
    anew: bool = False,
) -> ReferenceModel:
    """The description of somebody's file, with what was assumed said. ValueError where something is to be told.

    `anew` ignores the description file next to the model.
    """
    from converters.inspection.describe import describe, model_at
    from converters.inspection.told import Told

    answers = told or Told()
    answers = replace(answers, resolution=resolution) if resolution else answers
    described = describe(path, answers, dataset) if anew else model_at(path, answers, dataset)
    for sentence in described.assumed:
        say(f"{path.name}: {sentence}.")
    for sentence in described.unsure:
        say(f"{path.name}: not sure: {sentence}.")
    return described


def config_of(reference: ReferenceModel, threads: int = 1) -> Config:
    """The configuration that a described model runs in here."""
    return Config(reference.name, reference.format, reference.precision, reference.resolution, threads=threads)


def find_model(
    model: Path | str,
    format: str = BASELINE,
    precision: Precision = "fp32",
    resolution: Resolution | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Path:
    """The file of a model: a variant's checkpoint for `pytorch`, its artifact for other formats, or the path itself.

    An artifact that is not in the cache is converted. ValueError for what is no model at all; Unavailable for a variant
    without a checkpoint, or one that cannot be converted here.
    """
    path = Path(model)
    if str(model) not in VARIANTS:
        refuse_special(path)
    if path.exists() and str(model) not in VARIANTS:
        return path
    if path.suffix:
        raise ValueError(f"{path}: there is no such model")
    variant = get(str(model))
    if format not in (BASELINE, *FORMATS):
        raise ValueError(f"{format!r} is none of {', '.join((BASELINE, *FORMATS))}")
    weights = checkpoint.find(str(model))
    if weights is None:
        shipped = ", ".join(sorted(path.stem for path in checkpoint.FOLDER.glob("*.safetensors")))
        raise Unavailable(f"{model} has no checkpoint yet; there are: {shipped}")
    if format == BASELINE:
        return weights
    config = Config(str(model), format, precision, resolution or variant.resolution)
    return _converted(spec_of(config, Weights(weights, checkpoint.sha256(weights))), say)


def _converted(spec: Spec, say: Callable[[str], None]) -> Path:
    from converters.build import build

    say(f"{spec.name}: from the cache, or converted once")
    made = build([spec])[spec]
    if isinstance(made, Failure):
        raise Unavailable(f"{spec.name}: {made.reason}")
    return made.path


def load(config: Config, model: Path, reference: ReferenceModel | None = None) -> Session:
    """`model` in the runtime of its format: a checkpoint, an artifact of ours, or what `reference` describes.

    Without `reference`, a description beside the file that leaves nothing open says how it is used.
    """
    if config.format == BASELINE:
        from devices.baseline import open_checkpoint

        return open_checkpoint(model, config.threads, config.resolution)
    if reference := reference or _beside(model):
        from converters.references import open_reference

        return open_reference(reference, model, config.threads)
    return converter(config.format).load(model, config.threads, config.precision)


def _beside(model: Path) -> ReferenceModel | None:
    from models.description import beside, is_whole, of_fields, read_fields

    file = beside(model)
    stated = read_fields(file)
    return of_fields(model.stem, model, stated, file.name) if is_whole(stated) else None


def described(model: Path | str, session: Session) -> str:
    """What runs, for a person: the model's name, its input's size and its runtime."""
    return f"{model} at {_size(session.resolution)} in {session.facts['runtime']}"


def _reference(path: Path | str) -> tuple[ReferenceModel, Path | None] | None:
    """The reference model of that name, or the one whose file this is, with the file."""
    references = models.reference.read()
    if found := references.get(str(path)):
        return found, None
    path = Path(path)
    if not path.is_file() or path.suffix not in models.reference.FORMATS:
        return None
    from converters.references import hash_of

    digest = hash_of(path)
    return next(((reference, path) for reference in references.values() if reference.sha256 == digest), None)


def _open_reference(
    reference: ReferenceModel, path: Path | None, resolution: Resolution | None, threads: int
) -> tuple[Session, Resolution]:
    from converters.references import fetch

    if resolution and resolution != reference.resolution:
        raise ValueError(f"{reference.name}: was made for {_size(reference.resolution)}, not {_size(resolution)}")
    return load(config_of(reference, threads), path or fetch(reference), reference), reference.resolution


def _checkpoint(path: Path, resolution: Resolution | None, threads: int) -> Session:
    from devices.baseline import Eager

    session = Eager(path, threads, resolution)
    session.network.variant.check_resolution(session.resolution)
    return with_labels(session, session.network.variant.outputs)


def _artifact(path: Path, precision: Precision, threads: int) -> Session:
    try:
        format = format_of(path)
    except ValueError as error:
        if words := models.reference.INSTEAD.get(path.suffix):
            raise ValueError(f"{path}: {words}") from None
        raise ValueError(f"{error}; a checkpoint ends in {CHECKPOINT}") from None
    if reason := cannot_run(format):
        raise ValueError(f"{path}: {reason}")
    try:
        with patience(path):
            return load(Config(path.stem, format, precision, threads=threads), path)
    # Every runtime has errors of its own for a file it does not like, some of no common class.
    except Exception as error:
        hint = f"; it {words}" if (words := models.reference.INSTEAD.get(path.suffix)) else ""
        raise ValueError(
            f"{path}: not a model of the contract (frame, prev_mask) -> mask ({_first_line(error)}){hint}"
        ) from None


def _check(path: Path, session: Session) -> None:
    """One blank frame must give one mask of the frame's size."""
    height, width = session.resolution
    try:
        with patience(path):
            mask = session(np.zeros((1, height, width, 3), np.float32), no_mask(session.resolution))
    except Exception as error:
        raise ValueError(
            f"{path}: does not turn a frame and a previous mask into a mask ({_first_line(error)})"
        ) from None
    channels = len(LABELS) if session.labels else 1
    if mask.shape != (1, height, width, channels):
        raise ValueError(f"{path}: gives {mask.shape} where a mask of (1, {height}, {width}, {channels}) belongs")
    if not np.all((mask >= 0) & (mask <= 1)):
        raise ValueError(f"{path}: gives values outside [0, 1], from {mask.min():g} to {mask.max():g}")


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _size(resolution: Resolution) -> str:
    return f"{resolution[0]}x{resolution[1]}"
