"""From a path or a name to a model that runs: a checkpoint in PyTorch, or an artifact of any format in its runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import models.peer
from converters.artifact import Precision
from converters.registry import cannot_run, converter, format_of
from converters.session import Session
from models import checkpoint
from models.peer import Peer
from models.segmenter import no_mask
from models.variant import VARIANTS, Resolution

CHECKPOINT = ".safetensors"


def open_model(
    path: Path | str, precision: Precision = "fp32", resolution: Resolution | None = None, threads: int = 1
) -> tuple[Session, Resolution]:
    """A `models.segmenter.Step` and its (height, width), by the path's suffix.

    A variant's name is its checkpoint; a name in peers.toml, or the very file that an entry pins, is that peer with all
    its entry says. An artifact has one resolution; a checkpoint runs at `resolution`, or its variant's own. ValueError,
    one sentence, when there is nothing at the path, its format is not known or cannot run here, or it breaks the
    contract `(frame, prev_mask) -> mask`: shapes alike, values in [0, 1].
    """
    if peer := _peer(path):
        return _open_peer(*peer, resolution, threads)
    path = (checkpoint.find(str(path)) if str(path) in VARIANTS else None) or Path(path)
    if not path.exists():
        raise ValueError(f"{path}: there is no such model")
    session = (
        _checkpoint(path, resolution, threads) if path.suffix == CHECKPOINT else _artifact(path, precision, threads)
    )
    if resolution and resolution != session.resolution:
        raise ValueError(f"{path}: was made for {_size(session.resolution)}, not {_size(resolution)}")
    _check(path, session)
    return session, session.resolution


def _peer(path: Path | str) -> tuple[Peer, Path | None] | None:
    """The peer of that name, or the one whose file this is, with the file."""
    peers = models.peer.read()
    if found := peers.get(str(path)):
        return found, None
    path = Path(path)
    if not path.is_file() or path.suffix not in models.peer.FORMATS:
        return None
    from converters.peer import hash_of

    digest = hash_of(path)
    return next(((peer, path) for peer in peers.values() if peer.sha256 == digest), None)


def _open_peer(
    peer: Peer, path: Path | None, resolution: Resolution | None, threads: int
) -> tuple[Session, Resolution]:
    from converters.peer import fetch, open_peer

    if resolution and resolution != peer.resolution:
        raise ValueError(f"{peer.name}: was made for {_size(peer.resolution)}, not {_size(resolution)}")
    return open_peer(peer, path or fetch(peer), threads), peer.resolution


def _checkpoint(path: Path, resolution: Resolution | None, threads: int) -> Session:
    from devices.baseline import Eager

    session = Eager(path, threads, resolution)
    session.network.variant.check_resolution(session.resolution)
    return session


def _artifact(path: Path, precision: Precision, threads: int) -> Session:
    try:
        format = format_of(path)
    except ValueError as error:
        raise ValueError(f"{error}; a checkpoint ends in {CHECKPOINT}") from None
    module = converter(format)
    if reason := cannot_run(format):
        raise ValueError(f"{path}: {reason}")
    try:
        return module.load(path, threads, precision)
    # Every runtime has errors of its own for a file it does not like, some of no common class.
    except Exception as error:
        raise ValueError(
            f"{path}: not a model of the contract (frame, prev_mask) -> mask ({_first_line(error)})"
        ) from None


def _check(path: Path, session: Session) -> None:
    """One blank frame must give one mask of the frame's size."""
    height, width = session.resolution
    try:
        mask = session(np.zeros((1, height, width, 3), np.float32), no_mask(session.resolution))
    except Exception as error:
        raise ValueError(
            f"{path}: does not turn a frame and a previous mask into a mask ({_first_line(error)})"
        ) from None
    if mask.shape != (1, height, width, 1):
        raise ValueError(f"{path}: gives {mask.shape} where a mask of (1, {height}, {width}, 1) belongs")
    if not np.all((mask >= 0) & (mask <= 1)):
        raise ValueError(f"{path}: gives values outside [0, 1], from {mask.min():g} to {mask.max():g}")


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def _size(resolution: Resolution) -> str:
    return f"{resolution[0]}x{resolution[1]}"
