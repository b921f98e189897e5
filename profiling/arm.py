"""ARM instructions of a network that nobody trained: python -m profiling.arm VARIANT [--resolution HxW] [--precision P]

A network can be chosen by its count before it is trained. The variant is exported to TFLite with random weights and
counted under qemu-aarch64 (devices/instructions.py). In float32 the weights play no part (live: 3 in a million). In
int8 they choose the scales: the trained live's file takes 0.7 % (no dot products) and 1.2 % (dot products) fewer.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from converters.artifact import Precision, Spec
from devices.instructions import CORES, DOT, PLAIN, CannotCount, Model, available, count_all, keep, recall
from models.arguments import WRONG_USAGE, ArgumentParser
from models.variant import Resolution, Variant, get, parse_resolution

Counted = tuple[Precision, str]
"""A precision and a core."""
COLUMNS: dict[str, Counted] = {
    "fp32": ("fp32", PLAIN),
    "int8_no_dot_products": ("int8", PLAIN),
    "int8_dot_products": ("int8", DOT),
}
"""The three counts of a variant. In float32 the dot products play no part."""


def count_variant(
    variant: Variant, resolution: Resolution | None = None, precision: Precision = "fp32", core: str = PLAIN
) -> int:
    """Instructions of one inference of `variant` at `resolution`, by default its own; from the cache, or counted now.

    CannotCount says why there is none, ValueError what is wrong with the resolution.
    """
    return count_variants(variant, resolution or variant.resolution, [(precision, core)])[0]


def count_variants(variant: Variant, resolution: Resolution, asked: Iterable[Counted]) -> list[int]:
    """The same for several precisions and cores of one variant, side by side. CannotCount as soon as one fails."""
    pairs = list(asked)
    kept = {pair: cached_variant(variant, resolution, *pair) for pair in pairs}
    counts = {pair: found for pair, found in kept.items() if found is not None}
    absent = [pair for pair in kept if pair not in counts]
    if absent and (reason := available()):
        raise CannotCount(reason.removesuffix("."))
    models = {precision: untrained(variant, resolution, precision) for precision in dict(absent)}
    precisions = {model: precision for precision, model in models.items()}
    for model, core, found in count_all((models[precision], core) for precision, core in absent):
        if isinstance(found, CannotCount):
            raise found
        assert isinstance(model, bytes)
        keep(_key(variant, resolution, precisions[model]), core, found)
        counts[precisions[model], core] = found
    return [counts[pair] for pair in pairs]


def cached_variant(
    variant: Variant, resolution: Resolution | None = None, precision: Precision = "fp32", core: str = PLAIN
) -> int | None:
    """The count that was kept; None where there is none. Nothing is exported and nothing runs."""
    return recall(_key(variant, resolution or variant.resolution, precision), core)


def _key(variant: Variant, resolution: Resolution, precision: Precision) -> str:
    from converters import tflite

    parts = [asdict(variant), resolution, precision, _code(), sorted(tflite.versions().items())]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@cache
def _code() -> str:
    """The hash of the source files that shape a TFLite file."""
    from converters.cache import code

    return code("tflite")


def counts_of(models: Sequence[bytes], tell: Callable[[str], None]) -> list[int | None]:
    """Instructions of an inference of each TFLite model on PLAIN; None and a sentence for what cannot be counted."""
    if reason := available():
        tell(reason)
        return [None] * len(models)
    tell("counting ARM instructions")
    found: dict[Model, int] = {}
    for model, _, outcome in count_all((model, PLAIN) for model in models):
        if isinstance(outcome, CannotCount):
            tell(f"not counted: {outcome}")
        else:
            found[model] = outcome
    return [found.get(model) for model in models]


@lru_cache(maxsize=2)
def untrained(variant: Variant, resolution: Resolution | None = None, precision: Precision = "fp32") -> bytes:
    """The TFLite file of `variant` with random weights, the same ones every time. ValueError for a wrong resolution.

    int8 is calibrated on noise: good enough to be counted, and for nothing else. The last two files are kept, for who
    counts one may want its size too.
    """
    os.environ["LITERT_TORCH_SHOW_PROGRESS"] = "n"
    import numpy as np
    import torch

    from converters import tflite
    from converters.network import fold
    from models.hourglass import Hourglass

    size = resolution or variant.resolution
    variant.check_resolution(size)
    random = np.random.default_rng(0)
    noise = [(random.random((1, *size, 3), np.float32), random.random((1, *size, 1), np.float32)) for _ in range(2)]
    with torch.random.fork_rng(), TemporaryDirectory() as folder:
        torch.manual_seed(0)
        spec = Spec("", Path(), "", "tflite", precision, size)
        return tflite.convert(fold(Hourglass(variant)), spec, Path(folder) / "m.tflite", noise).read_bytes()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("variants", metavar="VARIANT", nargs="+")
    parser.add_argument("--resolution", metavar="HxW", help="default: the variant's own")
    parser.add_argument("--precision", choices=("fp32", "int8"), default="fp32")
    parser.add_argument("--core", choices=tuple(CORES), default=PLAIN)
    options = parser.parse_args(arguments)
    if reason := available():
        print(f"profiling.arm: {reason}", file=sys.stderr)
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
        print(f"profiling.arm: {error}", file=sys.stderr)
        return WRONG_USAGE
    except CannotCount as reason:
        print(f"profiling.arm: {reason}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
