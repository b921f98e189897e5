"""Temporary folders that a crash leaves behind for no longer than until the next start.

Each is held by a lock that ends with its process, however that ends; what nobody holds is swept. A process's number
would not do: containers that share a folder do not share numbers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

PREFIX = "segmentation-bench-"
LOCK = ".held"
YOUNG_SECONDS = 60.0
"""A folder without a lock, or under its first name, may be about to get one."""


class Held(OSError):
    """A lock that another process holds."""


@contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock that is the file `path` until the block, or this process, ends. Held when another has it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(f"{path} is held by another process") from None
        yield
    finally:
        os.close(file)


@contextmanager
def scratch(name: str, parent: Path | None = None) -> Iterator[Path]:
    """An empty folder in `parent`, or where the system keeps temporary files; gone afterwards.

    Those that crashed processes left there go too.
    """
    root = parent or Path(tempfile.gettempdir())
    sweep(root)
    folder = Path(tempfile.mkdtemp(prefix=f".{PREFIX}{name}-", dir=root))
    try:
        with hold(folder / LOCK):
            # Named so that others sweep it only now: a lock that is there and not yet held looks like a crash.
            folder = folder.rename(folder.with_name(folder.name.removeprefix(".")))
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@cache
def sweep(root: Path) -> None:
    """Remove the scratch folders in `root` that are this user's and that nobody holds."""
    for folder in (*root.glob(f"{PREFIX}*-*"), *root.glob(f".{PREFIX}*-*")):
        with suppress(OSError):
            about = folder.lstat()
            if about.st_uid != os.getuid() or folder.is_symlink() or not folder.is_dir():
                continue
            if time.time() - about.st_mtime > YOUNG_SECONDS or (
                (folder / LOCK).exists() and not folder.name.startswith(".")
            ):
                with hold(folder / LOCK):
                    shutil.rmtree(folder, ignore_errors=True)
