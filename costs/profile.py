"""Where a network's time goes, operator by operator: python -m costs.profile VARIANT [--resolution HxW] [--rounds N]

VARIANT is a name, or a checkpoint (.safetensors). It is converted in float32 to TFLite and OpenVINO and run on one
thread on a random picture.

OpenVINO counts its own operators (PERF_COUNT). LiteRT's Python package gives no profile of operators, so there the
network is cut off behind each operator in turn, and an operator's time is what the cut behind it takes more than the
cut before it: all cuts take turns, the fastest run of each counts. Where XNNPACK fuses or reorders across a cut, or
hands a tensor out that it would have kept, the time goes to the neighbour; the sum is right, and the small negative
ones are such.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from converters.openvino import settings
from costs.blocks import WARM_UP, Infer, fastest
from models.variant import Resolution, get, parse_resolution

ROUNDS = 20
SHOWN = 12


@dataclass(frozen=True)
class Op:
    """One operator of a converted network, in the order in which it runs."""

    kind: str
    shape: tuple[int, ...]
    """Of its output, in the format's own layout."""
    milliseconds: float
    by: str = ""
    """The kernel that ran it, where the runtime says so."""


def litert(path: Path, rounds: int) -> tuple[list[Op], float]:
    """The operators of a TFLite file, and the milliseconds of the whole of it."""
    model = path.read_bytes()
    count = len(_read(model).subgraphs[0].operators)
    runs = [_running(cut(model, length)) for length in range(1, count + 1)]
    runs.append(_running(model))
    for infer in runs:
        for _ in range(WARM_UP):
            infer()
    *times, whole = fastest(runs, rounds)
    steps = np.diff([0.0, *times])
    return [Op(kind, shape, float(ms)) for (kind, shape), ms in zip(_kinds(model), steps, strict=True)], float(whole)


def cut(model: bytes, length: int) -> bytes:
    """The TFLite model that ends after `length` operators and gives whatever the rest would have needed."""
    import flatbuffers

    cut = _read(model)
    graph = cut.subgraphs[0]
    kept, rest = graph.operators[:length], graph.operators[length:]
    needed = {int(i) for op in rest for i in op.inputs} | {int(i) for i in graph.outputs}
    graph.outputs = [int(i) for op in kept for i in op.outputs if int(i) in needed]
    graph.operators = kept
    graph.inputs = [int(i) for i in graph.inputs]
    # A signature names outputs that are no longer there.
    cut.signatureDefs = []
    builder = flatbuffers.Builder(len(model))
    builder.Finish(cut.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _read(model: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.ModelT.InitFromObj(schema.Model.GetRootAs(model, 0))


def _kinds(model: bytes) -> list[tuple[str, tuple[int, ...]]]:
    from ai_edge_litert import schema_py_generated as schema

    names = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
    read = _read(model)
    graph = read.subgraphs[0]
    codes = [max(code.builtinCode, code.deprecatedBuiltinCode) for code in read.operatorCodes]
    return [
        (names[codes[op.opcodeIndex]], tuple(map(int, graph.tensors[op.outputs[0]].shape))) for op in graph.operators
    ]


def _running(model: bytes) -> Infer:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], rng.random(details["shape"], np.float32))
    return interpreter.invoke


def openvino(path: Path, rounds: int) -> tuple[list[Op], float]:
    """The operators of an OpenVINO file as its CPU plugin runs them, and the milliseconds of the whole of it.

    Of each operator the smallest of all runs; the whole is timed without counting.
    """
    import openvino as ov
    import openvino.properties as properties

    core = ov.Core()
    rng = np.random.default_rng(0)
    requests = []
    for counted in (True, False):
        compiled = core.compile_model(path, "CPU", settings(1) | {properties.enable_profiling: counted})
        request = compiled.create_infer_request()
        for tensor in request.input_tensors:
            tensor.data[...] = rng.random(tensor.shape, np.float32)
        for _ in range(WARM_UP):
            request.infer()
        requests.append(request)
    counting, plain = requests
    rows: list[Any] = []
    best: dict[str, float] = {}
    for _ in range(rounds):
        counting.infer()
        rows = [row for row in counting.get_profiling_info() if row.status == ov.ProfilingInfo.Status.EXECUTED]
        for row in rows:
            ms = row.real_time.total_seconds() * 1e3
            best[row.node_name] = min(ms, best.get(row.node_name, ms))
    shapes = {
        op.get_friendly_name(): tuple(op.output(0).shape) for op in core.read_model(path).get_ops() if op.outputs()
    }
    ops = [Op(row.node_type, shapes.get(row.node_name, ()), best[row.node_name], row.exec_type) for row in rows]
    (whole,) = fastest([plain.infer], rounds)
    return ops, float(whole)


def markdown(runtime: str, ops: Sequence[Op], whole: float, shown: int = SHOWN) -> str:
    """The dearest operators, and all of them by kind."""
    total = sum(op.milliseconds for op in ops)
    lines = [f"{runtime}: {whole:.3f} ms the whole, {total:.3f} ms the sum of {len(ops)} operators", ""]
    lines += ["| kind | operators | ms | share |", "|---|---|---|---|"]
    kinds = {op.kind: [o.milliseconds for o in ops if o.kind == op.kind] for op in ops}
    for kind, times in sorted(kinds.items(), key=lambda item: -sum(item[1])):
        lines.append(f"| {kind} | {len(times)} | {sum(times):.3f} | {100 * sum(times) / total:.0f} % |")
    lines += ["", "| # | operator | output | ms | share | kernel |", "|---|---|---|---|---|---|"]
    dearest = sorted(enumerate(ops), key=lambda item: -item[1].milliseconds)[:shown]
    for at, op in dearest:
        shape = "×".join(map(str, op.shape))
        share = 100 * op.milliseconds / total
        lines.append(f"| {at} | {op.kind} | {shape} | {op.milliseconds:.3f} | {share:.0f} % | {op.by} |")
    return "\n".join(lines)


def profile(model: str, resolution: Resolution | None, rounds: int) -> dict[str, tuple[list[Op], float]]:
    """By runtime. ValueError when there is no such variant or checkpoint."""
    import torch

    from converters import openvino as to_openvino
    from converters import tflite
    from converters.artifact import Spec
    from converters.network import fold
    from models import checkpoint
    from models.hourglass import Hourglass

    torch.set_num_threads(1)
    network = checkpoint.load(Path(model)).network() if model.endswith(".safetensors") else Hourglass(get(model))
    size = resolution or network.variant.resolution
    network.variant.check_resolution(size)
    folded = fold(network)
    with TemporaryDirectory() as folder:
        one = tflite.convert(folded, Spec("", Path(), "", "tflite", "fp32", size), Path(folder) / "m.tflite", None)
        two = to_openvino.convert(folded, Spec("", Path(), "", "openvino", "fp32", size), Path(folder) / "m.xml", None)
        return {"LiteRT": litert(one, rounds), "OpenVINO": openvino(two, rounds)}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="VARIANT")
    parser.add_argument("--resolution", metavar="HxW", help="default: the variant's own")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    try:
        size = parse_resolution(options.resolution) if options.resolution else None
        found = profile(options.model, size, options.rounds)
    except ValueError as error:
        print(f"costs.profile: {error}", file=sys.stderr)
        return 2
    print("\n\n".join(markdown(runtime, *told) for runtime, told in found.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
