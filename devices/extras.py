"""Packages that only some commands need: the extras of pyproject.toml, and what to say where one is not installed."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS: dict[str, tuple[str, ...]] = {
    "android": ("adbutils",),
    "arm64": ("ziglang",),
    "search": ("optuna",),
    "train": ("pycocotools",),
    "web": ("segno", "starlette", "trustme", "uvicorn"),
}
"""Extra -> the modules that it brings."""


def missing(extra: str) -> str | None:
    """None when the modules of `extra` are installed; otherwise one sentence without its end, with the command."""
    absent = [module for module in EXTRAS[extra] if find_spec(module) is None]
    if not absent:
        return None
    verb = "is" if len(absent) == 1 else "are"
    install = f".venv/bin/pip install -e '.[{extra}]' -c constraints.txt"
    return f"{', '.join(absent)} {verb} not installed; this needs the extra [{extra}]: {install}"
