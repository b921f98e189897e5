"""MediaPipe's selfie network in int8, by the recipe of our own: python -m converters.reference_int8 FILE HEIGHT WIDTH

It is published with weights of 16 bits alone. Here its file gets 32-bit weights, ReLUs fused into their convolutions,
TFLite's own operator for its custom one, and then static int8, calibrated on the sample that our networks are
calibrated on: what somebody gets who quantises it without training it again. The size tells which of the two it is.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from models import reference
from models.segmenter import no_mask, to_input
from models.variant import Resolution

NAMES = ("mediapipe-selfie", "mediapipe-selfie-landscape")
CUSTOM = b"Convolution2DTransposeBias"


def digest() -> str:
    """sha256 of what the two originals are pinned to: what references.toml pins of what is made of them."""
    known = reference.read()
    return hashlib.sha256("".join(known[name].sha256 for name in NAMES).encode()).hexdigest()


def widened(model: bytes) -> bytes:
    """The TFLite model with float32 constants, builtin operators alone, and the signature that quantisers ask for."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    from converters.tflite import SIGNATURE

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    (graph,) = read.subgraphs
    dequantise = schema.BuiltinOperator.DEQUANTIZE

    def halves(op: Any) -> bool:
        return read.operatorCodes[op.opcodeIndex].builtinCode == dequantise

    for op in filter(halves, graph.operators):
        half, full = graph.tensors[op.inputs[0]], graph.tensors[op.outputs[0]]
        values = np.frombuffer(bytes(read.buffers[half.buffer].data), np.float16).astype(np.float32)
        full.buffer = len(read.buffers)
        read.buffers.append(schema.BufferT())
        read.buffers[-1].data = np.frombuffer(values.tobytes(), np.uint8)
    graph.operators = [op for op in graph.operators if not halves(op)]
    _fuse(read, graph, schema)
    for op in graph.operators:
        if read.operatorCodes[op.opcodeIndex].customCode == CUSTOM:
            _builtin(op, read, graph, schema)
    _drop_unused(graph)
    frame, mask = graph.inputs[0], graph.outputs[0]
    graph.tensors[frame].name, graph.tensors[mask].name = f"{SIGNATURE}_frame", f"{SIGNATURE}_mask"
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = SIGNATURE, 0
    signature.inputs, signature.outputs = [_named(schema, "frame", frame)], [_named(schema, "mask", mask)]
    read.signatureDefs = [signature]
    builder = flatbuffers.Builder(len(model) * 2)
    builder.Finish(read.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _fuse(read: Any, graph: Any, schema: Any) -> None:
    """Let a convolution whose result only a RELU reads end in it: in integers they would be two operators."""
    kinds = schema.BuiltinOperator

    def kind(op: Any) -> int:
        code = read.operatorCodes[op.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    readers: dict[int, list[Any]] = {}
    for op in graph.operators:
        for tensor in op.inputs:
            readers.setdefault(int(tensor), []).append(op)
    fused = []
    for op in graph.operators:
        relus = [reader for reader in readers.get(int(op.outputs[0]), []) if kind(reader) == kinds.RELU]
        if kind(op) in (kinds.CONV_2D, kinds.DEPTHWISE_CONV_2D) and relus == readers.get(int(op.outputs[0])):
            op.builtinOptions.fusedActivationFunction = schema.ActivationFunctionType.RELU
            op.outputs = relus[0].outputs
            fused.append(id(relus[0]))
    graph.operators = [op for op in graph.operators if id(op) not in fused]


def _drop_unused(graph: Any) -> None:
    """Forget the tensors that no operator has: the quantiser would ask for their values."""
    ends = [graph, *graph.operators]
    used = sorted({int(tensor) for end in ends for tensor in (*end.inputs, *end.outputs)})
    at = {tensor: position for position, tensor in enumerate(used)}
    for end in ends:
        end.inputs, end.outputs = ([at[int(tensor)] for tensor in side] for side in (end.inputs, end.outputs))
    graph.tensors = [graph.tensors[tensor] for tensor in used]


def _builtin(op: Any, read: Any, graph: Any, schema: Any) -> None:
    """Make the custom operator, an input, kernel and bias at stride 2, TFLite's own TRANSPOSE_CONV."""
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.TRANSPOSE_CONV
    code.version = 3
    read.operatorCodes.append(code)
    buffer, shape = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(np.array(graph.tensors[op.outputs[0]].shape, np.int32).tobytes(), np.uint8)
    read.buffers.append(buffer)
    shape.name, shape.shape, shape.type = "enlarged", [4], schema.TensorType.INT32
    shape.buffer = len(read.buffers) - 1
    graph.tensors.append(shape)
    picture, kernel, bias = op.inputs
    op.inputs, op.opcodeIndex = [len(graph.tensors) - 1, kernel, picture, bias], len(read.operatorCodes) - 1
    op.customOptions, op.builtinOptionsType = None, schema.BuiltinOptions.TransposeConvOptions
    op.builtinOptions = schema.TransposeConvOptionsT()
    op.builtinOptions.padding, op.builtinOptions.strideW, op.builtinOptions.strideH = schema.Padding.SAME, 2, 2


def _named(schema: Any, name: str, tensor: int) -> Any:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, int(tensor)
    return entry


def quantised(model: bytes, resolution: Resolution) -> bytes:
    """Calibrated on the embedded sample."""
    from converters.calibration_data import prepare
    from converters.tflite import quantise
    from evaluation import sample

    frames = [to_input(frame) for frame in prepare(sample.embedded(), resolution).calibration]
    return quantise(widened(model), False, [(frame, no_mask(resolution)) for frame in frames])


def main() -> None:
    from converters.references import fetch

    _, path, height, width = sys.argv
    resolution = int(height), int(width)
    one = next(p for name, p in reference.read().items() if name in NAMES and p.resolution == resolution)
    Path(path).write_bytes(quantised(fetch(one).read_bytes(), resolution))


if __name__ == "__main__":
    main()
