"""Whether two checkouts make the same artifacts and measure the same on them: scripts/same_numbers.py BEFORE AFTER.

Each builds every variant, format and precision asked for with its own code, this interpreter and an empty cache, by
`bench.py convert`, and judges it on the embedded sample, by `bench.py evaluate`. A line each says whether the
artifact's hash, its parity and its scores are equal. Exits with 1 when one is not. A refactoring is proved with it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

SUFFIXES = {"onnx": ".onnx", "tflite": ".tflite", "openvino": ".xml", "coreml": ".mlpackage"}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    for name, default in (
        ("variants", "live,s16-skip-plain"),
        ("formats", "onnx,tflite,openvino"),
        ("precisions", "fp32,int8"),
    ):
        parser.add_argument(f"--{name}", default=default, help=f"separated by commas; {default} unless given")
    asked = parser.parse_args()
    unequal = 0
    lists = (getattr(asked, name).split(",") for name in ("variants", "formats", "precisions"))
    with tempfile.TemporaryDirectory(prefix="same-numbers-") as temporary:
        for number, (variant, format, precision) in enumerate(product(*lists)):
            found = []
            for side in ("before", "after"):
                folder = Path(temporary) / side / str(number)
                folder.mkdir(parents=True)
                found.append(numbers(getattr(asked, side), folder, variant, format, precision))
            differing = [name for name in found[0] if found[0][name] != found[1][name]]
            unequal += bool(differing)
            print(
                f"{'UNEQUAL' if differing else 'equal  '} {variant}/{format}/{precision}: {shown(found[1])}", flush=True
            )
            for name in differing:
                print(f"        {name}: {found[0][name]} before, {found[1][name]} after", flush=True)
    return int(unequal > 0)


def numbers(checkout: Path, folder: Path, variant: str, format: str, precision: str) -> dict[str, Any]:
    """Of one artifact that `checkout` makes: its hash, how it was compared with its checkpoint, and its scores.

    A checkout that cannot make it says why under `failed`.
    """
    out = folder / f"model{SUFFIXES[format]}"
    environment = os.environ | {"XDG_CACHE_HOME": str(folder.parent / "cache")}

    def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "bench.py", *arguments]
        return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)

    made = bench("convert", variant, "--format", format, "--precision", precision, "--out", str(out))
    if made.returncode:
        return {"sha256": None, "parity": None, "scores": None, "failed": made.stderr.strip()[-300:]}
    judged = bench("evaluate", str(out), "--json")
    scores = json.loads(judged.stdout) if judged.returncode == 0 else judged.stderr.strip()[-300:]
    said = made.stdout.strip().rpartition(f"{out}: ")[2]
    return {"sha256": content(out), "parity": said, "scores": scores, "failed": None}


def content(path: Path) -> str:
    """The hash of an artifact's files, a folder's and an .xml's .bin among them."""
    beside = [path.with_suffix(".bin")] if path.suffix == ".xml" else []
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path, *beside]
    digest = hashlib.sha256()
    for file in files:
        digest.update(str(file.relative_to(path.parent)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def shown(found: dict[str, Any]) -> str:
    if found["failed"]:
        return f"not made: {found['failed']}"
    scores = found["scores"]
    iou = f"IOU {100 * scores['iou']:.4f} %" if isinstance(scores, dict) else f"not judged: {scores}"
    return f"sha256 {found['sha256'][:16]}, {found['parity']}, {iou}"


if __name__ == "__main__":
    sys.exit(main())
