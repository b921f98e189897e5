"""Text files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from models.files import check_outputs


def write(path: Path, text: str) -> None:
    """Put `text` at `path`, in UTF-8. OSError, one sentence, where it cannot be; what was there before then stays.

    ValueError, one sentence, where `path` is a folder, a pipe or a device.
    """
    check_outputs([path])
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".fresh")
    try:
        fresh.write_text(text, encoding="utf-8")
        os.replace(fresh, path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise OSError(f"{path}: cannot be written ({error.strerror})") from None
