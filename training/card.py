"""The model card, made from the checkpoints' own metrics: nothing in it is typed.

python -m training.card judge DIR [DIR ...] [--variants GLOB]   judge checkpoints, write metrics into them
python -m training.card write                                   write models/checkpoints/MODEL_CARD.md from them
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models import checkpoint, variant
from models.checkpoint import Checkpoint

SIZE = 256

INTRODUCTION = """# Model card

Made by `python -m training.card write` from the metrics inside the checkpoints; do not edit.

**What they are.** Networks that separate people from the background in live video, input 256x256 RGB and the previous
mask, output a mask. One checkpoint a variant; `python bench.py variants` says what each costs.

**Intended use.** Replacing, blurring or recolouring the background of selfie video and portraits. Not for identifying,
counting or watching people, and not where a missed person does harm.
"""

LIMITS = """## Known limits

- Trained for minutes on two processor cores: far from converged. Use them to try the suite, not to ship.
- People who fill little of the picture, are seen from behind, lie or turn over, and people beside the main one are
  segmented worse than a selfie. Held objects are sometimes in and sometimes out, as in the training labels.
- Nobody has measured how well they serve different skin tones, ages, head coverings or wheelchair users. The training
  pictures are mostly of young adults in good light: expect worse masks for whom they show least.
"""


def judge(path: Path, folders: Sequence[Path]) -> dict[str, Any]:
    """{set: {mode: {iou, low, high}}} of one checkpoint at 256x256, in the four modes."""
    from frames import folder
    from training.evaluation import four_modes

    network = checkpoint.load(path).network()
    return {directory.name: four_modes(network, folder.read(directory), SIZE) for directory in folders}


def render(checkpoints: Sequence[Checkpoint]) -> str:
    """The card as Markdown."""
    parts = [INTRODUCTION, "## Training\n", *_training(checkpoints), "\n## Metrics\n", *_metrics(checkpoints), LIMITS]
    return "\n".join(parts)


def _training(checkpoints: Sequence[Checkpoint]) -> list[str]:
    lines = [
        "Stages in order, each `samples @ size` (frames in a row); hours on two shared cores.",
        "",
        "| checkpoint | stages | samples | hours |",
        "|---|---|---|---|",
    ]
    for one in checkpoints:
        stages = one.card.get("training", [])
        text = ", ".join(f"{s['samples']} @ {s['size']}" + (f" ({s['frames']})" * (s["frames"] > 1)) for s in stages)
        total, hours = sum(s["samples"] for s in stages), sum(s["seconds"] for s in stages) / 3600
        lines.append(f"| {one.name} | {text} | {total} | {hours:.1f} |")
    data = [one.card["data"] for one in checkpoints if "data" in one.card]
    if data:
        sources = sorted({source for d in data for source in d["sources"]})
        lines += [
            "",
            f"Data: {', '.join(sources)}; {data[0]['pictures']} pictures, sha256 over their pixels "
            f"`{data[0]['sha256'][:16]}`. Several of these sets allow research only; soft masks of unlabelled pictures "
            "come from MediaPipe's selfie segmentation (Apache-2.0): the weights are for research and evaluation.",
        ]
    return lines


def _metrics(checkpoints: Sequence[Checkpoint]) -> list[str]:
    judged = [one for one in checkpoints if one.card.get("metrics")]
    if not judged:
        return ["Not judged yet: `python -m training.card judge DIR`.\n"]
    lines = ["IOU in per cent at 256x256 with its 95 % bootstrap interval; the previous mask four ways.", ""]
    for name in dict.fromkeys(name for one in judged for name in one.card["metrics"]):
        lines += [
            f"### {name}\n",
            "| checkpoint | empty | recurrent | perturbed | adversarial |",
            "|---|---|---|---|---|",
        ]
        for one in judged:
            if modes := one.card["metrics"].get(name):
                cells = [_percent(modes[mode]) for mode in ("empty", "recurrent", "perturbed", "adversarial")]
                lines.append(f"| {one.name} | " + " | ".join(cells) + " |")
        lines.append("")
    return lines


def _percent(value: dict[str, float]) -> str:
    return f"{value['iou'] * 100:.1f} ({value['low'] * 100:.1f}–{value['high'] * 100:.1f})"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    judging = commands.add_parser("judge")
    judging.add_argument("folders", type=Path, nargs="+")
    judging.add_argument("--variants", default="*")
    commands.add_parser("write")
    options = parser.parse_args(arguments)
    if options.command == "judge":
        for name in variant.match(options.variants):
            if path := checkpoint.find(name):
                one = checkpoint.load(path)
                metrics = {**one.card.get("metrics", {}), **judge(path, options.folders)}
                checkpoint.save(path, one.name, one.variant, one.state, {**one.card, "metrics": metrics})
                print(name, {k: round(v["empty"]["iou"], 4) for k, v in metrics.items()}, file=sys.stderr, flush=True)
        return 0
    found = [checkpoint.load(path) for name in variant.VARIANTS if (path := checkpoint.find(name))]
    (checkpoint.FOLDER / "MODEL_CARD.md").write_text(render(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
