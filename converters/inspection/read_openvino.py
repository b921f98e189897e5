"""The description of an OpenVINO IR."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from converters.inspection.graph import Graph, Node, Port, chains
from converters.inspection.read_onnx import SMALL


def read(path: Path) -> Graph:
    import openvino as ov

    model = ov.Core().read_model(path)
    constants: dict[str, tuple[float, ...]] = {}
    nodes = []
    for op in model.get_ordered_ops():
        outputs = tuple(_key(value) for value in op.outputs())
        if op.get_type_name() == "Constant":
            small = int(np.prod(op.get_output_shape(0))) <= SMALL
            constants[outputs[0]] = tuple(map(float, np.ravel(op.get_data()))) if small else ()
        elif op.get_type_name() == "Convert" and _key(op.input_value(0)) in constants:
            constants[outputs[0]] = constants[_key(op.input_value(0))]
        elif op.get_type_name() not in ("Parameter", "Result"):
            limits = tuple(float(op.get_attributes()[name]) for name in ("min", "max") if name in op.get_attributes())
            nodes.append(Node(op.get_type_name(), tuple(_key(v) for v in op.input_values()), outputs, limits))
    made = {_key(result.input_value(0)): value.get_any_name() for result, value in _results(model)}
    given = {_key(parameter.output(0)): parameter.output(0).get_any_name() for parameter in model.get_parameters()}
    heads, tails = chains(nodes, list(given), list(made), constants)
    return Graph(
        "openvino",
        tuple(map(_port, model.inputs)),
        tuple(map(_port, model.outputs)),
        {given[key]: chain for key, chain in heads.items()},
        {made[key]: chain for key, chain in tails.items()},
    )


def _results(model: Any) -> list[tuple[Any, Any]]:
    return list(zip(model.get_results(), model.outputs, strict=True))


def _key(value: Any) -> str:
    """A name of its own for each output of each operator."""
    return f"{value.get_node().get_friendly_name()}/{value.get_index()}"


def _port(value: Any) -> Port:
    shape = tuple(None if side.is_dynamic else side.get_length() for side in value.partial_shape)
    return Port(value.get_any_name(), shape, np.dtype(value.get_element_type().to_dtype()).name)
