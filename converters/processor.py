"""The processor that this process runs on, as far as the arithmetic of int8 depends on it.

Each runtime chooses its int8 kernels by the vector extensions it finds. On x86-64 with AVX2 or AVX-512 and without
VNNI the usual kernel multiplies with VPMADDUBSW, which adds two products of a uint8 and an int8 and saturates their
sum in 16 bits (Intel's Software Developer's Manual, PMADDUBSW); VNNI's VPDPBUSD and ARM's dot products add in 32 bits.
So an artifact that is right on one processor can be wrong on another, and a figure needs the processor's name.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

UNKNOWN = "unknown processor"
EXTENSIONS: dict[str, tuple[str, ...]] = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512bw",),
    "AVX-VNNI": ("avx_vnni",),
    "AVX-512 VNNI": ("avx512_vnni", "avx512vnni"),
    "AMX": ("amx_int8",),
    "NEON": ("asimd", "neon", "advsimd"),
    "dot products": ("asimddp", "feat_dotprod"),
    "i8mm": ("i8mm", "feat_i8mm"),
}
"""Our name of an extension that decides int8's arithmetic or time, to its names in /proc/cpuinfo and in sysctl."""


@dataclass(frozen=True)
class Processor:
    """A processor's model name, and those of EXTENSIONS that it has, in that order."""

    model: str
    extensions: tuple[str, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Processor:
        """The inverse of `dataclasses.asdict`, through JSON too."""
        return cls(values["model"], tuple(values["extensions"]))

    @property
    def label(self) -> str:
        """Such as "AMD EPYC (AVX2)"."""
        return f"{self.model} ({', '.join(self.extensions)})" if self.extensions else self.model


def from_cpuinfo(text: str) -> Processor:
    """From the text of Linux's /proc/cpuinfo, of x86-64 or ARM; what all its cores have.

    ARM cores have no model name there: the board's name stands for it, or each kind's implementer and part. A name
    without a number, as some hypervisors give, is that of several generations: family and model tell them apart.
    """
    lines = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in text.splitlines())]

    def values(*names: str) -> list[str]:
        return list(dict.fromkeys(value for name, value in lines if name in names and value))

    parts = dict.fromkeys(zip(_every(lines, "CPU implementer"), _every(lines, "CPU part"), strict=False))
    by_part = [f"ARM {' + '.join(f'{implementer}/{part}' for implementer, part in parts)}"] if parts else []
    model = [*values("model name"), *values("Model", "Hardware"), *by_part, UNKNOWN][0]
    if model in values("model name") and not any(map(str.isdigit, model)):
        model += "".join(f", family {one} model {two}" for one in values("cpu family") for two in values("model"))
    cores = [set(flags.split()) for flags in values("flags", "Features")]
    return Processor(model, _extensions(set.intersection(*cores) if cores else set()))


def from_sysctl(text: str) -> Processor:
    """From what macOS's `sysctl machdep.cpu hw.optional` prints, on Apple silicon or Intel."""
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}
    words = {word.lower() for name, value in facts.items() if name.endswith("features") for word in value.split()}
    present = {name.rpartition(".")[2].lower() for name, value in facts.items() if value == "1"}
    return Processor(facts.get("machdep.cpu.brand_string") or UNKNOWN, _extensions(words | present))


@cache
def here() -> Processor:
    """The processor of this machine; its model is UNKNOWN and it has no extensions where neither source can be read."""
    if sys.platform == "darwin":
        import subprocess

        try:
            said = subprocess.run(
                ["sysctl", "machdep.cpu", "hw.optional"], capture_output=True, text=True, check=False, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired):
            return Processor(UNKNOWN)
        return from_sysctl(said.stdout)
    try:
        return from_cpuinfo(Path("/proc/cpuinfo").read_text(errors="replace"))
    except OSError:
        return Processor(platform.processor() or UNKNOWN)


def _every(lines: list[tuple[str, str]], wanted: str) -> list[str]:
    return [value for name, value in lines if name == wanted]


def _extensions(found: set[str]) -> tuple[str, ...]:
    return tuple(name for name, words in EXTENSIONS.items() if found.intersection(words))
