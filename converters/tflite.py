"""TFLite by litert-torch, run by LiteRT with XNNPACK. fp16 has its weights in 16 bits; int8 is integer throughout."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters import graph
from converters.artifact import Precision, Spec
from converters.extras import missing
from converters.session import Array, Quantisation, Session, with_labels

if TYPE_CHECKING:
    from converters.registry import Calibration
    from models.hourglass import Hourglass
    from models.variant import Resolution

SUFFIX = ".tflite"
RUNTIME = ("ai_edge_litert",)
SECONDS = (10.0, 2.0)
SIGNATURE = "serving_default"


def available() -> str | None:
    return missing("torch", "litert_torch", "ai_edge_quantizer", "ai_edge_litert")


def import_runtime() -> None:
    import ai_edge_litert.interpreter  # noqa: F401


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "litert-torch", "litert-converter", "ai-edge-quantizer")}


def convert(network: Hourglass, spec: Spec, out: Path, calibration: Calibration | None) -> Path:
    if spec.precision == "int8":
        from converters.hard_swish_rewrite import without_hard_swish

        network = without_hard_swish(network)
    model = _export(network, spec.resolution)
    if spec.precision == "fp16":
        model = _halve(model)
    if spec.precision == "int8":
        assert calibration is not None
        model = quantise(model, network.variant.previous_mask, calibration)
    out.write_bytes(model)
    return out


@lru_cache(maxsize=1)
def _export(network: Hourglass, resolution: Resolution) -> bytes:
    """The float32 model. It takes ten seconds, so the other precisions of one network start from the same one."""
    import litert_torch

    from converters.network import Nhwc, example

    inputs = {name: x.permute(0, 2, 3, 1).contiguous() for name, x in example(network, resolution).items()}
    return litert_torch.convert(Nhwc(network), sample_kwargs=inputs).model_content()


def _halve(model: bytes) -> bytes:
    from ai_edge_quantizer import qtyping, quantizer

    config = qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT),
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    casting = quantizer.Quantizer(model)
    casting.update_quantization_recipe(
        ".*", qtyping.TFLOperationName.ALL_SUPPORTED, config, quantizer.AlgorithmName.FLOAT_CASTING
    )
    return bytes(casting.quantize(enable_progress_report=False).quantized_model or b"")


def files(path: Path, out: Path) -> dict[Path, Path]:
    return {path: out}


def quantise(model: bytes, previous_mask: bool, calibration: Calibration) -> bytes:
    """Static int8 throughout, inputs and output too, of a float32 model with our signature."""
    from ai_edge_quantizer import quantizer, recipe
    from ai_edge_quantizer.calibrator import Calibrator
    from ai_edge_quantizer.recipe_manager import RecipeManager
    from ai_edge_quantizer.utils.qsv_utils import min_max_update

    static = recipe.static_wi8_ai8()
    names = ("frame", "prev_mask") if previous_mask else ("frame",)
    samples = [dict(zip(names, pair, strict=False)) for pair in calibration]
    # The quantizer's own calibration follows a moving average, which leans on the last frames. Over the twelve trained
    # networks, all ranges seen leave a mean difference of 0.0061 in 30 frames instead of 0.0076; one step is the same.
    recipes = RecipeManager()
    recipes.load_quantization_recipe(static)
    calibrator = Calibrator(model, num_threads=1, qsv_update_func=min_max_update)
    calibrator.calibrate({SIGNATURE: samples}, recipes)
    ranges = calibrator.get_model_qsvs()
    # A frame in int8 is then exactly its uint8 pixels minus 128, and the mask that comes out (a sigmoid, whose scale
    # the format fixes at 1/256) can be fed back as it is.
    ranges[f"{SIGNATURE}_frame"] |= _range(1.0)
    if previous_mask:
        ranges[f"{SIGNATURE}_prev_mask"] |= _range(255 / 256)
    for name in _before_hard_swish(model) & ranges.keys():
        ranges[name]["min"] = np.maximum(ranges[name]["min"], graph.HARD_SWISH_FLOOR)
    result = quantizer.Quantizer(model, static).quantize(ranges, enable_progress_report=False)
    return bytes(result.quantized_model or b"")


def _before_hard_swish(model: bytes) -> set[str]:
    """Names of the tensors that only a hard-swish reads: one operator, or the two of `hard_swish_rewrite`."""
    from ai_edge_litert import schema_py_generated as schema

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))
    only = read.subgraphs[0]
    kinds = schema.BuiltinOperator

    def kind(op: Any) -> int:
        code = read.operatorCodes[op.opcodeIndex]
        return max(code.builtinCode, code.deprecatedBuiltinCode)

    by = {op.outputs[0]: op for op in only.operators}
    found = {op.inputs[0] for op in only.operators if kind(op) == kinds.HARD_SWISH}
    for op in only.operators:
        if kind(op) == kinds.MUL:
            x, gate = op.inputs
            made = by.get(gate)
            if made and kind(made) == kinds.ADD and x in made.inputs:
                relu6 = made.builtinOptions.fusedActivationFunction == schema.ActivationFunctionType.RELU6
                found |= {x} if relu6 else set()
    return {only.tensors[index].name.decode() for index in found}


def _range(top: float) -> dict[str, Array]:
    return {"min": np.zeros((1, 1, 1, 1), np.float32), "max": np.full((1, 1, 1, 1), top, np.float32)}


class TfliteSession(Session):
    """LiteRT's interpreter with XNNPACK: NHWC, float32 in and out, or int8 in and out for int8."""

    layout = "NHWC"

    def __init__(self, path: Path, threads: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.interpreter = Interpreter(model_path=path, num_threads=threads)
        self.interpreter.allocate_tensors()
        signature = self.interpreter.get_signature_runner(SIGNATURE)
        inputs, mask = signature.get_input_details(), signature.get_output_details()["mask"]
        self.frame, self.mask = inputs["frame"]["index"], mask["index"]
        self.prev_mask = inputs["prev_mask"]["index"] if "prev_mask" in inputs else None
        self.resolution = tuple(int(side) for side in inputs["frame"]["shape"][1:3])  # type: ignore[assignment]
        self.frame_quantisation = _quantisation(inputs["frame"])
        self.channels = int(mask["shape"][-1])
        self.answer = self.mask_quantisation = _quantisation(mask)
        if self.prev_mask is not None and self.channels > 1:
            self.mask_quantisation = _quantisation(inputs["prev_mask"])
        if self.prev_mask is not None and _quantisation(inputs["prev_mask"]) != self.mask_quantisation:
            raise ValueError(f"{path}: the mask that comes out is quantised unlike the mask that goes in")
        self.facts = {"runtime": f"LiteRT {version('ai-edge-litert')}", "delegate": "XNNPACK", "threads": threads}

    def native(self, frame: Array, prev_mask: Array) -> Array:
        self.interpreter.set_tensor(self.frame, frame)
        if self.prev_mask is not None:
            self.interpreter.set_tensor(self.prev_mask, prev_mask)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.mask)


def _quantisation(details: dict[str, Any]) -> Quantisation | None:
    scale, zero_point = details["quantization"]
    return Quantisation(float(scale), int(zero_point)) if details["dtype"] is np.int8 else None


def load(path: Path, threads: int = 1, precision: Precision = "fp32") -> Session:
    session = TfliteSession(path, threads)
    return with_labels(session, session.channels, session.answer)


def inspect(path: Path) -> dict[str, Any]:
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in model.operatorCodes]
    return graph.summary(names[codes[op.opcodeIndex]] for op in model.subgraphs[0].operators)
