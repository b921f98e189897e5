"""The int8 parity of networks on the processor that runs this, and the kernels that the runtimes choose there.

    scripts/int8_parity.py prepare FOLDER [VARIANT...]      converts, and keeps the frames with the float32 masks
    scripts/int8_parity.py run FOLDER                       compares, and prints a table

`run` needs neither PyTorch nor a converter, and Linux on x86-64: scripts/int8-emulated.sh runs it on processors that
are not here. It exits with 1 when an artifact exceeds the parity tolerance. Masks of equal hash are equal bit for bit.

The control is a convolution of 64 channels, uint8 activations of 255 by int8 weights of 127. A kernel that adds two
products in 16 bits gives 32 x 32767, one of VNNI 64 x 255 x 127: it tells which the runtime took.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from converters import parity, processor  # noqa: E402
from converters.artifact import Artifact, Format, Spec  # noqa: E402
from converters.registry import converter  # noqa: E402

FORMATS: tuple[Format, ...] = ("onnx", "openvino", "tflite")
CHANNELS, SIDE, ACTIVATION, WEIGHT = 64, 16, 255, 127
EXACT = CHANNELS * ACTIVATION * WEIGHT
SATURATED = CHANNELS // 2 * 32767
STEP = 2**14
"""Of the control's output, so that both answers fit uint8: 126.5 and 64."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prepare")
    one.add_argument("folder", type=Path)
    one.add_argument("variants", nargs="*", default=["live"])
    two = commands.add_parser("run")
    two.add_argument("folder", type=Path)
    asked = parser.parse_args()
    try:
        return prepare(asked.folder, asked.variants) if asked.command == "prepare" else run(asked.folder)
    except (OSError, ValueError) as error:
        print(f"int8_parity: {error}", file=sys.stderr)
        return 2


def prepare(folder: Path, variants: Sequence[str]) -> int:
    """Write VARIANT.npz (clip, labels, float32 masks), the int8 artifacts and the controls."""
    import openvino as ov

    from converters.build import build
    from converters.cache import copy
    from converters.calibration_data import prepare as frames_of
    from evaluation.sample import embedded
    from models import checkpoint
    from models.variant import get

    folder.mkdir(parents=True, exist_ok=True)
    specs = []
    for name in variants:
        variant, weights = get(name), checkpoint.find(name)
        if weights is None:
            raise ValueError(f"{name} has no checkpoint")
        sha = checkpoint.sha256(weights)
        specs += [Spec(name, weights, sha, format, "int8", variant.resolution) for format in FORMATS]
        frames = frames_of(embedded(), variant.resolution)
        masks = parity.masks(parity.eager(checkpoint.load(weights).network()), frames.clip)
        np.savez(folder / f"{file_name(name)}.npz", clip=frames.clip, labels=frames.labels, masks=masks)
    for spec, made in build(specs).items():
        if not isinstance(made, Artifact):
            raise ValueError(f"{spec.name}: {made.reason}")
        copy(made.path, folder / f"{file_name(spec.variant)}-int8{made.path.suffix}")
    _write_control(folder / "control.onnx")
    ov.save_model(ov.convert_model(folder / "control.onnx"), folder / "control.xml", compress_to_fp16=False)
    return 0


def file_name(variant: str) -> str:
    """A candidate's name has a slash."""
    return variant.replace("/", "-")


def run(folder: Path) -> int:
    """Print the processor, a row for each artifact, and the kernels."""
    import onnxruntime
    import openvino

    print(f"processor: {processor.here().label}\n")
    print("| network | runtime | frames | mean difference | points of IOU lost | masks (SHA-256) |")
    print("|---|---|---|---|---|---|", flush=True)
    exceeded = False
    for path in sorted(folder.glob("*.npz")):
        with np.load(path) as kept:
            clip, labels, masks = (kept[name] for name in ("clip", "labels", "masks"))
        for format in FORMATS:
            module = converter(format)
            artifact = module.load(folder / f"{path.stem}-int8{module.SUFFIX}", precision="int8")
            ours = parity.masks(artifact, clip)
            found = parity.compare(ours, masks, labels, "int8")
            exceeded |= found.tolerance_exceeded is not None
            print(
                f"| `{path.stem}` | {artifact.facts['runtime']} | {len(ours)} | {found.mean_difference:.5f} "
                f"| {found.iou_loss_points:.3f}{', exceeds' if found.tolerance_exceeded else ''} "
                f"| {hashlib.sha256(ours.tobytes()).hexdigest()[:12]} |",
                flush=True,
            )
    x = np.full((1, CHANNELS, SIDE, SIDE), ACTIVATION, np.float32)
    session = onnxruntime.InferenceSession(folder / "control.onnx", providers=["CPUExecutionProvider"])
    compiled = openvino.Core().compile_model(folder / "control.xml", "CPU")
    print(f"\nONNX Runtime {_verdict(session.run(None, {'x': x})[0])}")
    print(f"OpenVINO {_verdict(compiled(x)[0])}, by {_openvino_kernel(compiled)}")
    print(f"LiteRT calls {_litert_kernels() or 'kernels that this library does not name'}", flush=True)
    return int(exceeded)


def _write_control(path: Path) -> None:
    """Float32 in and out, uint8 activations and int8 weights between, as `converters.onnx` makes them."""
    import onnx
    from onnx import helper, numpy_helper

    values: dict[str, Any] = {
        "w": np.full((CHANNELS, CHANNELS, 1, 1), WEIGHT, np.int8),
        "one": np.float32(1),
        "step": np.float32(STEP),
        "u0": np.uint8(0),
        "i0": np.int8(0),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "one", "u0"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "one", "u0"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "one", "i0"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "step", "u0"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "step", "u0"], ["y"]),
    ]
    shape = (1, CHANNELS, SIDE, SIDE)
    graph = helper.make_graph(
        nodes,
        "control",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in values.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def _verdict(sums: Any) -> str:
    names = {EXACT: "adds products exactly", SATURATED: "saturates sums of two products"}
    told = [name for value, name in names.items() if np.abs(sums - value).max() <= STEP]
    return told[0] if told else f"gives {sums.min():g} to {sums.max():g}, neither {EXACT} nor {SATURATED}"


def _openvino_kernel(compiled: Any) -> str:
    facts = [op.get_rt_info() for op in compiled.get_runtime_model().get_ops()]
    return next(one["primitiveType"].astype(str) for one in facts if one["layerType"].astype(str) == "Convolution")


def _litert_kernels() -> str:
    """Tiles and extensions of the functions that XNNPACK took for int8 convolutions in this process.

    Read from its table of them, `qs8_qc8w_gemm_config`, by the library's symbols; empty where it has none.
    """
    mapped = [line.split() for line in Path("/proc/self/maps").read_text().splitlines() if "libpywrap_litert_c" in line]
    symbols = _symbols(Path(mapped[0][-1]).read_bytes())
    if "qs8_qc8w_gemm_config" not in symbols:
        return ""
    start = int(mapped[0][0].partition("-")[0], 16)
    table = (ctypes.c_uint64 * 64).from_address(start + symbols["qs8_qc8w_gemm_config"])
    names = {start + value: name.partition("ukernel_")[2] for name, value in symbols.items() if "_qs8_qc8w_" in name}
    return ", ".join(dict.fromkeys(names[pointer] for pointer in table if names.get(pointer)))


def _symbols(elf: bytes) -> dict[str, int]:
    """Names and addresses of a 64-bit ELF file's .symtab; empty where it was stripped."""
    offset, size, count = struct.unpack_from("<Q", elf, 40)[0], *struct.unpack_from("<HH", elf, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + size * i) for i in range(count)]
    table = next((s for s in sections if s[1] == 2), None)
    if table is None:
        return {}
    names = sections[table[6]][4]
    found = {}
    for name, _, _, _, value, _ in struct.iter_unpack("<IBBHQQ", elf[table[4] : table[4] + table[5]]):
        start = names + name
        found[elf[start : elf.index(b"\0", start)].decode()] = value
    return found


if __name__ == "__main__":
    sys.exit(main())
