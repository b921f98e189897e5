"""Multiply-accumulates of one inference, counted in an artifact's own graph: what it computes, whatever is said of it.

Counted are convolutions, transposed ones, and products of matrices; a result's element costs a kernel, and of a
transposed convolution an input's element does. `models.cost` counts a network on paper in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from pathlib import Path

Shape = Sequence[int]


def macs(path: Path, format: str) -> int | None:
    """Of the artifact at `path`; None where the graph does not state a shape that is needed."""
    found = list({"onnx": _onnx, "openvino": _openvino, "tflite": _tflite, "coreml": _coreml}[format](path))
    known = [count for count in found if count is not None]
    return sum(known) if len(known) == len(found) else None


def _onnx(path: Path) -> Iterator[int | None]:
    import onnx

    graph = onnx.shape_inference.infer_shapes(onnx.load(path, load_external_data=False)).graph
    shapes: dict[str, Shape] = {weight.name: weight.dims for weight in graph.initializer}
    for value in (*graph.input, *graph.output, *graph.value_info):
        shape = value.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in shape):
            shapes.setdefault(value.name, [dim.dim_value for dim in shape])
    # Convolutions with a scale and a zero point behind each tensor.
    weights = {"Conv": 1, "ConvInteger": 1, "ConvTranspose": 1, "QLinearConv": 3}
    for node in graph.node:
        of, result = [shapes.get(name) for name in node.input], shapes.get(node.output[0])
        if node.op_type in weights:
            size = of[0] if node.op_type == "ConvTranspose" else result
            yield _kernels(size, of[weights[node.op_type]], 1)
        elif node.op_type in ("MatMul", "MatMulInteger", "QLinearMatMul"):
            yield _rows(result, of[0], -1)
        elif node.op_type == "Gemm":
            turned = any(a.name == "transA" and a.i for a in node.attribute)
            yield _rows(result, of[0], -2 if turned else -1)


def _openvino(path: Path) -> Iterator[int | None]:
    import openvino as ov

    # Axes of the weights that are results of their own: of grouped convolutions the groups, too.
    own = {"Convolution": 1, "GroupConvolution": 2, "ConvolutionBackpropData": 1, "GroupConvolutionBackpropData": 2}
    for op in ov.Core().read_model(path).get_ops():
        kind = op.get_type_name()
        of, result = [_static(value) for value in op.input_values()], _static(op.output(0)) if op.outputs() else None
        if kind in own:
            yield _kernels(of[0] if "Backprop" in kind else result, of[1], own[kind])
        elif kind == "MatMul":
            yield _rows(result, of[0], -2 if op.get_attributes()["transpose_a"] else -1)


def _static(value: object) -> Shape | None:
    shape = value.get_partial_shape()  # type: ignore[attr-defined]
    return list(shape.to_shape()) if shape.is_static else None


def _tflite(path: Path) -> Iterator[int | None]:
    from ai_edge_litert import schema_py_generated as schema

    kinds = schema.BuiltinOperator
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph = model.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]

    def shape(index: int) -> Shape | None:
        found = graph.tensors[index].shape
        return None if found is None or any(side < 1 for side in found) else [int(side) for side in found]

    for op in graph.operators:
        kind, result = codes[op.opcodeIndex], shape(op.outputs[0])
        if kind in (kinds.CONV_2D, kinds.FULLY_CONNECTED):
            yield _kernels(result, shape(op.inputs[1]), 1)
        elif kind == kinds.DEPTHWISE_CONV_2D:  # (1, height, width, channels)
            weights = shape(op.inputs[1])
            yield None if weights is None else _kernels(result, weights[:3], 0)
        elif kind == kinds.TRANSPOSE_CONV:  # (output's shape, weights, input)
            yield _kernels(shape(op.inputs[2]), _turned(shape(op.inputs[1])), 1)
        elif kind == kinds.BATCH_MATMUL:
            yield _rows(result, shape(op.inputs[0]), -2 if op.builtinOptions.adjX else -1)


def _turned(weights: Shape | None) -> Shape | None:
    """(out, height, width, in) as (in, height, width, out)."""
    return None if weights is None else [weights[3], *weights[1:3], weights[0]]


def _coreml(path: Path) -> Iterator[int | None]:
    from converters.mil import package

    for op in package.read(path).functions["main"].operations:
        if op.op_type in ("conv", "conv_transpose"):
            shown = op.inputs["x"] if op.op_type == "conv_transpose" else op.outputs[0]
            yield _kernels(shown.shape, op.inputs["weight"].shape, 1)
        elif op.op_type == "linear":
            yield _kernels(op.outputs[0].shape, op.inputs["weight"].shape, 1)
        elif op.op_type == "matmul":
            turned = op.inputs["transpose_x"]
            yield _rows(op.outputs[0].shape, op.inputs["x"].shape, -2 if turned is not None and turned.val else -1)


def _kernels(elements: Shape | None, weights: Shape | None, own: int) -> int | None:
    """A kernel for each element: the weights but for their first `own` axes, one of which belongs to each result."""
    return None if elements is None or weights is None else prod(elements) * prod(weights[own:])


def _rows(result: Shape | None, left: Shape | None, axis: int) -> int | None:
    """A row of the left matrix for each element of the result."""
    return None if result is None or left is None else prod(result) * left[axis]
