"""Train a candidate that has no name, and judge it: python -m training.search.learn NAME FIELDS OPTIONS OF train.py ...

FIELDS are the variant's as JSON. The last line of stdout is JSON: what it scores on each folder of --validation, at
the candidate's own resolution, every still from an empty previous mask. Killed at any moment, the same command goes
on, as train.py does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import train
from models.variant import VARIANTS, Variant


def main(arguments: list[str]) -> int:
    name, fields, *options = arguments
    VARIANTS[name] = Variant.from_dict(json.loads(fields))
    parsed = train.parse([name, *options])
    checkpoint = parsed.out / "checkpoint.safetensors"
    if not checkpoint.is_file() and (code := train.main([name, *options])):
        return code
    print(json.dumps({folder.name: judge(checkpoint, folder) for folder in parsed.validation}))
    return 0


def judge(checkpoint: Path, folder: Path) -> dict[str, float]:
    """Its IOU in per cent, and the 95 % interval over pictures."""
    from devices.open_model import open_model
    from frames import evaluate
    from frames import folder as folders

    step, resolution = open_model(checkpoint)
    score = evaluate.evaluate(step, resolution, folders.read(folder))
    return {"iou": 100 * score.iou, "low": 100 * score.iou_ci[0], "high": 100 * score.iou_ci[1]}


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
