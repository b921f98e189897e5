"""OpenVINO IR straight from PyTorch. fp16 stores its weights in 16 bits; int8 is NNCF's post-training quantisation.

NNCF's default halves the range of the first layer's weights alone; of `live`'s 31 convolutions that add products, 28
can then saturate without VNNI (see `converters.saturation`), and do: alone, on extreme inputs on an AMD EPYC (AVX2),
28 differ from exact integers. With OverflowFix.ENABLE, which spares the depthwise ones, none does. IOU of 60 selfies:
`live` float32 94.96, default 95.03, all halved 94.99; `live-fast` 94.37, 94.18, 94.32; without any fix `live` 93.17.
"""

from __future__ import annotations

import logging
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters import graph
from converters.artifact import Precision, Spec
from converters.extras import missing
from converters.session import Array, Session, with_labels

if TYPE_CHECKING:
    import openvino

    from converters.registry import Calibration
    from models.hourglass import Hourglass

SUFFIX = ".xml"
RUNTIME = ("openvino",)
SECONDS = (4.0, 2.5)


def available() -> str | None:
    return missing("torch", "openvino", "nncf")


def import_runtime() -> None:
    import openvino  # noqa: F401


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "openvino", "nncf")}


def convert(network: Hourglass, spec: Spec, out: Path, calibration: Calibration | None) -> Path:
    """Writes `out` (.xml) and the .bin beside it."""
    import openvino as ov
    import torch

    from converters.network import Nchw, example

    inputs = example(network, spec.resolution)
    model = ov.convert_model(torch.export.export(Nchw(network), (), inputs))
    model.reshape({name: list(tensor.shape) for name, tensor in inputs.items()})
    model.outputs[0].get_tensor().set_names({"mask"})
    if spec.precision == "int8":
        assert calibration is not None
        model = _quantise(model, list(inputs), calibration)
    ov.save_model(model, out, compress_to_fp16=spec.precision == "fp16")
    return out


def _quantise(model: openvino.Model, names: list[str], calibration: Calibration) -> openvino.Model:
    import nncf
    from nncf import AdvancedQuantizationParameters
    from nncf.quantization.range_estimator import RangeEstimatorParametersSet

    nncf.set_log_level(logging.ERROR)
    samples = [dict(zip(names, (a.transpose(0, 3, 1, 2) for a in pair), strict=False)) for pair in calibration]
    # On the three trained networks it was tried on, this leaves about a third of the mask's mean difference that NNCF's
    # defaults do (0.0085 instead of 0.0241 after 30 frames); bias correction does most of the harm.
    careful = AdvancedQuantizationParameters(
        activations_range_estimator_params=RangeEstimatorParametersSet.MINMAX,
        disable_bias_correction=True,
        overflow_fix=nncf.OverflowFix.ENABLE,
    )
    return nncf.quantize(
        model,
        nncf.Dataset(samples),
        preset=nncf.QuantizationPreset.MIXED,
        ignored_scope=nncf.IgnoredScope(names=_joins_to_the_picture(model)),
        subset_size=len(samples),
        advanced_parameters=careful,
    )


def summed_weights(path: Path) -> dict[str, Array]:
    """The int8 weights (output channels, ...) of the convolutions of an int8 artifact, without depthwise ones.

    By the convolution's name; what they are asked for is in `converters.saturation`.
    """
    import openvino as ov

    found = {}
    for op in ov.Core().read_model(path).get_ops():
        if op.get_type_name() == "Convolution":  # a depthwise one is a GroupConvolution
            weights = op.input_value(1).get_node()
            while weights.get_input_size():
                weights = weights.input_value(0).get_node()
            if weights.get_element_type() == ov.Type.i8:
                found[op.get_friendly_name()] = weights.get_data()
    return found


def _joins_to_the_picture(model: openvino.Model) -> list[str]:
    """Names of the concatenations that join features to the picture, which the stem reads too.

    NNCF gives all that is concatenated one scale: the picture's 256 levels would become the few that features leave.
    """
    joins = [op for op in model.get_ordered_ops() if op.get_type_name() == "Concat"]
    sources = {join.get_friendly_name(): [value.get_node() for value in join.input_values()] for join in joins}
    picture = {node.get_friendly_name() for node in model.get_parameters()}
    picture |= {join for join, nodes in sources.items() if all(n.get_friendly_name() in picture for n in nodes)}
    return [
        join
        for join, nodes in sources.items()
        if join not in picture and any(n.get_friendly_name() in picture for n in nodes)
    ]


class OpenVinoSession(Session):
    """OpenVINO's CPU plugin: NCHW float32 in and out in every precision."""

    layout = "NCHW"

    def __init__(self, compiled: openvino.CompiledModel, threads: int) -> None:
        import openvino.properties.hint as hints

        self.compiled, self.threads = compiled, threads
        self.request = compiled.create_infer_request()
        shape = compiled.input("frame").shape
        self.resolution = (shape[2], shape[3])
        self.inputs = [self.request.get_tensor(n).data for n in ("frame", "prev_mask")[: len(compiled.inputs)]]
        self.mask = self.request.get_tensor("mask").data
        self.facts = {
            "runtime": f"OpenVINO {version('openvino')}",
            "compute_precision": compiled.get_property(hints.inference_precision).get_type_name(),
            "threads": threads,
        }

    def native(self, frame: Array, prev_mask: Array) -> Array:
        # Copies into the request's own tensors: a dictionary of arrays costs the Python binding 0.2 ms an inference.
        for tensor, array in zip(self.inputs, (frame, prev_mask), strict=False):
            tensor[...] = array
        self.request.infer()
        return self.mask.copy()

    def copy(self) -> OpenVinoSession:
        """From the compiled network: compiling takes three times as long."""
        import openvino as ov

        compiled = ov.Core().import_model(self.compiled.export_model(), "CPU", settings(self.threads))
        return OpenVinoSession(compiled, self.threads)


def settings(threads: int) -> dict[Any, Any]:
    """Properties of the CPU plugin, the same for our models and reference models.

    It is held at float32 (int8 layers stay int8), because it would otherwise drop to bfloat16 on processors that have
    it; x86 processors compute a float16 artifact in float32 too.
    """
    import openvino as ov
    import openvino.properties as properties
    import openvino.properties.hint as hints

    return {
        hints.inference_precision: ov.Type.f32,
        hints.performance_mode: hints.PerformanceMode.LATENCY,
        properties.inference_num_threads: threads,
        properties.num_streams: 1,
    }


def load(path: Path, threads: int = 1, precision: Precision = "fp32") -> Session:
    import openvino as ov

    session = OpenVinoSession(ov.Core().compile_model(path, "CPU", settings(threads)), threads)
    return with_labels(session, session.mask.shape[1])


def files(path: Path, out: Path) -> dict[Path, Path]:
    """The .xml, and the weights in the .bin of the same name."""
    return {path: out, path.with_suffix(".bin"): out.with_suffix(".bin")}


def inspect(path: Path) -> dict[str, Any]:
    import openvino as ov

    ignored = {"Parameter", "Result", "Constant"}
    operators = ov.Core().read_model(path).get_ops()
    return graph.summary(op.get_type_name() for op in operators if op.get_type_name() not in ignored)
