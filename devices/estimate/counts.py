"""counts.json: ARM instructions of the public networks, counted once and kept in the repository.

Its `kit` is the hash of what counted: the program that runs a model, and LiteRT's pinned version.

`python -m devices.estimate.counts` counts those that are missing, all of them when the runner kit has changed.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from devices.catalog import Phone, phones
from devices.estimate.published import Times, published
from devices.instructions import DOT, PLAIN

COUNTS = Path(__file__).with_name("counts.json")
RUNNER = Path(__file__).resolve().parents[1] / "aarch64_runner"

Key = tuple[str, str, str]
"""Network, precision, core."""


def core(phone: Phone, precision: str) -> str:
    """qemu's name of the core whose kernels the phone's fast cores take.

    float32 kernels have no use for dot products: the public networks' counts are the same on both cores.
    """
    return DOT if phone.dot_products and precision == "int8" else PLAIN


def counts(times: Times) -> dict[str, int]:
    """Instructions of each network that `times` has a time of, on the phone's kind of core."""
    return {
        name: kept()[name, times.precision, core(phones()[times.phone], times.precision)] for name in times.milliseconds
    }


@cache
def kept() -> dict[Key, int]:
    return _flat(json.loads(COUNTS.read_text())["counts"])


def wanted() -> list[Key]:
    """What the published times need, each once."""
    keys = [
        (name, times.precision, core(phones()[times.phone], times.precision))
        for times in published()
        for name in times.milliseconds
    ]
    return sorted(set(keys))


def kit() -> str:
    """The hash of the sources that a count depends on. It costs no build, and is the same in every checkout."""
    digest = hashlib.sha256()
    for name in ("count.c", "frame_mark.h", "insn_count.c", "litert.h", "litert.txt"):
        digest.update(hashlib.sha256((RUNNER / name).read_bytes()).digest())
    return digest.hexdigest()[:16]


def _flat(nested: Mapping[str, Mapping[str, Mapping[str, int]]]) -> dict[Key, int]:
    return {
        (name, precision, on): count
        for name, precisions in nested.items()
        for precision, cores in precisions.items()
        for on, count in cores.items()
    }


def _write(found: Mapping[Key, int]) -> None:
    nested: dict[str, dict[str, dict[str, int]]] = {}
    for name, precision, on in sorted(found):
        nested.setdefault(name, {}).setdefault(precision, {})[on] = found[name, precision, on]
    lines = [f"  {json.dumps(name)}: {json.dumps(nested[name])}" for name in nested]
    COUNTS.write_text(f'{{"kit": {json.dumps(kit())}, "counts": {{\n' + ",\n".join(lines) + "\n}}\n")


def missing() -> list[Key]:
    """What was not counted with today's kit."""
    stored = json.loads(COUNTS.read_text())
    have = _flat(stored["counts"]) if stored["kit"] == kit() else {}
    return [key for key in wanted() if key not in have]


def main() -> None:
    from devices import instructions
    from devices.estimate.networks import tflite

    if reason := instructions.available():
        sys.exit(reason)
    todo = missing()
    found = {key: count for key, count in kept().items() if key not in todo and key in wanted()}
    for key in todo:
        name, precision, on = key
        found[key] = instructions.count(tflite(name, precision), on)
        print(f"{name} {precision} {on}: {found[key]:,}", flush=True)
        _write(found)


if __name__ == "__main__":
    main()
