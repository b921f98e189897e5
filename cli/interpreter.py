"""bench.py, train.py and segment.py under any Python: they go on in the project's .venv where that has their packages.

Runs before every other import of the project, so it needs the standard library alone and Python 3.8 or newer.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)
NEEDED = ("ai_edge_litert", "cv2", "numpy", "psutil", "safetensors", "torch", "typer")
"""Modules that tell an environment made for this project from any other."""
NEEDED_FOR_A_PACK = ("cv2", "numpy", "safetensors", "torch")
"""What a training from a pack takes (docs/gpu-training.md)."""
WRONG_USAGE = 64
"""That of models/arguments.py, which a Python without the packages need not read."""
SENT = "SEGMENTATION_BENCH_SENT"
"""Set for the interpreter in .venv, which must not start itself again when it lacks packages too."""


def ensure(needed: tuple[str, ...] = NEEDED) -> None:
    """Return where this interpreter can run the project, which is where it has the modules `needed`.

    Elsewhere replace this process by the interpreter in .venv, with the same arguments. Where there is none, or where
    it lacks packages too, exit with WRONG_USAGE and one sentence.
    """
    sent = os.environ.pop(SENT, None)
    if not (lacks := _lacks(needed)):
        return
    python = ROOT / ".venv" / "bin" / "python"
    if not sent and os.access(python, os.X_OK):
        os.environ[SENT] = "yes"
        os.execv(python, [str(python), *sys.argv])
    # `make setup` alone does nothing for an environment that it has already made.
    target = "clean setup" if sent else "setup"
    where = ROOT / ".venv" if sent else sys.executable
    print(f"{Path(sys.argv[0]).name}: {where} {lacks}; run `make {target}` in {ROOT}, then again.", file=sys.stderr)
    sys.exit(WRONG_USAGE)


def _lacks(needed: tuple[str, ...]) -> str:
    """What keeps this interpreter from running the project, in words; empty when nothing does."""
    if sys.version_info < OLDEST:
        return "is Python {}.{}, and 3.11 or newer is needed".format(*sys.version_info[:2])
    missing = [name for name in needed if find_spec(name) is None]
    return f"has no {', '.join(missing)}" if missing else ""
