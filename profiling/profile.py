"""Where a network spends its time, by operator: python -m profiling.profile VARIANT [--resolution HxW] [--rounds N]

VARIANT is a name, or a checkpoint (.safetensors). It is converted in float32 to TFLite and OpenVINO and run on one
thread on a random picture.

OpenVINO counts its own operators (PERF_COUNT). LiteRT's Python package gives no profile of operators, so there the
network is cut off behind each operator in turn, and an operator's time is what the cut behind it takes more than the
cut before it: all cuts take turns, the fastest run of each counts. Where XNNPACK fuses or reorders across a cut, or
hands a tensor out that it would have kept, the time goes to the neighbour; the sum is right, and the small negative
ones are such. Where the emulator is installed, the ARM instructions of the same cuts are counted beside: an operator's
are those that the cut behind it takes more than the cut before it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from converters.openvino import settings
from devices.instructions import available
from models.arguments import WRONG_USAGE, ArgumentParser
from models.variant import Resolution, get, parse_resolution
from profiling.arm import counts_of
from profiling.blocks import WARM_UP, Infer, fastest

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
    instructions: int | None = None
    """On an ARM core without dot products; None where they were not counted."""


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


def arm(model: bytes, tell: Callable[[str], None]) -> tuple[list[int], int] | None:
    """ARM instructions of each operator of a TFLite model, and of the whole; None and a sentence without the emulator.

    The counts of the cuts are exact, so the sum is the whole up to what reading the graph's outputs costs.
    """
    if reason := available():
        tell(reason)
        return None
    length = len(_read(model).subgraphs[0].operators)
    *cuts, whole = counts_of([*(cut(model, n) for n in range(1, length + 1)), model], tell)
    if whole is None or None in cuts:
        return None
    return [int(step) for step in np.diff([0, *cuts])], whole


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


def markdown(runtime: str, ops: Sequence[Op], whole: float, shown: int = SHOWN, instructions: int | None = None) -> str:
    """The dearest operators, and all of them by kind. `instructions` are those of the whole, where it was counted."""
    total = sum(op.milliseconds for op in ops)
    lines = [f"{runtime}: {whole:.3f} ms the whole, {total:.3f} ms the sum of {len(ops)} operators", ""]
    if instructions is not None:
        added = sum(op.instructions or 0 for op in ops)
        lines[:1] += [f"ARM: {instructions / 1e6:.3f} M instructions the whole, {added / 1e6:.3f} M the sum"]
    head = " M ARM instructions |" if instructions is not None else ""
    rule = "---|" if head else ""

    def arm(found: Iterable[Op]) -> str:
        return f" {sum(op.instructions or 0 for op in found) / 1e6:.3f} |" if head else ""

    lines += [f"| kind | operators | ms | share |{head}", f"|---|---|---|---|{rule}"]
    kinds = {op.kind: [o for o in ops if o.kind == op.kind] for op in ops}
    times = {kind: sum(op.milliseconds for op in found) for kind, found in kinds.items()}
    for kind, found in sorted(kinds.items(), key=lambda item: -times[item[0]]):
        share = 100 * times[kind] / total
        lines.append(f"| {kind} | {len(found)} | {times[kind]:.3f} | {share:.0f} % |{arm(found)}")
    lines += ["", f"| # | operator | output | ms | share | kernel |{head}", f"|---|---|---|---|---|---|{rule}"]
    dearest = sorted(enumerate(ops), key=lambda item: -item[1].milliseconds)[:shown]
    for at, op in dearest:
        shape = "×".join(map(str, op.shape))
        share = 100 * op.milliseconds / total
        lines.append(f"| {at} | {op.kind} | {shape} | {op.milliseconds:.3f} | {share:.0f} % | {op.by} |{arm([op])}")
    return "\n".join(lines)


def profile(
    model: str, resolution: Resolution | None, rounds: int, tell: Callable[[str], None]
) -> dict[str, tuple[list[Op], float, int | None]]:
    """By runtime: operators, milliseconds of the whole, ARM instructions of the whole where they were counted.

    ValueError when there is no such variant or checkpoint.
    """
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
        ops, whole = litert(one, rounds)
        instructions = None
        if counted := arm(one.read_bytes(), tell):
            steps, instructions = counted
            ops = [replace(op, instructions=step) for op, step in zip(ops, steps, strict=True)]
        return {"LiteRT": (ops, whole, instructions), "OpenVINO": (*openvino(two, rounds), None)}


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="VARIANT")
    parser.add_argument("--resolution", metavar="HxW", help="default: the variant's own")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    try:
        size = parse_resolution(options.resolution) if options.resolution else None
        found = profile(options.model, size, options.rounds, lambda text: print(text, file=sys.stderr))
    except ValueError as error:
        print(f"profiling.profile: {error}", file=sys.stderr)
        return WRONG_USAGE
    told = found.items()
    print("\n\n".join(markdown(name, ops, whole, instructions=counted) for name, (ops, whole, counted) in told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
