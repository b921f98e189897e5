"""What a candidate costs: python -m training.search.cost VARIANT --reference PEER [--pairs N] [--table FILE]

VARIANT is a name, or a variant's fields as JSON. Printed is one line of JSON: the sum of its blocks' measured costs,
and the measured cost of the whole, both as multiples of the reference's time. Weights are as they are drawn.

The candidate and the reference run in this process, LiteRT, one thread, in visits candidate, reference, reference,
candidate: a drift of the machine that is linear in time cancels in the ratio, and what slows both down does too.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.variant import Variant, get

if TYPE_CHECKING:
    import torch

    from converters.session import Session
    from costs.blocks import Block

PAIRS, BLOCK_PAIRS = 60, 12
LEAD_IN, BURST = 1, 4
"""Runs of a visit: those not kept, which fetch back what the other pushed out of the caches, and those of which the
fastest counts, for whoever is interrupted takes longer."""
WARM_UP = 10
LOCK = "measuring.lock"

Infer = Callable[[], object]


@dataclass(frozen=True)
class Ratio:
    """A time as a multiple of the reference's: the median over pairs, and the middle 80 % of them."""

    median: float
    low: float
    high: float
    pairs: int
    reference_ms: float
    """The reference's median then: to see how quiet the machine was, not to compare."""


@dataclass(frozen=True)
class Cost:
    """What the blocks promised, and what came of it; also by block, in the order in which they run."""

    blocks: float
    measured: Ratio
    parts: dict[str, float]


def measure(candidate: Infer, reference: Infer, pairs: int, clock: Callable[[], int] = time.perf_counter_ns) -> Ratio:
    """The candidate's time over the reference's, pair by pair."""
    for infer in (candidate, reference):
        for _ in range(WARM_UP):
            infer()
    ratios, times = np.empty(pairs), np.empty(pairs)
    for i in range(pairs):
        first, second = (candidate, reference) if i % 2 == 0 else (reference, candidate)
        visits = [_visit(infer, clock) for infer in (first, second, second, first)]
        outer, inner = visits[0] + visits[3], visits[1] + visits[2]
        mine, other = (outer, inner) if i % 2 == 0 else (inner, outer)
        ratios[i], times[i] = mine / other, other / 2e6
    low, median, high = np.quantile(ratios, (0.1, 0.5, 0.9))
    return Ratio(float(median), float(low), float(high), pairs, float(np.median(times)))


def _visit(infer: Infer, clock: Callable[[], int]) -> float:
    for _ in range(LEAD_IN):
        infer()
    kept = []
    for _ in range(BURST):
        before = clock()
        infer()
        kept.append(clock() - before)
    return float(min(kept))


def running(session: Session) -> Infer:
    """Inferences one after the other: a random picture, the session's own mask fed back."""
    rng = np.random.default_rng(0)
    height, width = session.resolution
    frame = session.encode_frame(rng.random((1, height, width, 3), np.float32))
    mask = session.encode_mask(np.zeros((1, height, width, 1), np.float32))

    def infer() -> NDArray[Any]:
        nonlocal mask
        mask = session.native(frame, mask)
        return mask

    return infer


def cost(variant: Variant, reference: Session, table: Table, pairs: int, block_pairs: int) -> Cost:
    """The blocks first, those that `table` does not know yet measured for it, and then the whole network."""
    import torch

    from converters import tflite
    from converters.artifact import Spec
    from converters.network import fold
    from models.hourglass import Hourglass

    torch.manual_seed(0)
    network = fold(Hourglass(variant))
    beside = running(reference)
    with tempfile.TemporaryDirectory() as folder:
        parts = table.look_up(pieces(network), lambda block: _alone(block, Path(folder), beside, block_pairs))
        spec = Spec("candidate", Path(), "", "tflite", "fp32", variant.resolution)
        path = tflite.convert(network, spec, Path(folder) / "candidate.tflite", None)
        whole = measure(running(tflite.load(path)), beside, pairs)
    return Cost(sum(parts.values()), whole, parts)


def _alone(block: Block, folder: Path, reference: Infer, pairs: int) -> float:
    from costs.blocks import litert

    return measure(litert(block, folder), reference, pairs).median


def pieces(network: Any) -> list[tuple[Block, int]]:
    """The parts that add up to the network, with how often each occurs: its blocks, the join before, the sigmoid."""
    import torch

    from costs import blocks

    variant = network.variant
    *parts, _whole = blocks.blocks(network, variant.resolution)
    found = []
    for part in parts:
        name, _, times = part.name.partition(" × ")
        found.append((blocks.Block(name, part.module, part.inputs), int(times or 1)))
    one = torch.rand(1, 1, *variant.resolution)
    if variant.previous_mask and variant.entry == "concat":
        found.append((blocks.Block("join", _join(), (torch.rand(1, 3, *variant.resolution), one)), 1))
    found.append((blocks.Block("sigmoid", torch.nn.Sigmoid(), (one,)), 1))
    return found


def _join() -> torch.nn.Module:
    import torch

    class Join(torch.nn.Module):
        def forward(self, frame: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            return torch.cat([frame, mask], dim=1)

    return Join()


class Table:
    """Costs of blocks that were measured before, kept in a JSON file or nowhere; `context`: reference and machine."""

    def __init__(self, path: Path | None, context: str) -> None:
        self.path, self.context = path, context
        known = json.loads(path.read_text()) if path and path.is_file() else {}
        self.known: dict[str, float] = known.get(context, {})

    def look_up(self, parts: list[tuple[Block, int]], alone: Callable[[Block], float]) -> dict[str, float]:
        """Each part's cost times how often it occurs."""
        found = {}
        for block, times in parts:
            key = _key(block)
            if key not in self.known:
                self.known[key] = alone(block)
                self._keep()
            found[block.name + (f" × {times}" if times > 1 else "")] = times * self.known[key]
        return found

    def _keep(self) -> None:
        if not self.path:
            return
        everything = json.loads(self.path.read_text()) if self.path.is_file() else {}
        everything[self.context] = everything.get(self.context, {}) | self.known
        partial = self.path.with_suffix(".partial")
        partial.write_text(json.dumps(everything, indent=1, sort_keys=True) + "\n")
        partial.replace(self.path)


def _key(block: Block) -> str:
    """What the block computes on what sizes; dilation, which may cost, is in it."""
    return " ".join(repr(block.module).split()) + " on " + ", ".join(str(tuple(i.shape)) for i in block.inputs)


def machine() -> str:
    """The processor's name."""
    from devices.environment import DesktopProbe

    return str(DesktopProbe().read().facts.get("cpu", "an unknown processor"))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant")
    parser.add_argument("--reference", default="mediapipe-selfie", help="a peer of peers.toml, or a .tflite of ours")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--block-pairs", type=int, default=BLOCK_PAIRS)
    parser.add_argument("--table", type=Path, help="JSON file in which the costs of blocks are kept")
    options = parser.parse_args(arguments)
    import torch
    from filelock import FileLock

    from devices import environment
    from devices.open_model import open_model

    torch.set_num_threads(1)
    try:
        text = options.variant
        variant = Variant.from_dict(json.loads(text)) if text.startswith("{") else get(text)
        reference, _ = open_model(options.reference)
        # Two searches on one machine take turns at the clock.
        with FileLock(Path(tempfile.gettempdir()) / LOCK):
            environment.pin(1)
            table = Table(options.table, f"{options.reference} on {machine()}")
            found = cost(variant, reference, table, options.pairs, options.block_pairs)
    except ValueError as error:
        print(f"training.search.cost: {error}", file=sys.stderr)
        return 2
    print(json.dumps(asdict(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
