"""Facts about a machine or a phone: one that cannot be read is omitted, and never ends a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")

Hazards = Mapping[str, tuple[str, Callable[[Mapping[str, Any]], bool]]]
"""Name -> (what it means, whether the facts show it)."""


def attempt(read: Callable[[], T]) -> T | None:
    """What `read` returns; None when it raises.

    Any exception: psutil alone has raised OSError, NotImplementedError, RuntimeError and AttributeError for a file of
    the kernel's that a container or an older system lacks.
    """
    try:
        return read()
    except Exception:
        return None


def gather(probes: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Fact -> value, of the probes that give one. A probe that raises or gives None is omitted."""
    read = {name: attempt(probe) for name, probe in probes.items()}
    return {name: value for name, value in read.items() if value is not None}


def shown(hazards: Hazards, facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the hazards that `facts` show, in their order. A fact that is no value of its kind shows nothing."""
    return tuple(name for name, (_, is_shown) in hazards.items() if attempt(partial(is_shown, facts)))
