"""What only some formats and commands need: the extras of pyproject.toml, and the sentence where one is absent."""

from __future__ import annotations

import platform
from importlib.util import find_spec

EXTRAS = {
    "coremltools": "coreml",
    "duckdb": "history",
    "nncf": "openvino",
    "openvino": "openvino",
    "pycocotools": "train",
    "ray": "cluster",
    "segno": "web",
    "starlette": "web",
    "trustme": "web",
    "uvicorn": "web",
    "ziglang": "arm64",
}
"""Module -> the extra that brings it."""

NOT_ON_LINUX_ARM = ("coremltools", "litert_torch")
"""Modules whose packages have no wheel for Linux on ARM; pyproject.toml leaves them out there."""


def missing(*modules: str) -> str | None:
    """None when the modules are installed; otherwise one sentence that says what is not, and what installs it.

    None of them is imported.
    """
    absent = [module for module in modules if find_spec(module) is None]
    if not absent:
        return None
    never = [module for module in absent if module in NOT_ON_LINUX_ARM]
    if never and (platform.system(), platform.machine()) == ("Linux", "aarch64"):
        return f"{' and '.join(never)} {'has' if len(never) == 1 else 'have'} no wheel for Linux on ARM"
    verb, extras = "is" if len(absent) == 1 else "are", sorted({EXTRAS[name] for name in absent if name in EXTRAS})
    told = f"{', '.join(absent)} {verb} not installed"
    if not extras:
        return told
    named, all_of_them = " and ".join(f"[{extra}]" for extra in extras), ",".join(extras)
    return (
        f"{told}; this needs the extra{'s' if len(extras) > 1 else ''} {named}: run `make setup EXTRAS={all_of_them}`"
    )
