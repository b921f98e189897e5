"""What is checked of a user's files before they are opened or written."""

from __future__ import annotations

import json
import os
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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


MOST_TEXT = 64_000_000
"""Bytes of a text file that is read at once."""


def read_text(path: Path) -> str:
    """The text of a user's file, in UTF-8 with or without a byte-order mark.

    ValueError, one sentence, for whatever is no such file: it would block, is too large or is no text.
    """
    refuse_special(path)
    try:
        if path.stat().st_size > MOST_TEXT:
            raise ValueError(f"{path}: has more than {MOST_TEXT // 10**6} MB")
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no text in UTF-8") from None
    except FileNotFoundError:
        raise ValueError(f"{path}: there is no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None


def read_json(path: Path) -> Any:
    """What a user's JSON file holds. ValueError, one sentence, when it is none, as of `read_text`."""
    text = read_text(path)
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f"{path}: is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{path}: is no JSON ({error})") from None


def read_toml(path: Path) -> dict[str, Any]:
    """What a user's TOML file holds. ValueError, one sentence, when it is none, as of `read_text`."""
    text = read_text(path)
    try:
        return parse_toml(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def parse_toml(text: str) -> dict[str, Any]:
    """ValueError, one sentence, for a text that is no TOML."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"not TOML: {error}") from None


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
