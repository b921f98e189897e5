"""The description of an ONNX file; its weights are not read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from converters.inspection.graph import Graph, Node, Port, chains

SMALL = 16
"""A constant of more numbers is no mean, standard deviation or limit."""


def read(path: Path) -> Graph:
    import onnx
    from onnx import helper, numpy_helper

    graph = onnx.load(path, load_external_data=False).graph
    constants: dict[str, tuple[float, ...]] = {}

    def keep(name: str, tensor: onnx.TensorProto) -> None:
        small = int(np.prod(tensor.dims)) <= SMALL and not tensor.external_data
        constants[name] = tuple(map(float, numpy_helper.to_array(tensor).ravel())) if small else ()

    for tensor in graph.initializer:
        keep(tensor.name, tensor)
    nodes = []
    for node in graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        if node.op_type == "Constant" and isinstance(attributes.get("value"), onnx.TensorProto):
            keep(node.output[0], attributes["value"])
            continue
        limits = tuple(float(attributes[name]) for name in ("min", "max") if name in attributes)
        nodes.append(Node(node.op_type, tuple(filter(None, node.input)), tuple(node.output), limits))

    def port(value: onnx.ValueInfoProto) -> Port:
        tensor = value.type.tensor_type
        shape = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim)
        return Port(value.name, shape, str(helper.tensor_dtype_to_np_dtype(tensor.elem_type)))

    given = [value for value in graph.input if value.name not in constants]
    names = [value.name for value in given]
    heads, tails = chains(nodes, names, [value.name for value in graph.output], constants)
    return Graph("onnx", tuple(map(port, given)), tuple(map(port, graph.output)), heads, tails)
