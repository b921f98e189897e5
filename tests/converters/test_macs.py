"""Multiply-accumulates counted in an artifact's own graph."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from converters.artifact import Format, Precision
from converters.build import build
from converters.cache import Cache
from converters.macs import macs
from converters.registry import converter
from models.cost import macs as on_paper
from tests.conftest import need
from tests.converters.conftest import RESOLUTION, TINY, MakeSpec


@pytest.mark.long
@pytest.mark.parametrize(
    ("format", "precision"),
    [("onnx", "fp32"), ("onnx", "int8"), ("tflite", "fp32"), ("openvino", "fp32"), ("coreml", "fp32")],
)
def test_every_formats_graph_computes_what_the_network_does(
    format: Format, precision: Precision, spec: MakeSpec, cache: Cache
) -> None:
    need(converter(format).available())
    asked = spec(format, precision)
    made = build([asked], cache=cache)[asked]
    assert macs(made.path, format) == on_paper(TINY, RESOLUTION)  # type: ignore[union-attr]


def model(path: Path, nodes: list[onnx.NodeProto], result: list[int], **weights: list[int]) -> Path:
    """An ONNX model x (1, 4, 8, 8) -> y."""
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", [1, 4, 8, 8]), ("y", result))]
    stored = [numpy_helper.from_array(np.zeros(shape, np.float32), name) for name, shape in weights.items()]
    graph = helper.make_graph(nodes, "one", ends[:1], ends[1:], stored)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("kind", "weights", "result", "options", "expected"),
    [
        ("Conv", [16, 4, 3, 3], [1, 16, 6, 6], {}, 16 * 6 * 6 * 4 * 9),
        ("Conv", [4, 1, 3, 3], [1, 4, 6, 6], {"group": 4}, 4 * 6 * 6 * 9),
        ("ConvTranspose", [4, 2, 2, 2], [1, 2, 16, 16], {"strides": [2, 2]}, 4 * 8 * 8 * 2 * 4),
        ("MatMul", [8, 5], [1, 4, 8, 5], {}, 4 * 8 * 5 * 8),
        ("Relu", [1], [1, 4, 8, 8], {}, 0),
    ],
)
def test_one_operator(
    tmp_path: Path, kind: str, weights: list[int], result: list[int], options: dict[str, Any], expected: int
) -> None:
    inputs = ["x"] if kind == "Relu" else ["x", "w"]
    path = model(tmp_path / "m.onnx", [helper.make_node(kind, inputs, ["y"], **options)], result, w=weights)
    assert macs(path, "onnx") == expected


def test_a_graph_of_unknown_shape_tells_nothing(tmp_path: Path) -> None:
    path = model(tmp_path / "m.onnx", [helper.make_node("Conv", ["x", "w"], ["y"])], [1, 16, 6, 6], w=[16, 4, 3, 3])
    stated = onnx.load(path)
    for value in (*stated.graph.input, *stated.graph.output):
        value.type.tensor_type.shape.dim[2].dim_param = "height"
    onnx.save(stated, path)
    assert macs(path, "onnx") is None
