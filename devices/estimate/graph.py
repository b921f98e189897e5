"""A small network as a TFLite file, written operator by operator: what a converter would make of it, without one.

Convolutions carry their activation and pad as TensorFlow's SAME does, as in the files whose times were published. The
weights are random. Tensors are (1, H, W, C) float32, named by their index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from numpy.typing import NDArray

SIGNATURE, INPUT = "serving_default", "frame"
ACTIVATIONS = {
    "none": schema.ActivationFunctionType.NONE,
    "relu": schema.ActivationFunctionType.RELU,
    "relu6": schema.ActivationFunctionType.RELU6,
}
"""Those that an operator carries; "hard_swish" and "sigmoid" are operators of their own."""


class Graph:
    """Operators in their order; each method adds one and returns the index of the tensor that it makes."""

    def __init__(self, height: int, width: int) -> None:
        self.random = np.random.default_rng(0)
        self.shapes: list[tuple[int, ...]] = []
        self.buffers: list[NDArray[Any] | None] = []
        self.operators: list[tuple[int, list[int], int, Any]] = []
        self.macs = 0
        """Multiply-accumulates of the convolutions."""
        self.input = self._tensor((1, height, width, 3))

    @property
    def parameters(self) -> int:
        """Weights and biases; constants of other operators are scalars."""
        return sum(values.size for values in self.buffers if values is not None and values.size > 1)

    def channels(self, x: int) -> int:
        return self.shapes[x][3]

    def conv(self, x: int, outputs: int, kernel: int = 1, stride: int = 1, act: str = "none") -> int:
        options = schema.Conv2DOptionsT()
        shape = (outputs, kernel, kernel, self.channels(x))
        return self._convolve(x, schema.BuiltinOperator.CONV_2D, options, shape, outputs, stride, 1, act)

    def depthwise(self, x: int, kernel: int, stride: int = 1, act: str = "none", dilation: int = 1) -> int:
        options = schema.DepthwiseConv2DOptionsT()
        options.depthMultiplier = 1
        channels = self.channels(x)
        shape = (1, kernel, kernel, channels)
        code = schema.BuiltinOperator.DEPTHWISE_CONV_2D
        return self._convolve(x, code, options, shape, channels, stride, dilation, act)

    def pool(self, x: int) -> int:
        """The mean over height and width, (1, 1, 1, C)."""
        options = schema.ReducerOptionsT()
        options.keepDims = True
        axes = self._constant(np.array([1, 2], np.int32))
        return self._add_operator(schema.BuiltinOperator.MEAN, [x, axes], (1, 1, 1, self.channels(x)), options)

    def add(self, x: int, y: int | float, act: str = "none") -> int:
        return self._binary(schema.BuiltinOperator.ADD, schema.AddOptionsT(), x, y, act)

    def multiply(self, x: int, y: int | float) -> int:
        return self._binary(schema.BuiltinOperator.MUL, schema.MulOptionsT(), x, y, "none")

    def sigmoid(self, x: int) -> int:
        return self._add_operator(schema.BuiltinOperator.LOGISTIC, [x], self.shapes[x], None)

    def hard_sigmoid(self, x: int) -> int:
        """As TF-slim writes it: relu6(x + 3) / 6."""
        return self.multiply(self.add(x, 3.0, "relu6"), 1 / 6)

    def tflite(self, outputs: Sequence[int]) -> bytes:
        """The file, with one signature whose input is INPUT."""
        model, graph = schema.ModelT(), schema.SubGraphT()
        codes = sorted({code for code, *_ in self.operators})
        model.version, model.operatorCodes, model.subgraphs = 3, [_code(code) for code in codes], [graph]
        model.buffers = [schema.BufferT()]
        graph.tensors, graph.operators = [], []
        for index, (shape, values) in enumerate(zip(self.shapes, self.buffers, strict=True)):
            tensor = schema.TensorT()
            tensor.name, tensor.shape, tensor.buffer = str(index).encode(), list(shape), 0
            if values is not None:
                buffer = schema.BufferT()
                buffer.data = np.frombuffer(values.tobytes(), np.uint8)
                tensor.buffer = len(model.buffers)
                tensor.type = schema.TensorType.INT32 if values.dtype == np.int32 else schema.TensorType.FLOAT32
                model.buffers.append(buffer)
            graph.tensors.append(tensor)
        for code, inputs, output, options in self.operators:
            operator = schema.OperatorT()
            operator.opcodeIndex, operator.inputs, operator.outputs = codes.index(code), inputs, [output]
            if options is not None:
                name = type(options).__name__.removesuffix("T")
                operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
                operator.builtinOptions = options
            graph.operators.append(operator)
        graph.inputs, graph.outputs = [self.input], list(outputs)
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = SIGNATURE.encode(), 0
        signature.inputs = [_named(INPUT, self.input)]
        signature.outputs = [_named(f"out{i}", index) for i, index in enumerate(outputs)]
        model.signatureDefs = [signature]
        return bytes(flatbuffer_utils.convert_object_to_bytearray(model))

    def _convolve(
        self,
        x: int,
        code: int,
        options: Any,
        shape: tuple[int, int, int, int],
        outputs: int,
        stride: int,
        dilation: int,
        act: str,
    ) -> int:
        options.padding, options.strideH, options.strideW = schema.Padding.SAME, stride, stride
        options.dilationHFactor = options.dilationWFactor = dilation
        options.fusedActivationFunction = ACTIVATIONS.get(act, ACTIVATIONS["none"])
        _, height, width, _ = self.shapes[x]
        out = (1, -(-height // stride), -(-width // stride), outputs)
        fan_in = shape[1] * shape[2] * (shape[3] if shape[0] > 1 or outputs == 1 else 1)
        # Activations keep their scale through all layers, so that none overflows.
        weights = self.random.normal(0, (2 / fan_in) ** 0.5, shape).astype(np.float32)
        bias = np.zeros(outputs, np.float32)
        self.macs += out[1] * out[2] * weights.size
        made = self._add_operator(code, [x, self._constant(weights), self._constant(bias)], out, options)
        if act == "hard_swish":
            return self._add_operator(schema.BuiltinOperator.HARD_SWISH, [made], out, schema.HardSwishOptionsT())
        return made

    def _binary(self, code: int, options: Any, x: int, y: int | float, act: str) -> int:
        other = y if isinstance(y, int) else self._constant(np.array([y], np.float32))
        options.fusedActivationFunction = ACTIVATIONS[act]
        return self._add_operator(code, [x, other], self.shapes[x], options)

    def _add_operator(self, code: int, inputs: list[int], shape: tuple[int, ...], options: Any) -> int:
        output = self._tensor(shape)
        self.operators.append((code, inputs, output, options))
        return output

    def _constant(self, values: NDArray[Any]) -> int:
        return self._tensor(values.shape, values)

    def _tensor(self, shape: tuple[int, ...], values: NDArray[Any] | None = None) -> int:
        self.shapes.append(shape)
        self.buffers.append(values)
        return len(self.shapes) - 1


def _code(builtin: int) -> Any:
    code = schema.OperatorCodeT()
    # Readers older than the extended enumeration look at the byte.
    code.builtinCode, code.deprecatedBuiltinCode, code.version = builtin, min(builtin, 127), 1
    return code


def _named(name: str, index: int) -> Any:
    named = schema.TensorMapT()
    named.name, named.tensorIndex = name.encode(), index
    return named


def int8(model: bytes, shape: Sequence[int]) -> bytes:
    """The same model in static int8, calibrated on noise of `shape`: the instructions do not depend on the ranges."""
    from ai_edge_quantizer import quantizer, recipe

    noise = np.random.default_rng(0).random((2, *shape), np.float32)
    quantise = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    ranges = quantise.calibrate({SIGNATURE: [{INPUT: x} for x in noise]})
    return bytes(quantise.quantize(ranges, enable_progress_report=False).quantized_model or b"")
