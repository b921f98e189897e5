"""What int8 costs a network in IOU.

python -m training.quantise CHECKPOINT --validation DIR [DIR ...] [--formats F,F] [--note]

The checkpoint is converted to static int8 in each format as `bench.py convert` does, calibrated on frames with the mask
fed back, and judged on every folder beside the checkpoint itself under PyTorch. Printed are the points lost, with 95 %
intervals paired by picture (give stills: frames of a clip would count as independent). Above TOLERABLE points, static
quantisation is not enough, and it is said. --note writes the points, and those lost on the clip of the parity test,
into the checkpoint for the model card's aims, with the processor on which they were measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from converters.artifact import FORMATS, Artifact, Failure, Format, Spec
from evaluation.clip import Dataset
from models.arguments import WRONG_USAGE, ArgumentParser
from models.segmenter import ResizeMode, Step
from models.variant import Resolution

TOLERABLE = 0.3
DEFAULT: tuple[Format, ...] = ("tflite", "openvino", "onnx")
"""Those that run everywhere."""


@dataclass(frozen=True)
class Loss:
    """One format on one folder: IOU in per cent before and after, points lost with their 95 % interval."""

    format: str
    data: str
    images: int
    before: float
    after: float
    interval: tuple[float, float]

    @property
    def points(self) -> float:
        return self.before - self.after


def ious(step: Step, resolution: Resolution, footage: Dataset, resize_mode: ResizeMode = "stretch") -> list[float]:
    """Per cent, picture by picture."""
    from evaluation.evaluate import evaluate

    return [100 * iou for _, iou, _ in evaluate(step, resolution, footage, resize_mode=resize_mode).per_image]


def compare(format: str, footage: Dataset, before: Sequence[float], after: Sequence[float]) -> Loss:
    """The loss of one format on one folder, from its pictures' IOU in the same order."""
    from evaluation.interval import bootstrap

    lost = [b - a for b, a in zip(before, after, strict=True)]
    _, low, high = bootstrap(lost, 0)
    return Loss(format, footage.name, len(lost), float(np.mean(before)), float(np.mean(after)), (low, high))


@dataclass(frozen=True)
class Losses:
    """Of one checkpoint: on folders; on the clip of the parity test, in points by format; and a sentence for each
    format that could not be made or exceeds the parity tolerance."""

    folders: Sequence[Loss]
    parity_clip: Mapping[str, float]
    problems: Sequence[str]


def losses(path: Path, folders: Sequence[Path], formats: Sequence[Format]) -> Losses:
    """ValueError when there is no checkpoint."""
    import torch

    from converters.build import build
    from converters.registry import converter
    from devices.open_model import open_model
    from evaluation import folder
    from models import checkpoint

    torch.set_num_threads(1)
    known = checkpoint.load(path)
    size = known.variant.resolution
    data = [folder.read(one) for one in folders]
    specs = {one: Spec(known.name, path.absolute(), known.sha256, one, "int8", size) for one in formats}
    made = build(specs.values())
    step, _ = open_model(path)
    before = [ious(step, size, footage) for footage in data]
    found: list[Loss] = []
    on_the_clip: dict[str, float] = {}
    problems: list[str] = []
    for one, spec in specs.items():
        outcome = made[spec]
        if isinstance(outcome, Failure):
            problems.append(f"{one}: {outcome.reason}")
            continue
        assert isinstance(outcome, Artifact)
        if outcome.parity:
            on_the_clip[one] = outcome.parity.iou_loss_points
            problems += [f"{one}: {words}" for words in [outcome.parity.tolerance_exceeded] if words]
        session = converter(one).load(outcome.path, 1, "int8")
        found += [
            compare(one, footage, kept, ious(session, size, footage))
            for footage, kept in zip(data, before, strict=True)
        ]
    return Losses(found, on_the_clip, problems)


def note(path: Path, found: Losses) -> None:
    """Write into a checkpoint what int8 loses, {format: {set: points}}, and on which processor; other formats stay."""
    from converters import processor
    from models import checkpoint
    from training.aims import PARITY_CLIP

    one = checkpoint.load(path)
    lost = {format: {PARITY_CLIP: points} for format, points in found.parity_clip.items()}
    for loss in found.folders:
        lost.setdefault(loss.format, {})[loss.data] = loss.points
    known = one.card.get("int8", {})
    told = {"lost": {**known.get("lost", {}), **lost}, "processor": processor.here().label}
    checkpoint.save(path, one.name, one.variant, one.state, {**one.card, "int8": told})


def markdown(found: Sequence[Loss]) -> str:
    lines = ["| format | data | pictures | float32 | int8 | points lost | 95 % |", "|---" * 7 + "|"]
    for loss in found:
        low, high = loss.interval
        lines.append(
            f"| {loss.format} | {loss.data} | {loss.images} | {loss.before:.2f} | {loss.after:.2f} "
            f"| {loss.points:+.2f} | {low:+.2f} to {high:+.2f} |"
        )
    return "\n".join(lines) + "\n\n" + verdict(found)


def verdict(found: Sequence[Loss]) -> str:
    """Whether static quantisation is enough, in a sentence."""
    worst = max(found, key=lambda loss: loss.points)
    told = f"The most is lost by {worst.format} on {worst.data}: {worst.points:.2f} points"
    if worst.points > TOLERABLE:
        return f"{told}, over {TOLERABLE}: static quantisation is not enough, and fine-tuning is called for."
    return f"{told}, within {TOLERABLE}: static quantisation is enough."


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--validation", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--formats", default=",".join(DEFAULT), metavar="F,F", help=f"of {', '.join(FORMATS)}")
    parser.add_argument("--note", action="store_true", help="write the points into the checkpoint")
    options = parser.parse_args(arguments)
    asked = options.formats.split(",")
    formats = [one for one in FORMATS if one in asked]
    if len(formats) != len(asked):
        parser.error(f"--formats {options.formats}: there are {', '.join(FORMATS)}")
    try:
        found = losses(options.checkpoint, options.validation, formats)
    except ValueError as error:
        print(f"training.quantise: {error}", file=sys.stderr)
        return WRONG_USAGE
    for words in found.problems:
        print(f"training.quantise: {words}", file=sys.stderr)
    if not found.folders:
        return 3
    if options.note:
        note(options.checkpoint, found)
    print(markdown(found.folders))
    return 0


if __name__ == "__main__":
    sys.exit(main())
