"""A graph as far as an inspection looks at it: its ports, and the operators next to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["cast", "shift", "scale", "layout", "resize", "sigmoid", "softmax", "argmax", "clip", "relu", "other"]
"""What an operator does to values: converts them, adds to them, multiplies them, moves or resamples them."""

KINDS: dict[str, Kind] = {
    **dict.fromkeys(("cast", "convert", "quantize", "dequantize", "quantizelinear", "dequantizelinear"), "cast"),
    **dict.fromkeys(("convertlike", "fakequantize"), "cast"),
    **dict.fromkeys(("add", "sub", "subtract"), "shift"),
    **dict.fromkeys(("mul", "div", "multiply", "divide"), "scale"),
    **dict.fromkeys(("transpose", "reshape", "squeeze", "unsqueeze", "slice", "gather", "identity"), "layout"),
    **dict.fromkeys(("strided_slice", "stridedslice", "expand_dims", "flatten", "concat", "pad", "split"), "layout"),
    **dict.fromkeys(("concatenation", "pack", "unpack", "variadicsplit"), "layout"),
    **dict.fromkeys(("resize", "upsample", "interpolate", "resize_bilinear", "resize_nearest_neighbor"), "resize"),
    **dict.fromkeys(("depthtospace", "depth_to_space", "averagepool", "avgpool"), "resize"),
    **dict.fromkeys(("sigmoid", "logistic", "hardsigmoid"), "sigmoid"),
    "softmax": "softmax",
    **dict.fromkeys(("argmax", "arg_max", "topk"), "argmax"),
    **dict.fromkeys(("clip", "clamp"), "clip"),
    "relu": "relu",
}
"""Names of operators, in small letters, of every format."""


@dataclass(frozen=True)
class Port:
    """One input or output. A side that the graph leaves open is None; `scale` 0 is no quantisation."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    """As NumPy calls it."""
    scale: float = 0.0
    zero_point: int = 0


@dataclass(frozen=True)
class Operator:
    """One operator with what it holds: the numbers it adds or multiplies by, with their sign, or its limits."""

    kind: Kind
    numbers: tuple[float, ...] = ()


@dataclass(frozen=True)
class Graph:
    """What a reader tells of a file."""

    format: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    heads: Mapping[str, tuple[Operator, ...]] = field(default_factory=dict)
    """Input -> the operators that its values pass first, in order."""
    tails: Mapping[str, tuple[Operator, ...]] = field(default_factory=dict)
    """Output -> the operators that made it, the last first."""
    scalings: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)
    """Input -> (mean, std) of its pixels from 0 to 255, where the file says so in words of its own."""


@dataclass(frozen=True)
class Node:
    """An operator of a reader's own graph, in terms common to all formats."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    limits: tuple[float, ...] = ()


MOST = 24
"""How many operators of a chain are looked at."""


def chains(
    nodes: list[Node], inputs: list[str], outputs: list[str], constants: Mapping[str, tuple[float, ...]]
) -> tuple[dict[str, tuple[Operator, ...]], dict[str, tuple[Operator, ...]]]:
    """`heads` and `tails` of a graph; `constants` has the numbers of its small constants, and () for large ones."""
    makers = {name: node for node in nodes for name in node.outputs}
    readers: dict[str, list[Node]] = {}
    for node in nodes:
        for name in node.inputs:
            readers.setdefault(name, []).append(node)

    def head(name: str) -> tuple[Operator, ...]:
        found: list[Operator] = []
        while len(following := readers.get(name, [])) == 1 and len(found) < MOST:
            (node,) = following
            found.append(_operator(node, name, constants))
            if found[-1].kind == "other" or len(node.outputs) != 1:
                break
            name = node.outputs[0]
        return tuple(found)

    def tail(name: str) -> tuple[Operator, ...]:
        found: list[Operator] = []
        while (node := makers.get(name)) and len(found) < MOST:
            values = [one for one in node.inputs if one not in constants]
            found.append(_operator(node, values[0] if values else name, constants))
            if found[-1].kind == "other" or len(values) != 1:
                break
            name = values[0]
        return tuple(found)

    return {name: head(name) for name in inputs}, {name: tail(name) for name in outputs}


def _operator(node: Node, through: str, constants: Mapping[str, tuple[float, ...]]) -> Operator:
    """The operator as what it does to the values called `through`."""
    op = node.op.lower()
    kind = KINDS.get(op, "other")
    if kind == "clip":
        limits = node.limits or tuple(n for one in node.inputs[1:] for n in constants.get(one, ()))
        return Operator(kind, limits)
    if kind not in ("shift", "scale"):
        return Operator(kind)
    others = [one for one in node.inputs if one != through]
    numbers = constants.get(others[0], ()) if len(others) == 1 else ()
    if len(others) != 1 or not numbers:
        return Operator("other")
    if op in ("sub", "subtract"):
        if node.inputs[0] != through:
            return Operator("other")
        numbers = tuple(-number for number in numbers)
    if op in ("div", "divide"):
        if node.inputs[0] != through or not all(numbers):
            return Operator("other")
        numbers = tuple(1 / number for number in numbers)
    return Operator(kind, numbers)
