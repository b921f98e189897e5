"""Every format by the same questions; Core ML's own tests lie beside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from converters import onnx, openvino
from converters.artifact import Format, Precision, Spec
from converters.calibration_data import CalibrationData, calibration
from converters.graph import HARD_SWISH_FLOOR
from converters.network import fold
from converters.parity import compare, eager, masks
from converters.registry import converter, format_of
from converters.saturation import saturating
from converters.session import Quantisation
from models.checkpoint import find, load
from models.hourglass import Bottleneck, DownBottleneck, Hourglass
from models.inverted import Gate, Inverted
from models.segmenter import Floats, no_mask, to_input
from models.variant import LIVE, REFERENCE, VARIANTS, get
from tests.converters.conftest import RESOLUTION, MakeSpec

Made = dict[Precision, Path]
FORMATS: tuple[Format, ...] = ("onnx", "openvino", "tflite")


@pytest.fixture(scope="module", params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    return request.param


@pytest.fixture(scope="module")
def made(
    format: Format,
    spec: MakeSpec,
    tiny: Path,
    calibration_data: CalibrationData,
    tmp_path_factory: pytest.TempPathFactory,
) -> Made:
    """The three precisions of one network."""
    module = converter(format)
    assert module.available() is None
    network = load(tiny).network()
    folded = fold(network)
    folder = tmp_path_factory.mktemp(format)
    paths = {}
    for precision in ("fp32", "fp16", "int8"):
        samples = calibration(eager(network), calibration_data.calibration) if precision == "int8" else None
        out = folder / f"{precision}{module.SUFFIX}"
        paths[precision] = module.convert(folded, spec(format, precision), out, samples)  # type: ignore[arg-type]
        assert paths[precision] == out
    return paths  # type: ignore[return-value]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_parity(
    precision: Precision, format: Format, made: Made, reference: Floats, calibration_data: CalibrationData
) -> None:
    ours = masks(converter(format).load(made[precision], precision=precision), calibration_data.clip)
    parity = compare(ours, reference, calibration_data.labels, precision)
    # Untrained, it is noisier than the networks that the tolerances are for; swapped channels differ by 0.1.
    assert parity.mean_difference <= {"fp32": 1e-5, "fp16": 3e-3, "int8": 0.03}[precision], parity


def test_half_the_precision_takes_less_room(made: Made) -> None:
    def size(path: Path) -> int:
        return (path.with_suffix(".bin") if path.suffix == ".xml" else path).stat().st_size

    assert size(made["fp32"]) > size(made["fp16"]) > 0


def test_the_native_mask_is_a_native_previous_mask(
    format: Format, made: Made, calibration_data: CalibrationData
) -> None:
    for precision, path in made.items():
        session = converter(format).load(path, precision=precision)
        assert session.resolution == RESOLUTION
        frame = session.encode_frame(to_input(calibration_data.clip[0]))
        empty = session.encode_mask(np.zeros((1, *RESOLUTION, 1), np.float32))
        mask = session.native(frame, empty)
        assert (mask.shape, mask.dtype) == (empty.shape, empty.dtype)
        before = mask.copy()
        assert not np.array_equal(session.native(frame, mask), before), "the previous mask makes no difference"
        assert np.array_equal(mask, before), "a later inference wrote into an earlier mask"


def test_nothing_is_left_over_in_the_graph(format: Format, made: Made) -> None:
    for path in made.values():
        assert converter(format).inspect(path)["leftovers"] == {"TRANSPOSE": 0, "PAD": 0, "RESHAPE": 0}


def test_suffix_tells_the_format(format: Format, made: Made) -> None:
    assert format_of(made["fp32"]) == format
    with pytest.raises(ValueError, match=r"known suffixes are \.onnx"):
        format_of(Path("model.pt"))


@pytest.mark.parametrize("format", ["tflite"], indirect=True)  # the others' inputs are real numbers
def test_int8_frames_are_the_pixels_themselves(format: Format, made: Made) -> None:
    session = converter(format).load(made["int8"], precision="int8")
    assert session.frame_quantisation == Quantisation(float(np.float32(1 / 255)), -128)
    assert session.mask_quantisation == Quantisation(1 / 256, -128)
    pixels = np.arange(256, dtype=np.uint8)
    encoded = session.encode_frame(pixels.reshape(1, 16, 16, 1).astype(np.float32) / np.float32(255))
    assert np.array_equal(encoded.ravel().astype(int) + 128, pixels)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["s4-skip-light"])
def test_lowering_rules(name: str, tmp_path: Path) -> None:
    """No TRANSPOSE, PAD or RESHAPE; every ReLU and BatchNorm swallowed; one RESIZE_BILINEAR for each enlargement."""
    network = fold(Hourglass(get(name)))
    module = converter("tflite")
    path = module.convert(network, Spec(name, Path(), "", "tflite", "fp32", (64, 64)), tmp_path / "n.tflite", None)
    graph = module.inspect(path)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    # A convolution of one channel is lowered as a depthwise one, as is a grouped one.
    depthwise = sum(m.groups > 1 or m.in_channels == 1 for m in convolutions)
    light = network.variant.head == "light"
    branches = sum(isinstance(m, Bottleneck | DownBottleneck) for m in network.modules())
    wanted = {
        "CONV_2D": len(convolutions) - depthwise,
        "DEPTHWISE_CONV_2D": depthwise,
        "ADD": branches + 3 * (2 if network.variant.skips else 1) + (3 if light else 0),
        "AVERAGE_POOL_2D": 3,
        "RESIZE_BILINEAR": 5 if light else 4,
        "LOGISTIC": 1,
        "CONCATENATION": 3 + network.variant.dense_layers if network.variant.head == "dense" else 1,
    }
    if network.variant.entry == "add":
        del wanted["CONCATENATION"]
    else:
        del wanted["DEPTHWISE_CONV_2D"]
    assert graph["leftovers"] == {"TRANSPOSE": 0, "PAD": 0, "RESHAPE": 0}
    unfused = graph["ops"].pop("RELU", 0)
    assert graph["ops"] == wanted
    assert unfused == (0 if network.variant.skips else 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", list(REFERENCE))
def test_lowering_rules_of_the_twelve(name: str, tmp_path: Path) -> None:
    """No PAD and no CONCATENATION; only what lays out the sub-pixels moves numbers about."""
    network = fold(Hourglass(get(name)))
    module = converter("tflite")
    path = module.convert(network, Spec(name, Path(), "", "tflite", "fp32", (64, 64)), tmp_path / "n.tflite", None)
    graph = module.inspect(path)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    depthwise = sum(m.groups > 1 or m.in_channels == 1 for m in convolutions)
    branches = sum(isinstance(m, Bottleneck | DownBottleneck) for m in network.modules())
    layers = network.variant.dense_layers if network.variant.head == "dense-separable" else 0
    enlarged = min(layers, 1)  # the base that all layers share
    sums = enlarged + sum(1 + earlier for earlier in range(layers))  # the layers before, and a layer's output
    assert graph["leftovers"] == {"TRANSPOSE": 3, "PAD": 0, "RESHAPE": 3}
    # The first dense layer rectifies the base, which the others need as it is.
    assert graph["ops"].pop("RELU", 0) == enlarged + (0 if network.variant.skips else 3)
    assert graph["ops"] == {
        "CONV_2D": len(convolutions) - depthwise,
        "DEPTHWISE_CONV_2D": depthwise,
        "ADD": branches + 3 * (2 if network.variant.skips else 1) + 3 + sums,
        "AVERAGE_POOL_2D": 3,
        "RESIZE_BILINEAR": 3 + enlarged,
        "LOGISTIC": 1,
        "TRANSPOSE": 3,
        "RESHAPE": 3,
    }


@pytest.mark.long
def test_lowering_rules_of_the_inverted_trunk(tmp_path: Path) -> None:
    """Nothing but the network; every ReLU swallowed; a gate is a MEAN, two convolutions, a LOGISTIC and a MUL.

    Only what lays out the sub-pixels moves numbers about, once the sigmoid is done.
    """
    network = _inverted()
    path = converter("tflite").convert(network, _spec("tflite", "fp32"), tmp_path / "n.tflite", None)
    graph = converter("tflite").inspect(path)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    depthwise = sum(m.groups > 1 or m.in_channels == 1 for m in convolutions)
    gates = 1 + sum(isinstance(m, Gate) for m in network.modules())
    assert graph["leftovers"] == {"TRANSPOSE": 3, "PAD": 0, "RESHAPE": 3}
    assert graph["ops"] == {
        "CONV_2D": len(convolutions) - depthwise,
        "DEPTHWISE_CONV_2D": depthwise,
        "ADD": 14,
        "HARD_SWISH": 2 * len(network.trunk.stage16),
        "MEAN": gates,
        "MUL": gates,
        "LOGISTIC": gates + 1,
        "RESIZE_BILINEAR": 2,
        "TRANSPOSE": 3,
        "RESHAPE": 3,
    }


@pytest.mark.long
@pytest.mark.parametrize("format", ["tflite", "onnx"], indirect=True)
def test_no_integers_are_spent_on_what_a_hard_swish_gives_zero_for(format: Format, tmp_path: Path) -> None:
    network, module = _inverted(), converter(format)
    frame = np.random.default_rng(0).random((1, *RESOLUTION, 3), np.float32)
    first: list[torch.Tensor] = []
    network.trunk.stage16[0].widen.register_forward_hook(lambda _module, _inputs, output: first.append(output))
    network.logits(torch.from_numpy(frame).permute(0, 3, 1, 2), torch.zeros(1, 1, *RESOLUTION))
    assert first[0].min() < 2 * HARD_SWISH_FLOOR
    path = tmp_path / f"int8{module.SUFFIX}"
    module.convert(network, _spec(format, "int8"), path, [(frame, no_mask(RESOLUTION))])
    lowest = {"tflite": _lowest_in_tflite, "onnx": _lowest_in_onnx}[format](path)
    assert len(lowest) == 2 * len(network.trunk.stage16)
    # Zero has an integer of its own, for which the range gives way a little.
    assert min(lowest) > 1.05 * HARD_SWISH_FLOOR


@pytest.mark.parametrize("format", ["onnx", "openvino"], indirect=True)
def test_no_sum_of_products_saturates_on_a_processor_without_vnni(format: Format, tmp_path: Path) -> None:
    network, module = _inverted(), converter(format)
    frame = np.random.default_rng(0).random((1, *RESOLUTION, 3), np.float32)
    path = tmp_path / f"int8{module.SUFFIX}"
    module.convert(network, _spec(format, "int8"), path, [(frame, no_mask(RESOLUTION))])
    weights = {"onnx": onnx.summed_weights, "openvino": openvino.summed_weights}[format](path)
    assert len(weights) >= 2 * len(network.trunk.stage16)
    assert saturating(weights) == {}
    assert max(int(np.abs(values).max()) for values in weights.values()) in (63, 64), "a bit more is given away"


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "openvino"], indirect=True)
@pytest.mark.parametrize("name", [name for name in VARIANTS if find(name)])
def test_no_sum_of_products_of_a_shipped_network_saturates(name: str, format: Format, tmp_path: Path) -> None:
    weights = find(name)
    assert weights
    network, module = fold(load(weights).network()), converter(format)
    frame = np.random.default_rng(0).random((1, *RESOLUTION, 3), np.float32)
    path = tmp_path / f"int8{module.SUFFIX}"
    module.convert(network, _spec(format, "int8"), path, [(frame, no_mask(RESOLUTION))])
    dense = sum(isinstance(m, torch.nn.Conv2d) and m.groups == 1 for m in network.modules())
    # NNCF leaves a block's gate, two convolutions of one pixel, in float32.
    gates = sum(isinstance(m, Inverted) and m.gate is not None for m in network.modules())
    summed = {"onnx": onnx.summed_weights, "openvino": openvino.summed_weights}[format](path)
    assert len(summed) == dense - (2 * gates if format == "openvino" else 0)
    assert saturating(summed) == {}


@pytest.mark.parametrize("format", ["tflite"], indirect=True)
def test_no_weight_is_minus_128(format: Format, made: Made) -> None:
    """XNNPACK's NEON kernels add two products of int8 in 16 bits, which fit for all other weights."""
    from ai_edge_litert import schema_py_generated as schema

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(made["int8"].read_bytes(), 0))
    graph = read.subgraphs[0]
    kinds = (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D)
    convolutions = [op for op in graph.operators if read.operatorCodes[op.opcodeIndex].builtinCode in kinds]
    assert convolutions
    for op in convolutions:
        weights = np.asarray(read.buffers[graph.tensors[op.inputs[1]].buffer].data, np.uint8).view(np.int8)
        assert weights.min() >= -127


def _inverted() -> Any:
    """A network of the inverted trunk that reaches far below zero before its first hard-swish."""
    torch.manual_seed(0)
    network: Any = fold(Hourglass(LIVE))
    network.trunk.stage16[0].widen.weight *= 100
    return network


def _spec(format: Format, precision: Precision) -> Spec:
    return Spec("live", Path(), "", format, precision, RESOLUTION)


def _lowest_in_tflite(path: Path) -> list[float]:
    """The smallest number that each tensor can hold which a hard-swish reads."""
    from ai_edge_litert import schema_py_generated as schema

    read = schema.ModelT.InitFromObj(schema.Model.GetRootAs(path.read_bytes(), 0))
    graph = read.subgraphs[0]
    kinds, clamped = schema.BuiltinOperator, schema.ActivationFunctionType.RELU6
    ops = [(read.operatorCodes[op.opcodeIndex].builtinCode, op) for op in graph.operators]
    assert kinds.HARD_SWISH not in [kind for kind, _ in ops], "it has no integer kernel in XNNPACK"
    adds = [op for kind, op in ops if kind == kinds.ADD and op.builtinOptions.fusedActivationFunction == clamped]
    found = [graph.tensors[op.inputs[0]].quantization for op in adds]
    return [float(one.scale[0] * (-128 - one.zeroPoint[0])) for one in found]


def _lowest_in_onnx(path: Path) -> list[float]:
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(path).graph
    assert not [node for node in graph.node if node.op_type == "Clip"]
    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    by = {node.output[0]: node for node in graph.node}
    found = [by[node.input[0]].input for node in graph.node if node.op_type == "HardSwish"]
    return [float(values[scale] * (0.0 - values[zero])) for _, scale, zero in found]
