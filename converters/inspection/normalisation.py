"""How a graph wants its colours: what its own numbers say, and the usual ways to try otherwise. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from converters.inspection.graph import Operator, Port

Three = tuple[float, ...]


@dataclass(frozen=True)
class Normalisation:
    """(rgb - mean) / std, rgb in [0, 1]."""

    name: str
    mean: Three
    std: Three

    @property
    def options(self) -> str:
        return f"--mean {_numbers(self.mean)} --std {_numbers(self.std)}"

    @property
    def reversed(self) -> Normalisation:
        """The same for colours in the opposite order."""
        return replace(self, mean=self.mean[::-1], std=self.std[::-1])

    def is_near(self, other: Normalisation) -> bool:
        """Whether it gives the same, up to a hundredth of what it divides by."""
        pairs = [*zip(self.mean, other.mean, strict=True), *zip(self.std, other.std, strict=True)]
        return all(abs(a - b) <= 0.01 * min(self.std) for a, b in pairs)


UNIT = Normalisation("0 to 1", (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
SYMMETRIC = Normalisation("-1 to 1", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
IMAGENET = Normalisation("ImageNet's mean and standard deviation", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = Normalisation("-0.5 to 0.5", (0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
PIXELS = Normalisation("0 to 255", (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255))
CENTRED = Normalisation("-127.5 to 127.5", (0.5, 0.5, 0.5), (1 / 255, 1 / 255, 1 / 255))
CAFFE = Normalisation("0 to 255 without ImageNet's mean", (0.485, 0.456, 0.406), (1 / 255, 1 / 255, 1 / 255))
USUAL = (UNIT, SYMMETRIC, IMAGENET, HALVES, PIXELS, CENTRED, CAFFE)
"""The ones that are tried, the most usual first."""


def from_metadata(port: Port, scaling: tuple[Three, Three]) -> tuple[Normalisation, str]:
    """What a file's own metadata says of an input: (mean, std) of pixels from 0 to 255, one number or three each."""
    mean, std = (tuple(one / 255 for one in (numbers * 3 if len(numbers) == 1 else numbers)) for numbers in scaling)
    stated = Normalisation("as its metadata says", mean, std)
    how = f"{port.name}'s metadata says so"
    return next((way for way in USUAL if way.is_near(stated)), stated), how


def from_graph(port: Port, head: Sequence[Operator]) -> tuple[Normalisation, str] | None:
    """What a picture's input and the operators behind it say, and how; None when they say nothing."""
    if port.dtype == "uint8" and not port.scale:
        return UNIT, f"{port.name} takes pixels in 8 bits"
    if port.scale:
        limits = (0, 255) if port.dtype == "uint8" else (-128, 127)
        low, high = (port.scale * (limit - port.zero_point) for limit in limits)
        if found := _of_range(low, high):
            return found, f"{port.name}'s quantisation spans {low:.3g} to {high:.3g}"
    shift, scale, seen = 0.0, 1.0, False
    for operator in takewhile(lambda one: one.kind in ("cast", "layout", "shift", "scale"), head):
        if operator.kind == "shift":
            shift, seen = shift + _mean(operator.numbers), True
        elif operator.kind == "scale":
            factor = _mean(operator.numbers)
            shift, scale, seen = shift * factor, scale * factor, True
    if not seen:
        return None
    # The graph computes x * scale + shift: its middle of colour tells which x it expects.
    if abs(scale) < 0.1:
        return PIXELS, f"the graph divides {port.name} by {1 / scale:.4g}"
    if shift < -5:
        return PIXELS, f"the graph subtracts {-shift / scale:.4g} from {port.name}"
    if shift < -0.1:
        return UNIT, f"the graph subtracts {-shift / scale:.4g} from {port.name}"
    if abs(scale - 0.5) < 0.01 and abs(shift - 0.5) < 0.01:
        return SYMMETRIC, f"the graph brings {port.name} from -1..1 to 0..1"
    return None


def _of_range(low: float, high: float) -> Normalisation | None:
    """The usual range that a quantised input spans."""
    if abs(low) < 0.02 and abs(high - 1) < 0.02:
        return UNIT
    if abs(low + 1) < 0.03 and abs(high - 1) < 0.03:
        return SYMMETRIC
    if abs(low) < 2 and abs(high - 255) < 3:
        return PIXELS
    # ImageNet's spans -2.12 to 2.64.
    return IMAGENET if abs(low + 2.12) < 0.1 and abs(high - 2.64) < 0.1 else None


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _numbers(three: Three) -> str:
    return ",".join(f"{one:.6g}" for one in three)
