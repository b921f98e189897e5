"""ARM instructions of a network that nobody trained: python -m costs.arm VARIANT [--resolution HxW] [--precision P]

A count does not depend on the weights, so a network can be chosen by it before it is trained. The variant is exported
to TFLite with random weights and counted under qemu-aarch64 (devices/instructions.py).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from converters.artifact import Precision
from devices.instructions import CORES, PLAIN, CannotCount, available, count
from models.variant import Resolution, Variant, get, parse_resolution

if TYPE_CHECKING:
    from models.hourglass import Hourglass


def count_variant(
    variant: Variant, resolution: Resolution | None = None, precision: Precision = "fp32", core: str = PLAIN
) -> int:
    """Instructions of one inference of `variant` at `resolution`, by default its own. CannotCount says why not."""
    return count(untrained(variant, resolution, precision), core)


def untrained(variant: Variant, resolution: Resolution | None = None, precision: Precision = "fp32") -> bytes:
    """The TFLite file of `variant` with random weights, the same ones every time. ValueError for a wrong resolution."""
    import torch

    from models.hourglass import Hourglass

    size = resolution or variant.resolution
    variant.check_resolution(size)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return exported(Hourglass(variant), size, precision)


def exported(network: Hourglass, resolution: Resolution, precision: Precision = "fp32") -> bytes:
    """A network's TFLite file. int8 is calibrated on noise: good enough to be counted, and for nothing else."""
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
    import numpy as np

    from converters import tflite
    from converters.artifact import Spec
    from converters.network import fold

    random = np.random.default_rng(0)
    noise = [tuple(random.random((1, *resolution, channels), np.float32) for channels in (3, 1)) for _ in range(2)]
    with TemporaryDirectory() as folder:
        spec = Spec("", Path(), "", "tflite", precision, resolution)
        return tflite.convert(fold(network), spec, Path(folder) / "m.tflite", noise).read_bytes()  # type: ignore[arg-type]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", metavar="VARIANT", nargs="+")
    parser.add_argument("--resolution", metavar="HxW", help="default: the variant's own")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    parser.add_argument("--core", choices=tuple(CORES), default=PLAIN)
    options = parser.parse_args(arguments)
    if reason := available():
        print(f"costs.arm: {reason}", file=sys.stderr)
        return 1
    try:
        asked = [(name, get(name)) for name in options.variants]
        size = parse_resolution(options.resolution) if options.resolution else None
        for name, variant in asked:
            height, width = size or variant.resolution
            counted = count_variant(variant, size, options.precision, options.core)
            what = f"{name} {options.precision} {height}x{width}"
            print(f"{what}: {counted / 1e6:.2f} M instructions an inference on {options.core}", flush=True)
    except ValueError as error:
        print(f"costs.arm: {error}", file=sys.stderr)
        return 2
    except CannotCount as reason:
        print(f"costs.arm: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
