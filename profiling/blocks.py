"""What each block of a network costs: python -m profiling.blocks VARIANT [--resolution HxW] [--rounds N]

Every block is converted alone, to TFLite (LiteRT, XNNPACK) and OpenVINO, float32, and timed on one thread at the size
that it has inside the network, in turns with the whole network: its share is the reciprocal of the ratio that
docs/measuring.md describes, of one copy of each. Printed is a Markdown table with the multiply-accumulates and, where
the emulator is installed, the ARM instructions of the TFLite file beside, the whole network last: the blocks add up to
more than it, as each of them reads its input from memory and writes its output there.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from converters.openvino import settings
from converters.processor import here
from devices.contract import Counts
from devices.desktop import interleaved, timing
from models.arguments import WRONG_USAGE, ArgumentParser, whole_number
from models.cost import convolution_macs
from models.hourglass import Bottleneck, Hourglass
from models.inverted import InvertedTrunk
from models.variant import Resolution, get, parse_resolution
from profiling.arm import counts_of

WARM_UP, ROUNDS, RUNS = 5, 20, 5
RUNTIMES = ("LiteRT", "OpenVINO")
WHOLE = "the whole network"
TFLITE = "block.tflite"

Infer = Callable[[], object]


@dataclass(frozen=True)
class Block:
    """A part of a network and the inputs it gets there: example tensors (1, C, H, W)."""

    name: str
    module: nn.Module
    inputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Time:
    """The median of a block's undisturbed samples, and its share of the whole network's time with its interval."""

    milliseconds: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Cost:
    name: str
    shape: str
    macs: int
    times: tuple[Time | None, ...]
    """In the order of RUNTIMES; None where other work disturbed the measurement."""
    instructions: int | None = None
    """On an ARM core without dot products; None where they were not counted."""


def blocks(network: Hourglass, resolution: Resolution) -> list[Block]:
    """The parts of `network` in the order in which they run, equal ones once, and the whole of it."""
    found: list[Block] = []
    seen: set[tuple[object, ...]] = set()
    counts: dict[tuple[object, ...], int] = {}
    order: list[tuple[tuple[object, ...], str, nn.Module, tuple[Tensor, ...]]] = []

    def note(name: str) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
            # Two bottlenecks of a stage differ in dilation alone, and cost the same or not: keep them apart by it.
            kind = (type(module).__name__, repr(module), tuple(tuple(i.shape) for i in inputs))
            counts[kind] = counts.get(kind, 0) + 1
            order.append((kind, name, module, inputs))

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in _parts(network)]
    picture, mask = torch.rand(1, 3, *resolution), torch.zeros(1, 1, *resolution)
    with torch.inference_mode():
        network(picture, mask)
    for hook in hooks:
        hook.remove()
    for kind, name, module, inputs in order:
        if kind not in seen:
            seen.add(kind)
            times = f" × {counts[kind]}" if counts[kind] > 1 else ""
            found.append(Block(name + times, module, tuple(i.clone() for i in inputs)))
    if network.variant.previous_mask:
        return [*found, Block(WHOLE, network, (picture, mask))]
    return [*found, Block(WHOLE, _FrameOnly(network), (picture,))]


class _FrameOnly(nn.Module):
    """A network without a previous mask, called without one."""

    def __init__(self, network: Hourglass) -> None:
        super().__init__()
        self.network = network

    def forward(self, frame: Tensor) -> Tensor:
        return self.network(frame, frame[:, :1])


def _parts(network: Hourglass) -> list[tuple[str, nn.Module]]:
    head = (f"head, {network.variant.head}", network.head)
    if network.variant.trunk == "inverted":
        return [*_inverted(network.trunk), head]
    parts: list[tuple[str, nn.Module]] = [("stem", network.stem)]
    for name in ("stage8", "stage16", "stage32"):
        first, *rest = getattr(network, name)
        parts.append((f"{name}, down", first))
        parts += [(f"{name}, bottleneck {_dilation(block)}", block) for block in rest]
    parts += [(name, getattr(network, name)) for name in ("up16", "up8", "up4")]
    return [*parts, head]


def _inverted(trunk: InvertedTrunk) -> list[tuple[str, nn.Module]]:
    parts: list[tuple[str, nn.Module]] = [("stem", trunk.stem), ("stage4, down", trunk.stage4)]
    for name in ("stage8", "stage16"):
        first, *rest = getattr(trunk, name)
        parts += [(f"{name}, down", first), *((f"{name}, residual", block) for block in rest)]
    masked = [("previous mask", trunk.mask)] if trunk.mask is not None else []
    return [*parts, *masked, *((name, getattr(trunk, name)) for name in ("context", "join8", "join4"))]


def _dilation(block: Bottleneck) -> str:
    dilation = max(m.dilation[0] for m in block.modules() if isinstance(m, nn.Conv2d))
    return f"dilated by {dilation}" if dilation > 1 else "plain"


class _Nhwc(nn.Module):
    """A block between NHWC tensors, as TFLite has them."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.block(*(i.permute(0, 3, 1, 2) for i in inputs)).permute(0, 2, 3, 1)


def litert(block: Block, folder: Path) -> Infer:
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
    import litert_torch
    from ai_edge_litert.interpreter import Interpreter

    path = folder / TFLITE
    inputs = tuple(i.permute(0, 2, 3, 1).contiguous() for i in block.inputs)
    litert_torch.convert(_Nhwc(block.module).eval(), inputs).export(str(path))
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    for details in interpreter.get_input_details():
        interpreter.set_tensor(details["index"], np.random.default_rng(0).random(details["shape"], np.float32))
    return interpreter.invoke


def openvino(block: Block, _folder: Path) -> Infer:
    import openvino as ov

    model = ov.convert_model(block.module.eval(), example_input=block.inputs)
    model.reshape({value: tuple(i.shape) for value, i in zip(model.inputs, block.inputs, strict=True)})
    request = ov.Core().compile_model(model, "CPU", settings(1)).create_infer_request()
    for index, value in enumerate(block.inputs):
        request.get_input_tensor(index).data[...] = value.numpy()
    return request.infer


def fastest(
    infer: Sequence[Infer], rounds: int, clock: Callable[[], int] = time.perf_counter_ns
) -> NDArray[np.float64]:
    """Milliseconds of the fastest inference of each, all taking turns so that a slow moment hits them alike."""
    best = np.full(len(infer), np.inf)
    for _ in range(rounds):
        for i, once in enumerate(infer):
            for _ in range(RUNS):
                before = clock()
                once()
                best[i] = min(best[i], (clock() - before) / 1e6)
    return best


def loaded(parts: Sequence[Block], folder: Path, tell: Callable[[str], None]) -> list[tuple[Infer, ...]]:
    """Each block in each of RUNTIMES, on one thread and warm. `folder` then holds a folder a block."""
    torch.set_num_threads(1)
    found: list[tuple[Infer, ...]] = []
    for index, part in enumerate(parts):
        tell(f"converting {part.name}")
        place = folder / str(index)
        place.mkdir()
        found.append(tuple(make(part, place) for make in (litert, openvino)))
    for infer in found:
        for once in infer:
            for _ in range(WARM_UP):
                once()
    tell("timing")
    return found


def milliseconds(parts: Sequence[Block], folder: Path, rounds: int, tell: Callable[[str], None]) -> NDArray[np.float64]:
    """(blocks, RUNTIMES): of the fastest inference of each."""
    every = [once for infer in loaded(parts, folder, tell) for once in infer]
    return fastest(every, rounds).reshape(len(parts), len(RUNTIMES))


@dataclass(frozen=True)
class _Turn:
    """A block as the timing engine takes it: its inputs stay where they are."""

    infer: Infer

    def prepare(self) -> None: ...

    def run(self) -> None:
        self.infer()


def in_turns(
    block: Infer,
    whole: Infer,
    rounds: int,
    clock: Callable[[], int] = time.perf_counter_ns,
    switches: interleaved.Switches = timing.involuntary_switches,
) -> Time | None:
    """`block` in turns with `whole`, for about as many rounds; None where other work disturbed them."""
    own, beside = _Turn(block), _Turn(whole)
    quick = min(timing.sample(own, Counts(samples=RUNS, seconds=0.0), clock)) / 1e9
    counts = Counts(samples=1, seconds=2 * rounds * interleaved.VISIT_SECONDS)
    found = interleaved.measure(own, beside, quick, counts, clock, switches)
    if found.disturbed or not (ratio := found.ratio):
        return None
    median = float(np.median(found.of(interleaved.OWN).clean)) / 1e6
    return Time(median, 1 / ratio.times, 1 / ratio.high, 1 / ratio.low)


def costs(name: str, resolution: Resolution, rounds: int, tell: Callable[[str], None]) -> list[Cost]:
    """Every block of the variant called `name`, its weights as they are drawn. ValueError when there is none."""
    from converters.network import fold

    variant = get(name)
    variant.check_resolution(resolution)
    # Batch normalisation is folded away first, as in every artifact.
    parts = blocks(fold(Hourglass(variant)), resolution)
    with TemporaryDirectory() as folder:
        infer = loaded(parts, Path(folder), tell)
        times = [tuple(map(in_turns, block, infer[-1], len(RUNTIMES) * (rounds,))) for block in infer]
        counts = counts_of([(Path(folder) / str(index) / TFLITE).read_bytes() for index in range(len(parts))], tell)
    return [
        Cost(part.name, _shapes(part.inputs), convolution_macs(part.module, part.inputs), row, found)
        for part, row, found in zip(parts, times, counts, strict=True)
    ]


def _shapes(inputs: Sequence[Tensor]) -> str:
    return ", ".join("×".join(map(str, (*i.shape[2:], i.shape[1]))) for i in inputs)


def markdown(found: Sequence[Cost]) -> str:
    timed = (title for name in RUNTIMES for title in (f"{name}, ms", "% of the whole (95 %, rounds)"))
    columns = ["block", "input (H×W×C)", "M MACs", *timed, "M ARM instructions"]
    lines = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    for cost in found:
        times = " | ".join(map(_shown, cost.times))
        arm = "" if cost.instructions is None else f"{cost.instructions / 1e6:.3f}"
        lines.append(f"| {cost.name} | {cost.shape} | {cost.macs / 1e6:.1f} | {times} | {arm} |")
    return "\n".join(lines)


def _shown(time: Time | None) -> str:
    if time is None:
        return "disturbed | "
    share, low, high = (100 * value for value in (time.share, time.low, time.high))
    return f"{time.milliseconds:.3f} | {share:.1f} ({low:.1f} to {high:.1f})"


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant")
    parser.add_argument("--resolution", metavar="HxW", help="the variant's own without it")
    rounds = whole_number(interleaved.ROUNDS, interleaved.MOST_ROUNDS)
    parser.add_argument(
        "--rounds", type=rounds, default=ROUNDS, metavar="N", help="in turns with the whole (%(default)s)"
    )
    options = parser.parse_args(arguments)
    try:
        size = parse_resolution(options.resolution) if options.resolution else get(options.variant).resolution
        found = costs(options.variant, size, options.rounds, lambda text: print(text, file=sys.stderr))
    except ValueError as error:
        print(f"profiling.blocks: {error}", file=sys.stderr)
        return WRONG_USAGE
    turns = f"{options.rounds} rounds in turns with the whole network"
    print(f"{options.variant} at {size[0]}x{size[1]}, one thread, {turns}; {here().label}\n")
    print(markdown(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
