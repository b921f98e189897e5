"""A network by its name or its file, ready to run; a variant's artifact is made when there is none yet."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cli.ending import NOT_MEASURED, WRONG_USAGE, fail

if TYPE_CHECKING:
    from converters.session import Session
    from models.variant import Resolution

RUNTIMES = ("pytorch", "onnx", "openvino", "tflite", "coreml")


def open_network(model: str, runtime: str, size: Resolution | None, threads: int) -> tuple[Session, str]:
    """The model in its runtime, and what to call it."""
    from devices.open_model import open_model

    path = find_network(model, runtime, size)
    session, resolution = open_model(path, resolution=size, threads=threads)
    return session, f"{model} at {resolution[0]}x{resolution[1]} in {session.facts['runtime']}"


def find_network(model: str, runtime: str, size: Resolution | None) -> Path:
    """The file of a model: the path itself, or a variant's checkpoint for PyTorch and its artifact for others."""
    from models.checkpoint import FOLDER
    from models.variant import get

    if Path(model).exists():
        return Path(model)
    if runtime not in RUNTIMES:
        fail(f"{runtime!r} is none of {', '.join(RUNTIMES)}.", WRONG_USAGE)
    own = get(model).resolution
    checkpoint = FOLDER / f"{model}.safetensors"
    if not checkpoint.is_file():
        shipped = ", ".join(sorted(path.stem for path in FOLDER.glob("*.safetensors")))
        fail(f"{model} has no checkpoint yet; name another with --model: {shipped}.", NOT_MEASURED)
    return checkpoint if runtime == "pytorch" else converted(model, checkpoint, runtime, size or own)


def converted(variant: str, checkpoint: Path, runtime: str, size: Resolution) -> Path:
    """The variant's artifact for a runtime, from the cache or made now."""
    from converters.artifact import Failure, Spec
    from converters.build import build
    from models.checkpoint import sha256

    spec = Spec(variant, checkpoint, sha256(checkpoint), runtime, "fp32", size)  # type: ignore[arg-type]
    print(f"{spec.name}: from the cache, or converted once", file=sys.stderr)
    made = build([spec])[spec]
    if isinstance(made, Failure):
        fail(f"{spec.name}: {made.reason}", NOT_MEASURED)
    return made.path
