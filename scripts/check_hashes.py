"""Whether what pip has installed is what requirements.lock pins, hash by hash; of the standard library alone.

    .venv/bin/python -I -S scripts/check_hashes.py REPORT requirements.lock

REPORT is what `pip install --report` wrote. Started with -S nothing that was installed runs, not even a .pth file. A
build with a local version, such as PyTorch's `+cpu`, is on no public index: it is named, not checked.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def locked(text: str) -> dict[str, set[str]]:
    """{"name==version": hashes (sha256)} of a lock file as uv and pip-compile write it."""
    found: dict[str, set[str]] = {}
    for entry in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.M)):
        if pinned := re.match(r"([\w.-]+)==([^\s;\\]+)", entry):
            found[f"{_name(pinned[1])}=={pinned[2]}"] = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", entry))
    return found


def installed(report: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """("name==version", sha256) of each archive that pip installed; without one the hash is empty."""
    for one in report["install"]:
        about, came = one["metadata"], one["download_info"].get("archive_info", {})
        digest = came.get("hashes", {}).get("sha256") or str(came.get("hash", "")).removeprefix("sha256=")
        yield f"{_name(about['name'])}=={about['version']}", digest


def _name(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main(report: str, lock: str) -> int:
    known = locked(Path(lock).read_text())
    wrong = 0
    for pin, digest in installed(json.loads(Path(report).read_text())):
        if digest in known.get(pin, ()):
            continue
        if "+" in pin and pin.partition("+")[0] in known:
            print(f"setup: {pin} is no build of the public index: its hash is not checked", file=sys.stderr)
            continue
        wrong += 1
        why = f"has the hash {digest or 'of nothing'}" if pin in known else "is not pinned"
        print(f"setup: {pin} {why}; requirements.lock knows another", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
