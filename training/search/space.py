"""The article's freedoms as a space to search: parameters by name to a `Variant`, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from models.variant import Resolution, Variant, get, parse_resolution

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

RESOLUTIONS: tuple[Resolution, ...] = (
    (256, 256),
    (224, 224),
    (192, 192),
    (160, 256),
    (256, 160),
    (160, 160),
    (128, 128),
    (96, 160),
    (160, 96),
)
"""(height, width). 256x144 stands as 256x160, for both sides are multiples of 32."""

CHOICES: dict[str, tuple[Any, ...]] = {
    "kernel": (4, 8, 12),
    "stem": (16, 32, 48),
    "width8": (32, 48, 64, 96, 128),
    "width16": (64, 96, 128, 192),
    "width32": (128, 192, 256),
    "depth8": (0, 1, 2, 3),
    "depth16": (0, 2, 4, 6),
    "depth32": (0, 2, 4, 6),
    "squeeze": (2, 4, 8, 16, 32),
    "narrowest": (4, 8, 16),
    "skips": (True, False),
    "head": ("plain", "light", "half"),
    "entry": ("concat", "add"),
    "decoder16": (32, 48, 64, 96),
    "decoder8": (16, 32, 48),
    "decoder4": (16, 32),
}
"""Widths are multiples of 16, because kernels for this processor pad channels to tiles of 16: 24 cost what 32 do.
The dense head is left out, as it alone costs more than MediaPipe's whole network (training/PLAN.md); the stem's
stride is 4 throughout, for at half of it four times the pixels come out."""


def suggest(trial: BaseTrial, resolutions: Sequence[Resolution] = RESOLUTIONS) -> Variant:
    """The candidate that `trial` proposes."""
    sizes = [words(size) for size in resolutions]
    chosen = {name: trial.suggest_categorical(name, values) for name, values in CHOICES.items()}
    return variant(chosen | {"resolution": trial.suggest_categorical("resolution", sizes)})


def variant(parameters: Mapping[str, Any]) -> Variant:
    """The candidate of these parameters; `resolution` is written HEIGHTxWIDTH."""
    p = parameters
    return Variant(
        squeeze=p["squeeze"],
        narrowest=p["narrowest"],
        skips=p["skips"],
        head=p["head"],
        entry=p["entry"],
        kernel=p["kernel"],
        stem=p["stem"],
        widths=(p["width8"], p["width16"], p["width32"]),
        depths=(p["depth8"], p["depth16"], p["depth32"]),
        decoder=(p["decoder16"], p["decoder8"], p["decoder4"]),
        resolution=parse_resolution(p["resolution"]),
    )


def parameters(known: Variant, resolutions: Sequence[Resolution] = RESOLUTIONS) -> dict[str, Any]:
    """The inverse of `variant`; ValueError names what the space does not hold."""
    found = {
        "squeeze": known.squeeze,
        "narrowest": known.narrowest,
        "skips": known.skips,
        "head": known.head,
        "entry": known.entry,
        "kernel": known.kernel,
        "stem": known.stem,
        **{f"width{stride}": width for stride, width in zip((8, 16, 32), known.widths, strict=True)},
        **{f"depth{stride}": depth for stride, depth in zip((8, 16, 32), known.depths, strict=True)},
        **{f"decoder{stride}": width for stride, width in zip((16, 8, 4), known.decoder, strict=True)},
        "resolution": words(known.resolution),
    }
    choices = CHOICES | {"resolution": tuple(map(words, resolutions))}
    for name, value in found.items():
        if value not in choices[name]:
            raise ValueError(f"{name} {value} is not in the space: {', '.join(map(str, choices[name]))}")
    if variant(found) != known:
        raise ValueError("it differs from every candidate of the space in a field that is not searched")
    return {name: found[name] for name in choices}


def candidate(text: str, resolutions: Sequence[Resolution] = RESOLUTIONS) -> dict[str, Any]:
    """The parameters of a named variant, or of one that is changed, as `s4-skip-light:squeeze=8:depth8=1`."""
    name, *changes = text.split(":")
    found = parameters(get(name), resolutions)
    choices = CHOICES | {"resolution": tuple(map(words, resolutions))}
    for change in changes:
        field, _, value = change.partition("=")
        if field not in choices:
            raise ValueError(f"{field!r} is not in the space: {', '.join(choices)}")
        of = {str(choice): choice for choice in choices[field]}
        if value not in of:
            raise ValueError(f"{field} {value} is not in the space: {', '.join(of)}")
        found[field] = of[value]
    return found


def training_size(resolution: Resolution) -> int:
    """The side of the square pictures that train.py shows it: the same area, to the nearest multiple of 32."""
    return max(1, round((resolution[0] * resolution[1]) ** 0.5 / 32)) * 32


def words(resolution: Resolution) -> str:
    return "x".join(map(str, resolution))
