"""ONNX by PyTorch's exporter, run by ONNX Runtime. float16 keeps float32 inputs and outputs; int8 is static QDQ.

Its weights have 7 bits, but for depthwise convolutions, so that no product saturates where there is no VNNI (see
`converters.saturation`). Tried on an AMD EPYC (AVX2), IOU of 60 selfies and time over float32's: `live` (float32 94.96)
8 bits 93.54, 7 bits 94.98 and 1.26 (1.19 to 1.76), uint8 weights 95.00 and 1.82 (1.63 to 2.09), int8 activations 94.97
but over the tolerance; `s16-skip-plain` (88.26) 86.93, 88.24 and 1.05 (0.87 to 1.26), 88.20 and 1.39 (1.14 to 1.85).
7 bits and uint8 weights are as accurate; the former are faster, and keep the kernels made for VNNI, AMX and NEON.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters import graph
from converters.artifact import Precision, Spec
from converters.extras import missing
from converters.session import Array, Session, with_labels
from models import external_data

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto
    from onnxruntime import InferenceSession

    from converters.registry import Calibration
    from models.hourglass import Hourglass

SUFFIX = ".onnx"
RUNTIME = ("onnx", "onnxruntime")
SECONDS = (6.0, 2.5)
OPSET = 18
"""Old enough for runtimes that phones' browsers still have."""


def available() -> str | None:
    return missing("torch", "onnx", "onnxscript", "onnxruntime")


def import_runtime() -> None:
    import onnxruntime  # noqa: F401


def versions() -> dict[str, str]:
    return {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")}


def convert(network: Hourglass, spec: Spec, out: Path, calibration: Calibration | None) -> Path:
    import onnx

    model = _export(network, spec)
    if spec.precision == "int8":
        assert calibration is not None
        model = _quantise(model, calibration)
    onnx.checker.check_model(model)
    onnx.save(model, out)
    return out


def _export(network: Hourglass, spec: Spec) -> ModelProto:
    import torch

    from converters.network import Half, Nchw, example

    inputs = example(network, spec.resolution)
    program = torch.onnx.export(
        Half(network) if spec.precision == "fp16" else Nchw(network),
        kwargs=inputs,
        dynamo=True,
        input_names=list(inputs),
        output_names=["mask"],
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    # The exporter notes source lines and paths of the machine that ran it: they have no place in an artifact.
    for part in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.value_info,
        *model.graph.input,
        *model.graph.output,
    ):
        del part.metadata_props[:]
    return model


def _quantise(model: ModelProto, calibration: Calibration) -> ModelProto:
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        def __init__(self, samples: Iterator[dict[str, Array]]) -> None:
            self.samples = samples

        def get_next(self) -> dict[str, Array] | None:  # type: ignore[override]
            return next(self.samples, None)

    names = [i.name for i in model.graph.input]
    samples = (
        {
            name: array.transpose(0, 3, 1, 2)
            for name, array in zip(("frame", "prev_mask"), pair, strict=True)
            if name in names
        }
        for pair in calibration
    )
    _floor(model)
    with tempfile.TemporaryDirectory() as folder:
        float_path, path = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(model), float_path)
        quantize_static(
            float_path,
            path,
            Reader(samples),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            reduce_range=True,
            extra_options={
                "TensorQuantOverrides": {
                    weights: [{"quant_type": QuantType.QInt8, "axis": 0, "reduce_range": False}]
                    for weights in (node.input[1] for node in model.graph.node if _depthwise(node))
                }
            },
        )
        return onnx.load(path)


def _depthwise(node: NodeProto) -> bool:
    """Whether it is a convolution in groups: those of our networks have a group a channel."""
    return node.op_type == "Conv" and any(a.name == "group" and a.i > 1 for a in node.attribute)


def summed_weights(path: Path) -> dict[str, Array]:
    """The int8 weights (output channels, ...) of the convolutions of an int8 artifact, without depthwise ones.

    By the name of the convolution's output; what they are asked for is in `converters.saturation`.
    """
    import onnx
    from onnx import numpy_helper

    model = onnx.load(path).graph
    values = {one.name: one for one in model.initializer}
    stored = {node.output[0]: node.input[0] for node in model.node if node.op_type == "DequantizeLinear"}
    dense = (node for node in model.node if node.op_type == "Conv" and not _depthwise(node))
    found = {node.output[0]: numpy_helper.to_array(values[stored[node.input[1]]]) for node in dense}
    return {name: weights for name, weights in found.items() if weights.dtype == np.int8}


def _floor(model: ModelProto) -> None:
    """Let no hard-swish see less than what it gives zero for: the quantiser takes the Clip into the range before it."""
    from onnx import helper, numpy_helper

    lowest = numpy_helper.from_array(np.array(graph.HARD_SWISH_FLOOR, np.float32), "hard_swish_floor")
    nodes = []
    for node in model.graph.node:
        if node.op_type == "HardSwish":
            clipped = f"{node.input[0]}_clipped"
            nodes.append(helper.make_node("Clip", [node.input[0], lowest.name], [clipped], name=clipped))
            node.input[0] = clipped
        nodes.append(node)
    model.graph.initializer.append(lowest)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


class OnnxSession(Session):
    """ONNX Runtime's CPU provider: NCHW float32 in and out in every precision."""

    layout = "NCHW"

    def __init__(self, path: Path, threads: int) -> None:
        self.session = start(path, threads)
        inputs = {i.name: i.shape for i in self.session.get_inputs()}
        self.resolution = (inputs["frame"][2], inputs["frame"][3])
        self.recurrent = "prev_mask" in inputs
        self.channels = self.session.get_outputs()[0].shape[1]
        self.facts = {
            "runtime": f"ONNX Runtime {version('onnxruntime')}",
            "provider": "CPUExecutionProvider",
            "threads": threads,
        }

    def native(self, frame: Array, prev_mask: Array) -> Array:
        feed = {"frame": frame, "prev_mask": prev_mask} if self.recurrent else {"frame": frame}
        return self.session.run(None, feed)[0]


def start(path: Path, threads: int) -> InferenceSession:
    """A model in ONNX Runtime's CPU provider, of ours and of reference models."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    ort.disable_telemetry_events()
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def load(path: Path, threads: int = 1, precision: Precision = "fp32") -> Session:
    session = OnnxSession(path, threads)
    return with_labels(session, session.channels)


def files(path: Path, out: Path) -> dict[Path, Path]:
    """The model and the external data files that it names, at the same relative paths.

    Of a file that is no ONNX model, the file alone.
    """
    return {path: out, **{path.parent / name: out.parent / name for name in external_data.locations(path)}}


def inspect(path: Path) -> dict[str, Any]:
    import onnx

    return graph.summary(node.op_type for node in onnx.load(path, load_external_data=False).graph.node)
