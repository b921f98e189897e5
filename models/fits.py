"""Whether what JSON or TOML holds may stand in a typed field."""

from __future__ import annotations

from typing import Any, Literal, get_args


def fits(value: Any, kind: Any) -> bool:
    """Whether `value`, a list in place of a tuple, is of the annotated type `kind`; what is inside dicts is theirs."""
    origin, args = getattr(kind, "__origin__", None), get_args(kind)
    if origin is Literal:
        return value in args
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        kinds = [args[0]] * len(value) if args[-1] is Ellipsis else args
        return len(value) == len(kinds) and all(fits(v, k) for v, k in zip(value, kinds, strict=True))
    if args and origin is not dict:  # a union
        return any(fits(value, k) for k in args)
    if isinstance(value, bool):
        return kind is bool
    return isinstance(value, origin or kind)
