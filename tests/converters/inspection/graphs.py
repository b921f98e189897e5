"""Small models of every kind, which take what is red for a person, and pictures of such people."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from evaluation.clip import Clip, Dataset

SIZE = (24, 32)
FLOAT, HALF, U8, I64 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8, TensorProto.INT64


def people(person: float = 1.0, background: float = 0.0, number: int = 8, visible: bool = True) -> Dataset:
    """Stills of an ellipse, red as `person` says, before a background as red as that says and bluer.

    Those that are not `visible` have its colour.
    """
    size = 72, 96

    def read(index: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        label = np.zeros(size, np.uint8)
        centre = 30 + 5 * index, 40
        cv2.ellipse(label, centre, (18 + index, 26), 7.0 * index, 0, 360, 1, -1)
        colours = np.array([[background, 0.2, 0.9], [person, 0.3, 0.1]])
        return np.rint(255 * colours[label if visible else 0 * label]).astype(np.uint8), label

    def clip(i: int) -> Clip:
        return Clip(f"{i}", (f"{i}",), lambda _: read(i))

    return Dataset("red people", "Ellipses.", [clip(i) for i in range(number)])


Nodes = Sequence[tuple[str, Sequence[str], Sequence[str], dict[str, Any]]]
"""(operator, inputs, outputs, attributes)"""


def save(
    path: Path,
    nodes: Nodes,
    inputs: Mapping[str, tuple[Sequence[Any], int]],
    outputs: Mapping[str, tuple[Sequence[Any], int]],
    constants: Mapping[str, NDArray[Any]] | None = None,
) -> Path:
    """An ONNX file; a side that is a text is open."""
    graph = helper.make_graph(
        [helper.make_node(op, list(a), list(b), **attributes) for op, a, b, attributes in nodes],
        "g",
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, (shape, kind) in inputs.items()],
        [helper.make_tensor_value_info(name, kind, list(shape)) for name, (shape, kind) in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


BLUE_RED = {"blue_red": np.array([2, 0])}
RED = {"red": np.array([0])}
H, W = SIZE

Make = Callable[[Path], Path]


def plain(path: Path, kind: int = FLOAT, shape: Sequence[Any] = (1, 3, H, W)) -> Path:
    nodes: Nodes = [("Gather", ["x", "red"], ["y"], {"axis": 1})]
    return save(path, nodes, {"x": (shape, kind)}, {"y": ((shape[0], 1, *shape[2:]), kind)}, RED)


def half(path: Path) -> Path:
    return plain(path, HALF)


def opened(path: Path) -> Path:
    """Every side but the channels is open."""
    return plain(path, shape=("n", 3, "h", "w"))


def no_batch(path: Path) -> Path:
    nodes: Nodes = [("Gather", ["x", "red"], ["y"], {"axis": 2})]
    return save(path, nodes, {"x": ((H, W, 3), FLOAT)}, {"y": ((H, W, 1), FLOAT)}, RED)


def pixels(path: Path) -> Path:
    """Pixels in 8 bits in, a mask in 8 bits out, channels last."""
    nodes: Nodes = [("Gather", ["x", "red"], ["y"], {"axis": 3})]
    return save(path, nodes, {"x": ((1, H, W, 3), U8)}, {"y": ((1, H, W, 1), U8)}, RED)


def mixed(path: Path) -> Path:
    """Channels last in, first out."""
    nodes: Nodes = [
        ("Transpose", ["x"], ["t"], {"perm": [0, 3, 1, 2]}),
        ("Gather", ["t", "blue_red"], ["b"], {"axis": 1}),
        ("Softmax", ["b"], ["y"], {"axis": 1}),
    ]
    return save(path, nodes, {"x": ((1, H, W, 3), FLOAT)}, {"y": ((1, 2, H, W), FLOAT)}, BLUE_RED)


def flat(path: Path) -> Path:
    nodes: Nodes = [("Gather", ["x", "red"], ["r"], {"axis": 1}), ("Reshape", ["r", "long"], ["y"], {})]
    constants = RED | {"long": np.array([1, H * W])}
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, H * W), FLOAT)}, constants)


def _ids(path: Path, kind: int) -> Path:
    nodes: Nodes = [
        ("Gather", ["x", "blue_red"], ["b"], {"axis": 1}),
        ("ArgMax", ["b"], ["a"], {"axis": 1, "keepdims": 1}),
        ("Cast", ["a"], ["y"], {"to": kind}),
    ]
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 1, H, W), kind)}, BLUE_RED)


def ids8(path: Path) -> Path:
    return _ids(path, U8)


def ids32(path: Path) -> Path:
    return _ids(path, TensorProto.INT32)


def ids64(path: Path) -> Path:
    return _ids(path, I64)


def float_ids(path: Path) -> Path:
    return _ids(path, FLOAT)


def logits(path: Path) -> Path:
    """Two classes without a softmax, the person first."""
    constants = {"red_blue": np.array([0, 2]), "ten": np.array(10.0, np.float32)}
    nodes: Nodes = [("Mul", ["x", "ten"], ["m"], {}), ("Gather", ["m", "red_blue"], ["y"], {"axis": 1})]
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 2, H, W), FLOAT)}, constants)


def both(path: Path) -> Path:
    """Probabilities and class ids of them."""
    nodes: Nodes = [
        ("Gather", ["x", "blue_red"], ["b"], {"axis": 1}),
        ("Softmax", ["b"], ["p"], {"axis": 1}),
        ("ArgMax", ["b"], ["ids"], {"axis": 1, "keepdims": 1}),
    ]
    outputs = {"ids": ((1, 1, H, W), I64), "p": ((1, 2, H, W), FLOAT)}
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, outputs, BLUE_RED)


def background(path: Path) -> Path:
    """The mask of what is not a person."""
    nodes: Nodes = [("Gather", ["x", "red"], ["r"], {"axis": 1}), ("Sub", ["one", "r"], ["y"], {})]
    constants = RED | {"one": np.array(1.0, np.float32)}
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 1, H, W), FLOAT)}, constants)


def classes(path: Path, number: int = 21, person: int = 15) -> Path:
    """Logits of many classes: the background is blue, the person red, and no other class is ever the likeliest."""
    weights = np.zeros((number, 3, 1, 1), np.float32)
    weights[0, 2], weights[person, 0] = 10, 10
    never = np.full(number, -100, np.float32)
    never[[0, person]] = 0
    nodes: Nodes = [("Conv", ["x", "w", "never"], ["y"], {})]
    constants = {"w": weights, "never": never}
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, number, H, W), FLOAT)}, constants)


def with_alpha(path: Path) -> Path:
    """The picture itself and the mask, as four channels."""
    nodes: Nodes = [
        ("Gather", ["x", "order"], ["t"], {"axis": 1}),
        ("Gather", ["x", "red"], ["a"], {"axis": 1}),
        ("Concat", ["t", "a"], ["y"], {"axis": 1}),
    ]
    constants = RED | {"order": np.array([2, 1, 2])}
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 4, H, W), FLOAT)}, constants)


def with_bright_alpha(path: Path, kind: int = FLOAT) -> Path:
    """The picture and the mask from 0 to 255."""
    nodes: Nodes = [
        ("Gather", ["x", "red"], ["a"], {"axis": 1}),
        ("Concat", ["x", "a"], ["t"], {"axis": 1}),
        ("Mul", ["t", "white"], ["b"], {}),
        ("Cast", ["b"], ["y"], {"to": kind}),
    ]
    constants = RED | {"white": np.array(255, np.float32)}
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 4, H, W), kind)}, constants)


def with_alpha8(path: Path) -> Path:
    """The same in 8 bits."""
    return with_bright_alpha(path, U8)


def with_alpha_of_centred(path: Path) -> Path:
    """Colours from -1 to 1 as they came, and beside them the mask of what is redder than 0.2 of these."""
    nodes: Nodes = [
        ("Gather", ["x", "red"], ["r"], {"axis": 1}),
        ("Sub", ["r", "least"], ["more"], {}),
        ("Mul", ["more", "steep"], ["s"], {}),
        ("Sigmoid", ["s"], ["a"], {}),
        ("Gather", ["x", "order"], ["t"], {"axis": 1}),
        ("Concat", ["t", "a"], ["y"], {"axis": 1}),
    ]
    constants = RED | {"order": np.array([2, 1, 2]), "least": np.array(0.2, np.float32)}
    constants |= {"steep": np.array(20, np.float32)}
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 4, H, W), FLOAT)}, constants)


def halved(path: Path) -> Path:
    """Logits of three classes at half of the picture's sides, the person the last."""
    weights = np.zeros((3, 3, 1, 1), np.float32)
    weights[0, 2], weights[1, 1], weights[2, 0] = 3, 3, 3
    nodes: Nodes = [
        ("AveragePool", ["x"], ["small"], {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Conv", ["small", "w"], ["y"], {}),
    ]
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 3, H // 2, W // 2), FLOAT)}, {"w": weights})


def four(path: Path) -> Path:
    """One input of four channels, the last the previous mask: the more of it, the surer."""
    constants = {"w": np.array([0.75, 0, 0, 0.25], np.float32).reshape(1, 4, 1, 1)}
    nodes: Nodes = [("Conv", ["x", "w"], ["y"], {})]
    return save(path, nodes, {"x": ((1, 4, H, W), FLOAT)}, {"y": ((1, 1, H, W), FLOAT)}, constants)


def previous(path: Path) -> Path:
    """The previous mask as an input of its own."""
    constants = RED | {"a": np.array(0.75, np.float32), "b": np.array(0.25, np.float32)}
    nodes: Nodes = [
        ("Gather", ["x", "red"], ["r"], {"axis": 1}),
        ("Mul", ["r", "a"], ["ra"], {}),
        ("Mul", ["before", "b"], ["pb"], {}),
        ("Add", ["ra", "pb"], ["y"], {}),
    ]
    inputs = {"x": ((1, 3, H, W), FLOAT), "before": ((1, 1, H, W), FLOAT)}
    return save(path, nodes, inputs, {"y": ((1, 1, H, W), FLOAT)}, constants)


def fed_back(path: Path) -> Path:
    """The previous mask under names of a state."""
    nodes: Nodes = [
        ("Gather", ["x", "red"], ["r"], {"axis": 1}),
        ("Mul", ["r", "a"], ["ra"], {}),
        ("Mul", ["mask_in", "b"], ["pb"], {}),
        ("Add", ["ra", "pb"], ["mask_out"], {}),
    ]
    constants = RED | {"a": np.array(0.75, np.float32), "b": np.array(0.25, np.float32)}
    inputs = {"x": ((1, 3, H, W), FLOAT), "mask_in": ((1, 1, H, W), FLOAT)}
    return save(path, nodes, inputs, {"mask_out": ((1, 1, H, W), FLOAT)}, constants)


def bright(path: Path) -> Path:
    """A mask from 0 to 255 in floats, for which no operator tells."""
    weights = np.array([255.0, 0, 0], np.float32).reshape(1, 3, 1, 1)
    nodes: Nodes = [("Conv", ["x", "w"], ["y"], {})]
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 1, H, W), FLOAT)}, {"w": weights})


def recurrent(path: Path, names: tuple[str, str] = ("r1i", "r1o"), ratio: str = "downsample_ratio") -> Path:
    """As RobustVideoMatting: a state of open sides, 1x1x1x1 at first, a ratio, and a matte beside the foreground.

    The matte is 0.75 of the red and 0.25 of the state, which is the red of the frame before.
    """
    constants = RED | {"a": np.array(0.75, np.float32), "b": np.array(0.25, np.float32)}
    before, after = names
    nodes: Nodes = [
        ("Gather", ["src", "red"], ["r"], {"axis": 1}),
        ("Mul", ["r", "a"], ["ra"], {}),
        ("Mul", ["r", "b"], ["rb"], {}),
        ("Mul", ["rb", ratio], [after], {}),
        ("Add", ["ra", before], ["pha"], {}),
        ("Identity", ["src"], ["fgr"], {}),
    ]
    inputs = {"src": ((1, 3, H, W), FLOAT), before: (("a", "b", "c", "d"), FLOAT), ratio: ((1,), FLOAT)}
    outputs = {"fgr": ((1, 3, H, W), FLOAT), "pha": ((1, 1, H, W), FLOAT), after: (("e", "f", "g", "h"), FLOAT)}
    return save(path, nodes, inputs, outputs, constants)


def threshold(path: Path, at: float, steep: float = 20.0) -> Path:
    """sigmoid(steep * (red - at)), red as it comes."""
    weights = np.array([steep, 0, 0], np.float32).reshape(1, 3, 1, 1)
    nodes: Nodes = [("Conv", ["x", "w", "b"], ["l"], {}), ("Sigmoid", ["l"], ["y"], {})]
    constants = {"w": weights, "b": np.array([-steep * at], np.float32)}
    return save(path, nodes, {"x": ((1, 3, H, W), FLOAT)}, {"y": ((1, 1, H, W), FLOAT)}, constants)
