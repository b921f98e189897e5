"""What a graph gives: which output is the mask, how it lies there, and what its values are. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters.inspection.graph import Graph, Operator, Port
from converters.inspection.told import Question, Told
from converters.reference_session import flat
from models.reference import Output, OutputLayout
from models.variant import Resolution

Shape = tuple[int, ...]

ALPHA = ("pha", "alpha", "matte")
"""Names of an output that is the mask, whatever else there is."""


@dataclass(frozen=True)
class Mask:
    """An output that may be the mask, in one layout."""

    port: Port
    layout: OutputLayout
    channels: int


def masks_of(graph: Graph, shapes: Mapping[str, Shape], resolution: Resolution, told: Told) -> list[Mask]:
    """The output that is the mask, in every layout that it may have; `shapes` are those it really had.

    Question where there are several such outputs, or none.
    """
    states = {out for _, out in told.states}
    ports = [port for port in graph.outputs if port.name not in states]
    if told.output:
        ports = [port for port in ports if port.name == told.output]
        if not ports:
            raise Question(f"gives no {told.output!r} but {listed(graph.outputs, shapes)}; --output names one of them")
    found = {port.name: (port, layouts(shapes[port.name], resolution, told)) for port in ports}
    found = {name: pair for name, pair in found.items() if pair[1]}
    if not found:
        given = listed(ports, shapes)
        if told.output_layout:
            raise Question(f"gives {given}, which is no mask in {told.output_layout}: --output-layout is another")
        raise Question(f"gives {given}, and none of it has the sides of the picture; --output-layout tells how it lies")
    if len(found) > 1:
        found = {name: pair for name, pair in found.items() if name.lower() in ALPHA} or found
    if len(found) > 1:
        floats = {name: pair for name, pair in found.items() if pair[0].dtype.startswith("float")}
        found = floats if len(floats) == 1 else found
    if len(found) > 1:
        raise Question(f"gives {listed(graph.outputs, shapes)}; say which is the mask with --output NAME")
    ((port, those),) = found.values()
    return [Mask(port, layout, channels) for layout, channels in those]


def layouts(shape: Shape, resolution: Resolution, told: Told) -> list[tuple[OutputLayout, int]]:
    """(layout, channels) of an output of that shape, every way in which it can be a picture of that aspect."""
    return [one for one in _layouts(shape, resolution) if told.output_layout in (None, one[0])]


def _layouts(shape: Shape, resolution: Resolution) -> list[tuple[OutputLayout, int]]:
    inner = shape[1:] if len(shape) > 1 and shape[0] == 1 else shape
    if len(inner) == 2 and _alike(inner, resolution):
        return [("NCHW", 1)]
    if len(inner) == 3:
        found: list[tuple[OutputLayout, int]] = []
        if _alike(inner[1:], resolution):
            found.append(("NCHW", inner[0]))
        if _alike(inner[:2], resolution):
            found.append(("NHWC", inner[2]))
        return found
    try:
        channels, (height, width) = flat(int(np.prod(shape)), resolution)
    except ValueError:
        return []
    if channels == 1:
        return [("flat-NCHW", 1)]
    long = height * width
    if long in inner:
        return [("flat-NCHW" if inner[-1] == long else "flat-NHWC", channels)]
    return [("flat-NHWC", channels), ("flat-NCHW", channels)] if len(inner) == 1 else []


def _alike(sides: Sequence[int], resolution: Resolution) -> bool:
    """Whether two sides have the aspect of the picture, and at least a thirty-second of its sides."""
    down, across = (side / whole for side, whole in zip(sides, resolution, strict=True))
    return down >= 1 / 33 and abs(down - across) <= 0.6 * max(1 / r for r in resolution)


def kind_of(mask: Mask, tail: Sequence[Operator], values: Sequence[NDArray[Any]]) -> tuple[Output, bool]:
    """What the values of an output are, and whether the graph says so rather than the values that were seen."""
    port = mask.port
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    moved = {"cast", "layout", "resize"}
    last = next((one for one in tail if one.kind not in moved), None)
    if last and last.kind == "argmax":
        return "class-ids", True
    if not port.dtype.startswith("float") and not port.scale:
        # Of integers without a scale, either numbers of classes or a mask in 8 bits.
        return ("probabilities", False) if port.dtype == "uint8" and high > 150 else ("class-ids", True)
    if port.scale:
        low, high = sorted((port.scale * (low - port.zero_point), port.scale * (high - port.zero_point)))
    if last and last.kind == "scale" and abs(max(last.numbers) - 255) < 1:
        return "pixels", True
    if last and (last.kind in ("sigmoid", "softmax") or (last.kind == "clip" and last.numbers == (0.0, 1.0))):
        return "probabilities", True
    if low >= -0.01 and high <= 1.01:
        return "probabilities", False
    if low >= -1 and 100 < high < 256:
        return "pixels", False
    return ("logits" if mask.channels == 1 else "class-logits"), False


def listed(ports: Sequence[Port], shapes: Mapping[str, Shape]) -> str:
    return ", ".join(f"{port.name} ({'x'.join(map(str, shapes[port.name]))}, {port.dtype})" for port in ports)
