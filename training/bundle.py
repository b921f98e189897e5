"""What a training on another machine brings home, in few small files: python -m training.bundle RUN --out OUT

Checkpoints, logs and curves of the run's networks go into OUT/NAME-1.zip, OUT/NAME-2.zip, ..., each of at most 15 MB;
OUT/NAME-state.pt is the run in a fraction of its bytes (training.state.compact): copied to RUN/state.pt on a fresh
machine, it lets the same command go on. NAME is the run's folder's.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

from models.arguments import WRONG_USAGE, ArgumentParser

LIMIT = 15_000_000
KEPT = (".safetensors", ".csv", ".png")


def shared_out(sizes: Iterable[tuple[Path, int]], limit: int = LIMIT) -> list[list[Path]]:
    """Files in as few groups as their order allows, none larger than `limit` unless one file is."""
    groups: list[list[Path]] = []
    room = 0
    for path, size in sizes:
        if size > room:
            groups.append([])
            room = limit
        groups[-1].append(path)
        room -= size
    return groups


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder that train.py was given as --out")
    parser.add_argument("--out", type=Path, required=True, help="where the files go")
    options = parser.parse_args(arguments)
    from training import state

    saved = state.load(options.run / "state.pt")
    if saved is None:
        print(f"training.bundle: {options.run} holds no run of train.py", file=sys.stderr)
        return WRONG_USAGE
    options.out.mkdir(parents=True, exist_ok=True)
    name = options.run.resolve().name
    state.save(options.out / f"{name}-state.pt", state.compact(saved))
    found = sorted(path for path in options.run.rglob("*") if path.suffix in KEPT)
    for number, group in enumerate(shared_out((path, path.stat().st_size) for path in found), 1):
        # Weights do not shrink: stored, the sizes are those counted.
        with zipfile.ZipFile(options.out / f"{name}-{number}.zip", "w") as bundle:
            for path in group:
                bundle.write(path, Path(name) / path.relative_to(options.run))
    for path in sorted(options.out.glob(f"{name}-*")):
        print(f"{path}: {path.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
