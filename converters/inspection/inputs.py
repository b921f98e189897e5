"""What a graph takes: which input is the picture and how it lies there, and what the others are for. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, cast

from converters.inspection.graph import Graph, Port
from converters.inspection.told import Question, Told
from models.bounds import MOST_SIDE_OF_OTHERS
from models.variant import DEFAULT_RESOLUTION, Resolution

Layout = Literal["NHWC", "NCHW"]
Channels = Literal[1, 3, 4]

RATIO = "downsample_ratio"
"""RobustVideoMatting's input of this name: how much smaller than the picture its network works."""
RATIO_SIDE = 512
"""Its own `auto_downsample_ratio` brings the longer side to as many pixels at most."""


@dataclass(frozen=True)
class Inputs:
    """The picture's input, and what else is fed."""

    picture: Port
    layout: Layout
    resolution: Resolution
    stacked_mask: bool = False
    previous_mask: str | None = None
    states: tuple[tuple[str, str], ...] = ()
    constants: tuple[tuple[str, float], ...] = ()
    assumed: tuple[str, ...] = ()
    unsure: tuple[str, ...] = ()


def inputs_of(graph: Graph, told: Told) -> Inputs:
    """How to feed `graph`. Question where it does not say."""
    _check_names(graph, told)
    answered = {name for name, _ in (*told.states, *told.constants)}
    left = [port for port in graph.inputs if port.name not in answered]
    pictures = [port for port in left if _places(port, 3) or _places(port, 4)]
    if told.input_layout is None and len(pictures) > 1:
        pictures = [port for port in pictures if _places(port, 3)] or pictures
    if len(pictures) > 1:
        # A state of three or four channels is smaller than the picture, or pairs with an output.
        paired = {name for name, _ in _pairs(left, graph.outputs)}
        pictures = [port for port in pictures if port.name not in paired] or pictures
    if len(pictures) != 1:
        found = "none of them" if not pictures else "more than one"
        how = "; say what the others are with --state INPUT=OUTPUT or --constant INPUT=NUMBER" if len(left) > 1 else ""
        raise Question(f"takes {_listed(graph.inputs) or 'no input'}, and {found} is a picture of three channels{how}")
    (picture,) = pictures
    others = [port for port in left if port is not picture]
    return _others(_picture(picture, told), others, graph, told)


def _check_names(graph: Graph, told: Told) -> None:
    inputs, outputs = {p.name for p in graph.inputs}, {p.name for p in graph.outputs}
    for name, _ in (*told.states, *told.constants):
        if name not in inputs:
            raise Question(f"has no input {name!r}; it takes {_listed(graph.inputs)}")
    for _, name in told.states:
        if name not in outputs:
            raise Question(f"--state names the output {name!r}, and it gives {_listed(graph.outputs)}")


def _places(port: Port, channels: int) -> list[Layout]:
    """The layouts in which a port can hold a picture of so many channels. Three sides are a picture without a batch."""
    if len(port.shape) not in (3, 4):
        return []
    sides = port.shape[-3:]
    found = {"NCHW": sides[0], "NHWC": sides[2]}
    return [cast(Layout, layout) for layout, side in found.items() if side == channels]


def _picture(port: Port, told: Told) -> Inputs:
    """Layout, sides and channels of the picture's input."""
    for channels in (3, 4):
        layouts = _places(port, channels)
        if told.input_layout in layouts:
            layouts = [told.input_layout]
        if layouts:
            break
    if told.input_layout and told.input_layout not in layouts:
        raise Question(f"takes {_told(port)}, which is no picture in {told.input_layout}: --input-layout is another")
    if len(layouts) > 1:
        raise Question(f"takes {_told(port)}, which may be either layout; say --input-layout NCHW or NHWC")
    (layout,) = layouts
    if len(port.shape) == 4 and port.shape[0] not in (None, 1):
        raise Question(
            f"takes {port.shape[0]} pictures at once; export it with a batch of 1, which is what is measured"
        )
    if channels == 4 and len(port.shape) == 3:
        raise Question(f"takes {_told(port)}: four channels without a batch are not supported; export it with a batch")
    sides = port.shape[-2:] if layout == "NCHW" else port.shape[-3:-1]
    assumed = [f"the picture is the input {port.name}, {layout}"]
    opened = [side is None for side in sides]
    if told.resolution is None and any(opened):
        assumed.append("its sides are open: 256x256, or what --resolution says" if all(opened) else "one side is open")
    wanted = told.resolution or DEFAULT_RESOLUTION
    for side, asked in zip(sides, wanted, strict=True):
        if told.resolution and side not in (None, asked):
            size = "x".join("any" if one is None else str(one) for one in sides)
            raise Question(f"takes pictures of {size}, and --resolution says {wanted[0]}x{wanted[1]}")
    if any(side is not None and not 0 < side <= MOST_SIDE_OF_OTHERS for side in sides):
        raise Question(f"takes {_told(port)}; a side that can be measured has 1 to {MOST_SIDE_OF_OTHERS} pixels")
    height, width = (asked if side is None else side for side, asked in zip(sides, wanted, strict=True))
    if channels == 4:
        assumed.append("its fourth channel is the previous mask")
    return Inputs(port, layout, (height, width), stacked_mask=channels == 4, assumed=tuple(assumed))


def _others(found: Inputs, others: Sequence[Port], graph: Graph, told: Told) -> Inputs:
    """What the inputs beside the picture are for."""
    states, constants = dict(told.states), dict(told.constants)
    assumed, unsure = list(found.assumed), list(found.unsure)
    mask = None
    pairs = dict(_pairs(others, graph.outputs))
    for port in others:
        if port.name == RATIO:
            constants[port.name] = min(1.0, RATIO_SIDE / max(found.resolution))
            assumed.append(f"{RATIO} is {constants[port.name]:g}, as RobustVideoMatting's own inference chooses it")
        elif port.name in pairs and not (_is_mask(port, found) and _is_all(pairs, graph)):
            states[port.name] = pairs[port.name]
            assumed.append(f"{port.name} is a state: what {pairs[port.name]} gave for the frame before")
        elif mask is None and not found.stacked_mask and _is_mask(port, found):
            mask = port.name
            assumed.append(f"{port.name} is the previous mask")
            if not any(word in port.name.lower() for word in ("mask", "prev", "alpha")):
                unsure.append(f"that {port.name} is the previous mask follows from its shape alone")
        else:
            scalar = all(side == 1 for side in port.shape)
            how = f"--constant {port.name}=NUMBER" if scalar else f"--state {port.name}=OUTPUT"
            raise Question(f"takes {_told(port)} beside the picture; say {how}")
    return replace(
        found,
        previous_mask=mask,
        states=tuple(states.items()),
        constants=tuple(constants.items()),
        assumed=tuple(assumed),
        unsure=tuple(unsure),
    )


def _is_all(pairs: Mapping[str, str], graph: Graph) -> bool:
    """Whether every output follows an input: then one of them is the mask itself, and no state."""
    return {port.name for port in graph.outputs} <= set(pairs.values())


def _is_mask(port: Port, found: Inputs) -> bool:
    """Whether it has the picture's sides, or open ones, in its layout, and one channel."""
    if found.layout not in _places(port, 1):
        return False
    # Without the batch that the picture has, only channels first are laid out alike.
    if len(port.shape) != len(found.picture.shape) and found.layout == "NHWC":
        return False
    sides = port.shape[-2:] if found.layout == "NCHW" else port.shape[-3:-1]
    return all(side in (None, wanted) for side, wanted in zip(sides, found.resolution, strict=True))


ENDINGS = (("i", "o"), ("_in", "_out"), ("in", "out"), ("_input", "_output"), ("_i", "_o"), ("0", "n"), ("", "_out"))
"""How the names of a state's input and output differ, behind what they have in common."""


def _pairs(inputs: Sequence[Port], outputs: Sequence[Port]) -> list[tuple[str, str]]:
    """Inputs and outputs whose names differ as a state's do."""
    shapes = {port.name: port for port in outputs}
    found = []
    for port in inputs:
        for before, after in ENDINGS:
            if not port.name.endswith(before):
                continue
            name = port.name[: len(port.name) - len(before)] + after
            if name in shapes and _may_follow(port, shapes[name]):
                found.append((port.name, name))
                break
        else:
            # Such as hidden_in_1 and hidden_out_1, or input_state and output_state.
            name = port.name.replace("input", "output") if "input" in port.name else port.name.replace("in", "out", 1)
            if name != port.name and name in shapes and _may_follow(port, shapes[name]):
                found.append((port.name, name))
    return found


def _may_follow(state: Port, output: Port) -> bool:
    """Whether an output fits into the input of a state."""
    if state.dtype != output.dtype or len(state.shape) != len(output.shape):
        return False
    return all(a is None or b is None or a == b for a, b in zip(state.shape, output.shape, strict=True))


def _told(port: Port) -> str:
    sides = "x".join("any" if side is None else str(side) for side in port.shape)
    return f"{port.name} ({sides}, {port.dtype})"


def _listed(ports: Sequence[Port]) -> str:
    return ", ".join(map(_told, ports))
