"""Every format by the same questions; Core ML's own tests lie beside."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from converters.artifact import Format, Precision
from converters.material import Material, calibration
from converters.network import fold
from converters.parity import compare, eager, masks
from converters.registry import converter, format_of
from converters.session import Quantisation
from models.checkpoint import load
from models.segmenter import Floats, to_input
from models.variant import REFERENCE
from tests.converters.conftest import RESOLUTION, MakeSpec

Made = dict[Precision, Path]
FORMATS: tuple[Format, ...] = ("onnx", "openvino", "tflite")


@pytest.fixture(scope="module", params=FORMATS)
def format(request: pytest.FixtureRequest) -> Format:
    return request.param


@pytest.fixture(scope="module")
def made(
    format: Format, spec: MakeSpec, tiny: Path, material: Material, tmp_path_factory: pytest.TempPathFactory
) -> Made:
    """The three precisions of one network."""
    module = converter(format)
    assert module.available() is None
    network = load(tiny).network()
    folded = fold(network)
    folder = tmp_path_factory.mktemp(format)
    paths = {}
    for precision in ("fp32", "fp16", "int8"):
        samples = calibration(eager(network), material.calibration) if precision == "int8" else None
        out = folder / f"{precision}{module.SUFFIX}"
        paths[precision] = module.convert(folded, spec(format, precision), out, samples)  # type: ignore[arg-type]
        assert paths[precision] == out
    return paths  # type: ignore[return-value]


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_parity(precision: Precision, format: Format, made: Made, reference: Floats, material: Material) -> None:
    ours = masks(converter(format).load(made[precision], precision=precision), material.clip)
    parity = compare(ours, reference, material.labels, precision)
    # Untrained, it is noisier than the networks that the tolerances are for; swapped channels differ by 0.1.
    assert parity.mean_difference <= {"fp32": 1e-5, "fp16": 3e-3, "int8": 0.03}[precision], parity


def test_half_the_precision_takes_less_room(made: Made) -> None:
    def size(path: Path) -> int:
        return (path.with_suffix(".bin") if path.suffix == ".xml" else path).stat().st_size

    assert size(made["fp32"]) > size(made["fp16"]) > 0


def test_the_native_mask_is_a_native_previous_mask(format: Format, made: Made, material: Material) -> None:
    for precision, path in made.items():
        session = converter(format).load(path, precision=precision)
        assert session.resolution == RESOLUTION
        frame = session.encode_frame(to_input(material.clip[0]))
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
@pytest.mark.parametrize("name", [*REFERENCE, "s4-skip-light"])
def test_lowering_rules(name: str, tmp_path: Path) -> None:
    """No TRANSPOSE, PAD or RESHAPE; every ReLU and BatchNorm swallowed; one RESIZE_BILINEAR for each enlargement."""
    import torch

    from converters.artifact import Spec
    from models.hourglass import Bottleneck, DownBottleneck, Hourglass
    from models.variant import get

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


def test_lowering_rules_of_the_inverted_trunk(tmp_path: Path) -> None:
    """Nothing but the network; every ReLU swallowed; a gate is a MEAN, two convolutions, a LOGISTIC and a MUL.

    Only what lays out the sub-pixels moves numbers about, once the sigmoid is done. In int8 nothing is spent on what a
    hard-swish gives zero for.
    """
    import torch

    from converters.artifact import Spec
    from converters.tflite import HARD_SWISH_FLOOR
    from models.hourglass import Hourglass
    from models.inverted import Gate
    from models.segmenter import no_mask
    from models.variant import LIVE

    torch.manual_seed(0)
    network = fold(Hourglass(replace(LIVE, head="subpixel")))
    with torch.no_grad():
        network.trunk.stem.weight *= 20
    module = converter("tflite")
    spec = Spec("live", Path(), "", "tflite", "fp32", RESOLUTION)
    path = module.convert(network, spec, tmp_path / "n.tflite", None)
    graph = module.inspect(path)
    convolutions = [m for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    depthwise = sum(m.groups > 1 or m.in_channels == 1 for m in convolutions)
    gates = 1 + sum(isinstance(m, Gate) for m in network.modules())
    assert graph["leftovers"] == {"TRANSPOSE": 3, "PAD": 0, "RESHAPE": 3}
    assert graph["ops"] == {
        "CONV_2D": len(convolutions) - depthwise,
        "DEPTHWISE_CONV_2D": depthwise,
        "ADD": 14,
        "HARD_SWISH": 1 + 2 * len(network.trunk.stage16),
        "MEAN": gates,
        "MUL": gates,
        "LOGISTIC": gates + 1,
        "RESIZE_BILINEAR": 2,
        "TRANSPOSE": 3,
        "RESHAPE": 3,
    }

    frame = torch.rand(1, *RESOLUTION, 3)
    assert network.trunk.stem(frame.permute(0, 3, 1, 2)).min() < 2 * HARD_SWISH_FLOOR
    samples = [(frame.numpy(), no_mask(RESOLUTION))]
    path = module.convert(network, replace(spec, precision="int8"), tmp_path / "i.tflite", samples)
    lowest = _lowest_before_hard_swish(path)
    assert len(lowest) == graph["ops"]["HARD_SWISH"]
    # Zero has an integer of its own, for which the range gives way a little.
    assert min(lowest) > 1.05 * HARD_SWISH_FLOOR


def _lowest_before_hard_swish(path: Path) -> list[float]:
    """The smallest number that each tensor can hold which a HARD_SWISH reads."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_path=path, experimental_op_resolver_type=plain)
    details = {d["index"]: d["quantization"] for d in interpreter.get_tensor_details()}
    read = [op["inputs"][0] for op in interpreter._get_ops_details() if op["op_name"] == "HARD_SWISH"]
    return [scale * (-128 - zero) for scale, zero in (details[index] for index in read)]
