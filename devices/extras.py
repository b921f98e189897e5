"""Packages that only some commands need: the extras of pyproject.toml, and what to say where one is not installed."""

from __future__ import annotations

from importlib.util import find_spec

EXTRAS = {
    "duckdb": "history",
    "pycocotools": "train",
    "segno": "web",
    "starlette": "web",
    "trustme": "web",
    "uvicorn": "web",
    "ziglang": "arm64",
}
"""Module -> the extra that brings it."""


def missing(*modules: str) -> str | None:
    """None when the modules, all of one extra, are installed; otherwise one sentence that ends in the command."""
    absent = [module for module in modules if find_spec(module) is None]
    if not absent:
        return None
    verb, extra = "is" if len(absent) == 1 else "are", EXTRAS[absent[0]]
    return f"{', '.join(absent)} {verb} not installed; this needs the extra [{extra}]: run `make setup EXTRAS={extra}`"
