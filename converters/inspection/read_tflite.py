"""The description of a TFLite file, as LiteRT's interpreter and the file's own schema tell it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from converters.inspection.graph import Graph, Node, Port, chains
from converters.inspection.read_onnx import SMALL
from converters.inspection.tflite_metadata import KEY, normalisations


def read(path: Path) -> Graph:
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.interpreter import Interpreter

    data = path.read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    only = model.subgraphs[0]
    interpreter = Interpreter(model_content=data)

    def port(details: dict[str, Any]) -> Port:
        shape = tuple(int(side) if side > 0 else None for side in details.get("shape_signature", details["shape"]))
        scale, zero_point = details["quantization"]
        return Port(details["name"], shape, np.dtype(details["dtype"]).name, float(scale), int(zero_point))

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    codes = [names[max(code.builtinCode, code.deprecatedBuiltinCode)] for code in model.operatorCodes]
    constants = {
        str(index): _numbers(tensor, model.buffers[tensor.buffer].data, schema)
        for index, tensor in enumerate(only.tensors)
        if model.buffers[tensor.buffer].data is not None
    }
    nodes = [
        Node(codes[op.opcodeIndex], tuple(str(i) for i in op.inputs if i >= 0), tuple(map(str, op.outputs)))
        for op in only.operators
    ]
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    called = {str(details["index"]): details["name"] for details in (*inputs, *outputs)}
    metadata = [model.buffers[one.buffer].data for one in model.metadata or [] if one.name == KEY]
    scalings = [scaling for one in metadata for scaling in normalisations(bytes(one))]
    heads, tails = chains(nodes, [str(d["index"]) for d in inputs], [str(d["index"]) for d in outputs], constants)
    return Graph(
        "tflite",
        tuple(map(port, inputs)),
        tuple(map(port, outputs)),
        {called[name]: chain for name, chain in heads.items()},
        {called[name]: chain for name, chain in tails.items()},
        {d["name"]: scaling for d, scaling in zip(inputs, scalings, strict=False) if scaling},
    )


def _numbers(tensor: Any, data: Any, schema: Any) -> tuple[float, ...]:
    """A small constant of floats or halves."""
    kinds = {schema.TensorType.FLOAT32: np.float32, schema.TensorType.FLOAT16: np.float16}
    kind = kinds.get(tensor.type)
    raw = np.asarray(data, np.uint8).tobytes()
    if kind is None or len(raw) > SMALL * np.dtype(kind).itemsize:
        return ()
    return tuple(map(float, np.frombuffer(raw, kind)))
