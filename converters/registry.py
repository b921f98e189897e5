"""From a format's name to its module, imported only when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from converters.artifact import FORMATS, Format, Precision, Spec
from converters.extras import missing
from converters.session import Session

if TYPE_CHECKING:
    from models.hourglass import Hourglass

Calibration = Iterable[tuple[NDArray[np.float32], NDArray[np.float32]]]
"""Pairs of (frame (1, H, W, 3), previous mask (1, H, W, 1)), float32 in [0, 1]."""


class Converter(Protocol):
    """What every format's module offers."""

    SUFFIX: str
    """The artifact's file suffix, with its dot."""
    RUNTIME: tuple[str, ...]
    """Modules that load and inspect an artifact that is there; converting needs more."""
    SECONDS: tuple[float, float]
    """What one conversion, and one measurement beside its counted seconds, took on two x86-64 cores."""

    def available(self) -> str | None:
        """None when the format can be made here; otherwise the reason it cannot, in one sentence."""
        ...

    def import_runtime(self) -> None:
        """Import what `load` needs: importing is Python's time, and no part of loading a model."""
        ...

    def versions(self) -> dict[str, str]:
        """Versions of all that shapes the artifact, without importing it: package name to version."""
        ...

    def convert(self, network: Hourglass, spec: Spec, out: Path, calibration: Calibration | None) -> Path:
        """Write `network` (in eval mode, batch normalisation folded) to `out` and return the path.

        `calibration` is None unless the precision is int8. Inputs are named `frame` and `prev_mask` (the latter only
        where the variant has a previous mask), the output `mask`; shapes are static, of `spec.resolution`.
        """
        ...

    def load(self, path: Path, threads: int = 1, precision: Precision = "fp32") -> Session: ...

    def files(self, path: Path, out: Path) -> dict[Path, Path]:
        """Every file that the artifact at `path` consists of -> where it belongs when the artifact is at `out`.

        They need not be there, but for `path`. ValueError, one sentence, for files outside of the artifact's folder.
        """
        ...

    def inspect(self, path: Path) -> dict[str, Any]:
        """{"ops": {name: count}, "leftovers": {"TRANSPOSE": n, "PAD": n, "RESHAPE": n}}; see `converters.graph`."""
        ...


def converter(format: str) -> Converter:
    """The module of `format`."""
    return cast(Converter, import_module(f"converters.{format}"))


def format_of(path: Path) -> Format:
    """The format an artifact's suffix tells; ValueError names the known suffixes."""
    suffixes = {converter(format).SUFFIX: format for format in FORMATS}
    try:
        return suffixes[path.suffix]
    except KeyError:
        raise ValueError(f"{path}: not an artifact; known suffixes are {', '.join(suffixes)}") from None


def cannot_run(format: str) -> str | None:
    """None when an artifact of `format` can be loaded here; otherwise the reason it cannot, in one sentence."""
    return missing(*converter(cast(Format, format)).RUNTIME)
