"""The known networks as files, made once, and their times on this machine, taken anew for every cell."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from devices.contract import CellFailed

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 600.0
MOST_WAITED = 0.1
"""Share of the time that a timed process may wait for a processor: little beside the ranges that follow."""


def files(names: Iterable[str], folder: Path | None = None) -> list[Path]:
    """The TFLite file of each network, from the cache or made now, in processes of their own."""
    if folder is None:
        from platformdirs import user_cache_path

        folder = user_cache_path("segmentation-bench") / "known"
    place = folder / _key()
    place.mkdir(parents=True, exist_ok=True)
    paths = [place / f"{name}.tflite" for name in names]
    if absent := [path.stem for path in paths if not path.exists()]:
        _run("networks", str(place), *absent)
    return paths


def times(paths: Iterable[Path]) -> dict[str, float]:
    """Network to milliseconds here, on one thread. CellFailed when something kept the process from running."""
    milliseconds, facts = timed(paths)
    check_undisturbed(facts)
    return milliseconds


def timed(paths: Iterable[Path]) -> tuple[dict[str, float], dict[str, Any]]:
    """Network to milliseconds here, and what the kernel tells of the process that timed them."""
    told = json.loads(_run("timing", *map(str, paths)))
    return told["milliseconds"], told["facts"]


def check_undisturbed(facts: Mapping[str, Any]) -> None:
    """CellFailed when the timed process was held up: a long inference is, a short one is not, and ratios are wrong."""
    waited = facts.get("waited_share", 0.0) + facts.get("stolen_share", 0.0)
    if waited > MOST_WAITED:
        raise CellFailed(
            "an estimate follows from times taken on this machine, where the timed process waited for a processor"
            f" {100 * waited:.0f} % of the time: ask again when it is quiet"
        )


def _key() -> str:
    code = (Path(__file__).with_name("networks.py")).read_bytes()
    versions = [metadata.version(name) for name in ("torch", "litert-torch")]
    return hashlib.sha256(code + repr(versions).encode()).hexdigest()[:16]


def _run(module: str, *arguments: str) -> str:
    command = [sys.executable, "-m", f"devices.estimate.{module}", *arguments]
    alone = os.environ | {"OMP_NUM_THREADS": "1"} if module == "timing" else None
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=alone, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise CellFailed(f"the known networks were not ready after {SECONDS:g} s ({module})") from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["nothing"]
        raise CellFailed(f"the known networks could not be made or timed here: {words[-1][:300]}")
    return done.stdout
