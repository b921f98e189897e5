"""Run a MIL program operation by operation, each tensor holding only what its stated type can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from converters.mil.operations import KNOWN, Kernel, Refused
from converters.mil.package import Program

TARGETS = ("iOS15", "iOS16")
"""Later operation sets give some of the same names other meanings."""

Names = str | tuple[str, ...] | None
"""One argument of a kernel: a tensor, several tensors, or an optional one that is absent."""


@dataclass(frozen=True)
class Value:
    """A tensor as the program states it."""

    name: str
    shape: tuple[int, ...]
    half: bool

    def hold(self, tensor: Tensor) -> Tensor:
        """`tensor` rounded to this type; Refused when its shape is not the stated one."""
        if tuple(tensor.shape) != self.shape:
            raise Refused(f"{self.name} should be {self.shape} and is {tuple(tensor.shape)}")
        return tensor.half().float() if self.half else tensor


@dataclass(frozen=True)
class Step:
    """One operation, its constant parameters already inside the kernel."""

    operation: str
    kernel: Kernel
    arguments: tuple[Names, ...]
    result: Value


@dataclass(frozen=True)
class Plan:
    """A program whose constants are prepared."""

    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    steps: tuple[Step, ...]
    constants: Mapping[str, Tensor] = field(repr=False)


def compile(program: Program) -> Plan:
    """Prepare constants and kernels. Refused names the operation, parameter or type that is not known."""
    if list(program.functions) != ["main"]:
        raise Refused(f"the program should have one function, main, and has: {', '.join(program.functions)}")
    main = program.functions["main"]
    if main.opset_version.name not in TARGETS:
        raise Refused(f"the operations of {main.opset_version.name} are not known, only those of {', '.join(TARGETS)}")
    constants: dict[str, Tensor] = {}
    return Plan(
        inputs=tuple(_value(var) for var in main.inputs.values()),
        steps=tuple(_step(op, constants) for op in main.operations if not _is_constant(op)),
        outputs=tuple(_value(var) for var in main.outputs),
        constants=constants,
    )


@torch.inference_mode()
def run(plan: Plan, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Outputs by name from inputs by name, all float32. Refused when an input is missing or of another shape."""
    if missing := [value.name for value in plan.inputs if value.name not in inputs]:
        raise Refused(f"the program also takes {', '.join(missing)}")
    known = dict(plan.constants)
    for value in plan.inputs:
        known[value.name] = value.hold(inputs[value.name])
    for step in plan.steps:
        known[step.result.name] = step.result.hold(step.kernel(*(_fetch(known, names) for names in step.arguments)))
    return {value.name: known[value.name] for value in plan.outputs}


def _fetch(known: Mapping[str, Tensor], names: Names) -> Any:
    if isinstance(names, str):
        return known[names]
    return None if names is None else [known[name] for name in names]


def _is_constant(op: Any) -> bool:
    return op is not None and (op.op_type == "const" or op.op_type.startswith("constexpr_"))


def _step(op: Any, constants: dict[str, Tensor]) -> Step:
    """`op` with its parameters resolved; the constant tensors it takes are added to `constants`."""
    try:
        if op.op_type not in KNOWN:
            raise Refused("it is not among the operations this executor knows")
        known = KNOWN[op.op_type]
        if unknown := sorted(set(op.inputs) - {*known.tensors, *known.parameters}):
            raise Refused(f"parameter {', '.join(unknown)} is not known")
        (result,) = op.outputs
        return Step(
            operation=op.op_type,
            kernel=known.prepare(**{name: _parameter(name, op.inputs.get(name)) for name in known.parameters}),
            arguments=tuple(_names(op.inputs.get(name), constants) for name in known.tensors),
            result=_value(result),
        )
    except Refused as error:
        raise Refused(f"operation {op.op_type} ({op.name}): {error}") from None


def _parameter(name: str, var: Any) -> Any:
    if var is None or var.val is None:
        raise Refused(f"parameter {name} is not a constant")
    return var.val


def _names(argument: Any, constants: dict[str, Tensor]) -> Names:
    if argument is None:
        return None
    variables = argument if isinstance(argument, list | tuple) else [argument]
    for var in variables:
        if _is_constant(var.op) and var.name not in constants:
            constants[var.name] = _constant(var)
    return argument.name if argument is variables[0] else tuple(var.name for var in variables)


def _value(var: Any) -> Value:
    return Value(var.name, tuple(int(side) for side in var.shape), _half(var))


def _half(var: Any) -> bool:
    kind = var.dtype.__type_info__().name
    if kind not in ("fp16", "fp32"):
        raise Refused(f"tensor {var.name} of type {kind} is not known, only fp16 and fp32")
    return kind == "fp16"


def _constant(var: Any) -> Tensor:
    """The value of a constant as float32."""
    if var.op.op_type == "const":
        values = np.asarray(var.val, np.float32)
    elif var.op.op_type == "constexpr_affine_dequantize":
        values = _dequantised(**{name: argument.val for name, argument in var.op.inputs.items()})
    else:
        raise Refused(f"constant {var.name} is made by {var.op.op_type}, which is not known")
    return _value(var).hold(torch.from_numpy(np.array(values, np.float32)))


def _dequantised(quantized_data: NDArray[Any], zero_point: Any, scale: Any, axis: int) -> NDArray[np.float32]:
    """scale * (quantized_data - zero_point), scale and zero_point one number or one along `axis`."""

    def along(values: Any) -> NDArray[np.float32]:
        values = np.asarray(values, np.float32)
        shape = [1] * quantized_data.ndim
        if values.ndim:
            shape[axis] = -1
        return values.reshape(shape)

    return along(scale) * (quantized_data.astype(np.float32) - along(zero_point))
