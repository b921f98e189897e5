"""How far each block is from what this processor can do: python -m profiling.roofline VARIANT [--out PNG]

Two limits are measured on one thread: the most multiply-accumulates a second that the runtime reaches (a convolution
1x1 of many channels, which is one large matrix product), and the bytes a second that move between memory and processor
(a copy of arrays far larger than the caches). A block cannot be faster than its multiply-accumulates over the one, nor
than the bytes of its inputs, weights and outputs over the other; its share is the larger of the two times over the time
it takes. A block whose data stays in the caches may beat the second limit: its share is then above 100 %.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import nn

from models.arguments import WRONG_USAGE, ArgumentParser
from models.cost import convolution_macs
from models.hourglass import Hourglass
from models.variant import Resolution, get, parse_resolution
from profiling.blocks import ROUNDS, RUNTIMES, WHOLE, Block, Infer, blocks, fastest, litert, milliseconds, openvino

CHANNELS, SIDE = 512, 64
"""Of the convolution whose rate is the processor's: 1.07 G multiply-accumulates on 10 MB."""
COPIED = 128 * 2**20
"""Bytes, several times the last cache of a large server."""


@dataclass(frozen=True)
class Limits:
    macs: tuple[float, ...]
    """The most a second, in the order of RUNTIMES."""
    bytes: float
    """A second, reads and writes together."""


@dataclass(frozen=True)
class Spot:
    """A block on the roofline; times in the order of RUNTIMES."""

    name: str
    macs: int
    bytes: int
    milliseconds: tuple[float, ...]

    @property
    def intensity(self) -> float:
        """Multiply-accumulates a byte."""
        return self.macs / self.bytes

    def least(self, limits: Limits, runtime: int) -> float:
        """The milliseconds that neither limit lets it go below."""
        return 1e3 * max(self.macs / limits.macs[runtime], self.bytes / limits.bytes)

    def share(self, limits: Limits, runtime: int) -> float:
        return self.least(limits, runtime) / self.milliseconds[runtime]

    def bound(self, limits: Limits, runtime: int) -> str:
        return "arithmetic" if self.intensity > limits.macs[runtime] / limits.bytes else "memory"


def moved(block: Block) -> int:
    """Bytes of a block's inputs, weights and output in float32, each touched once."""
    with torch.inference_mode():
        output = block.module(*block.inputs)
    weights = sum(p.numel() for p in block.module.parameters())
    return 4 * (sum(i.numel() for i in block.inputs) + weights + output.numel())


def copying(size: int = COPIED) -> Infer:
    source, target = np.ones(size // 4, np.float32), np.zeros(size // 4, np.float32)
    return lambda: np.copyto(target, source)


def limits(rounds: int, folder: Path) -> Limits:
    """Both, the fastest of all runs."""
    product = Block("product", nn.Conv2d(CHANNELS, CHANNELS, 1).eval(), (torch.rand(1, CHANNELS, SIDE, SIDE),))
    macs = convolution_macs(product.module, product.inputs)
    times = fastest([litert(product, folder), openvino(product, folder), copying()], max(1, rounds // 4))
    return Limits(tuple(float(1e3 * macs / ms) for ms in times[:-1]), float(1e3 * 2 * COPIED / times[-1]))


def roofline(name: str, resolution: Resolution | None, rounds: int, tell: Any) -> tuple[Limits, list[Spot]]:
    """The limits of this machine, and the blocks of the variant called `name`. ValueError when there is none."""
    from converters.network import fold

    variant = get(name)
    size = resolution or variant.resolution
    variant.check_resolution(size)
    parts = blocks(fold(Hourglass(variant)), size)
    with TemporaryDirectory() as folder:
        tell("measuring the limits")
        most = limits(rounds, Path(folder))
        times = milliseconds(parts, Path(folder), rounds, tell)
    return most, [
        Spot(part.name, convolution_macs(part.module, part.inputs), moved(part), tuple(map(float, row)))
        for part, row in zip(parts, times, strict=True)
    ]


def markdown(most: Limits, spots: Sequence[Spot]) -> str:
    rates = ", ".join(f"{name} {rate / 1e9:.1f} G MACs/s" for name, rate in zip(RUNTIMES, most.macs, strict=True))
    lines = [f"Limits, one thread: {rates}; memory {most.bytes / 1e9:.1f} GB/s", ""]
    names = "".join(f" {name}, ms | least | share | bound by |" for name in RUNTIMES)
    lines += [f"| block | M MACs | MB | MACs a byte |{names}", "|---" * (4 + 4 * len(RUNTIMES)) + "|"]
    for spot in spots:
        columns = "".join(
            f" {spot.milliseconds[i]:.3f} | {spot.least(most, i):.3f} | {100 * spot.share(most, i):.0f} % "
            f"| {spot.bound(most, i)} |"
            for i in range(len(RUNTIMES))
        )
        lines.append(
            f"| {spot.name} | {spot.macs / 1e6:.1f} | {spot.bytes / 1e6:.2f} | {spot.intensity:.1f} |{columns}"
        )
    return "\n".join(lines)


def draw(most: Limits, spots: Sequence[Spot], path: Path, title: str) -> None:
    """Rate against intensity for each runtime, under its roof; a dot's area is the block's time."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

    figure = Figure(figsize=(14, 5.5), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(1, len(RUNTIMES), sharex=True, sharey=True)
    inside = [spot for spot in spots if spot.macs]
    colours = {spot.name: f"C{i % 10}" if spot.name != WHOLE else "0.2" for i, spot in enumerate(inside)}
    xs = np.geomspace(min(s.intensity for s in inside) / 2, max(s.intensity for s in inside) * 3)
    for runtime, ax in enumerate(axes):
        ax.plot(xs, np.minimum(most.macs[runtime], xs * most.bytes) / 1e9, color="0.3", linewidth=1.2)
        longest = max(s.milliseconds[runtime] for s in inside)
        for i, spot in enumerate(inside):
            ms = spot.milliseconds[runtime]
            look = {"color": colours[spot.name], "alpha": 0.7, "linewidth": 0, "marker": "os^D"[i // 10 % 4]}
            ax.scatter(spot.intensity, spot.macs / ms / 1e6, s=20 + 300 * ms / longest, label=spot.name, **look)
        for axis, set_scale in ((ax.xaxis, ax.set_xscale), (ax.yaxis, ax.set_yscale)):
            set_scale("log")
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_formatter(NullFormatter())
        ax.set_title(RUNTIMES[runtime])
        ax.set_xlabel("multiply-accumulates a byte")
        ax.grid(alpha=0.2)
    axes[0].set_ylabel("G multiply-accumulates a second")
    legend = figure.legend(*axes[-1].get_legend_handles_labels(), loc="outside right center", fontsize=8, frameon=False)
    for handle in legend.legend_handles:
        handle.set_sizes([30])  # type: ignore[union-attr]
    figure.savefig(path, dpi=110)


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variant")
    parser.add_argument("--resolution", metavar="HxW", help="default: the variant's own")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=Path("roofline.png"), metavar="PNG")
    options = parser.parse_args(arguments)
    try:
        size = parse_resolution(options.resolution) if options.resolution else get(options.variant).resolution
        most, spots = roofline(options.variant, size, options.rounds, lambda text: print(text, file=sys.stderr))
    except ValueError as error:
        print(f"profiling.roofline: {error}", file=sys.stderr)
        return WRONG_USAGE
    title = f"{options.variant} at {size[0]}x{size[1]}, one thread, float32, {time.strftime('%Y-%m-%d')}"
    draw(most, spots, options.out, title)
    print(f"{title}\n\n{markdown(most, spots)}\n\n![roofline]({options.out.name})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
