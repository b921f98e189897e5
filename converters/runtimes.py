"""Any model file in its runtime: arrays in by name, arrays out by name. `reference_session` knows what they mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from converters import onnx, openvino
from converters.session import Array

Shape = tuple[int, ...]
OTHERS = ""
"""Among shapes by name, that of every input that is not named."""


@dataclass(frozen=True)
class Tensor:
    """One input or output. A side that the model leaves open is None; `scale` 0 is no quantisation."""

    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]
    scale: float = 0.0
    zero_point: int = 0

    def encode(self, real: NDArray[np.float32]) -> Array:
        """`real` as this tensor holds it. Integers without a scale are pixels, 0..255, of values in [0, 1]."""
        if self.dtype.kind == "f":
            return real.astype(self.dtype, copy=False)
        limits = np.iinfo(self.dtype)
        integers = np.rint(real / self.scale) + self.zero_point if self.scale else np.rint(real * 255)
        return np.clip(integers, limits.min, limits.max).astype(self.dtype)

    def decode(self, values: Array) -> NDArray[np.float32]:
        """The inverse of `encode`."""
        if self.dtype.kind == "f":
            return values.astype(np.float32, copy=False)
        return (values.astype(np.float32) - self.zero_point) * np.float32(self.scale or 1 / 255)

    def filled(self, value: float = 0.0) -> Array:
        """An array of one real value, open sides being 1."""
        shape = tuple(side or 1 for side in self.shape)
        real = np.full(shape, value, np.float32)
        return self.encode(real) if self.scale else real.astype(self.dtype)


Tensors = dict[str, Tensor]


class Runtime(ABC):
    """A loaded model. `inputs` and `outputs` are by name, in the model's order."""

    name: str
    inputs: Tensors
    outputs: Tensors

    @abstractmethod
    def infer(self, feed: Mapping[str, Array], wanted: Sequence[str]) -> list[Array]:
        """One inference of all inputs: the outputs `wanted`, in memory of their own."""


class LiteRt(Runtime):
    """LiteRT's interpreter with XNNPACK."""

    def __init__(self, path: Path, threads: int, shapes: Mapping[str, Shape]) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.name = f"LiteRT {version('ai-edge-litert')}"
        self.interpreter = Interpreter(model_path=str(path), num_threads=threads)
        for details in self.interpreter.get_input_details():
            shape = shapes.get(details["name"]) or shapes.get(OTHERS)
            if -1 in details["shape_signature"] and shape:
                self.interpreter.resize_tensor_input(details["index"], shape)
        self.interpreter.allocate_tensors()
        inputs, outputs = self.interpreter.get_input_details(), self.interpreter.get_output_details()
        self.at = {details["name"]: details["index"] for details in (*inputs, *outputs)}
        self.inputs, self.outputs = litert_tensors(inputs), litert_tensors(outputs)

    def infer(self, feed: Mapping[str, Array], wanted: Sequence[str]) -> list[Array]:
        for name, array in feed.items():
            self.interpreter.set_tensor(self.at[name], array)
        self.interpreter.invoke()
        return [self.interpreter.get_tensor(self.at[name]) for name in wanted]


def litert_tensors(details: list[dict[str, Any]]) -> Tensors:
    """What an interpreter tells about its inputs or outputs."""
    return {
        d["name"]: Tensor(tuple(int(side) for side in d["shape"]), np.dtype(d["dtype"]), *d["quantization"])
        for d in details
    }


ONNX_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(uint8)": np.uint8,
    "tensor(int8)": np.int8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
    "tensor(bool)": np.bool_,
}


class OnnxRuntime(Runtime):
    """ONNX Runtime's CPU provider."""

    def __init__(self, path: Path, threads: int, shapes: Mapping[str, Shape]) -> None:
        self.name = f"ONNX Runtime {version('onnxruntime')}"
        self.session = onnx.start(path, threads)
        self.inputs = self._tensors(self.session.get_inputs())
        self.outputs = self._tensors(self.session.get_outputs())

    def infer(self, feed: Mapping[str, Array], wanted: Sequence[str]) -> list[Array]:
        return self.session.run(list(wanted), dict(feed))

    def _tensors(self, found: list[Any]) -> Tensors:
        return {
            t.name: Tensor(tuple(s if isinstance(s, int) else None for s in t.shape), np.dtype(ONNX_TYPES[t.type]))
            for t in found
        }


class OpenVino(Runtime):
    """OpenVINO's CPU plugin."""

    def __init__(self, path: Path, threads: int, shapes: Mapping[str, Shape]) -> None:
        import openvino as ov

        self.name = f"OpenVINO {version('openvino')}"
        core = ov.Core()
        model = core.read_model(path)
        opened = {v.get_any_name(): v.partial_shape for v in model.inputs if v.partial_shape.is_dynamic}
        if opened and shapes:
            model.reshape({n: list(shapes.get(n) or shapes.get(OTHERS) or ()) or s for n, s in opened.items()})
        compiled = core.compile_model(model, "CPU", openvino.settings(threads))
        self.request = compiled.create_infer_request()
        self.inputs, self.outputs = self._tensors(compiled.inputs), self._tensors(compiled.outputs)

    def infer(self, feed: Mapping[str, Array], wanted: Sequence[str]) -> list[Array]:
        import openvino as ov

        for name, array in feed.items():
            if None in self.inputs[name].shape:
                self.request.set_tensor(name, ov.Tensor(array))
            else:
                # Copies into the request's own tensors: a dictionary of arrays costs the binding 0.2 ms an inference.
                self.request.get_tensor(name).data[...] = array
        self.request.infer()
        return [self.request.get_tensor(name).data.copy() for name in wanted]

    def _tensors(self, found: Any) -> Tensors:
        return {
            v.get_any_name(): Tensor(
                tuple(None if side.is_dynamic else side.get_length() for side in v.partial_shape),
                np.dtype(v.element_type.to_dtype()),
            )
            for v in found
        }


RUNTIMES: dict[str, tuple[type[LiteRt] | type[OnnxRuntime] | type[OpenVino], str, str]] = {
    "onnx": (OnnxRuntime, "ONNX Runtime", "onnxruntime"),
    "tflite": (LiteRt, "LiteRT", "ai-edge-litert"),
    "openvino": (OpenVino, "OpenVINO", "openvino"),
}
"""Format -> its runtime, and the name and the package of that."""


def open_runtime(format: str, path: Path, threads: int = 1, shapes: Mapping[str, Shape] | None = None) -> Runtime:
    """The model at `path` in the runtime of its format. `shapes` are those of inputs that it leaves open, by name."""
    return RUNTIMES[format][0](path, threads, shapes or {})
