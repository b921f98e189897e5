"""What is checked of a user's files before they are opened or written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class SpecialFile(ValueError):
    """A pipe, a socket or a device where a file is needed: to open one may block for ever, or read for ever."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class BadOutput(ValueError):
    """A place that must not be written to; its text is one sentence."""


def refuse_special(path: Path) -> None:
    """SpecialFile when there is something at `path` that is neither a file nor a folder."""
    try:
        kind = KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except (OSError, ValueError):
        return
    if kind:
        raise SpecialFile(path, f"is {kind}, not a regular file")


def check_outputs(outputs: Iterable[Path | None], inputs: Iterable[Path] = ()) -> None:
    """BadOutput or SpecialFile for an output that is no regular file, is an input, or is named twice."""
    seen: list[Path] = []
    for path in filter(None, outputs):
        refuse_special(path)
        if path.is_dir():
            raise BadOutput(f"{path}: is a folder; name a file")
        if any(same(path, other) for other in inputs):
            raise BadOutput(f"{path}: is an input; give another place to write to")
        if any(same(path, other) for other in seen):
            raise BadOutput(f"{path}: two results cannot be one file; give each a name of its own")
        seen.append(path)


def same(one: Path, other: Path) -> bool:
    """Whether two paths, there or not, are one file."""
    try:
        if one.samefile(other):
            return True
    except (OSError, ValueError):
        pass
    return os.path.realpath(one) == os.path.realpath(other)
