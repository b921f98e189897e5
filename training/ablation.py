"""Ablation of each idea of the network: runs that differ in it alone, over pictures and over seeds.

python -m training.ablation RUN... --data DIR [--data DIR] [--resolution HxW] [--out FOLDER]

A RUN is a folder of train.py or its checkpoint; several of one variant are its seeds. Every one is judged on the same
pictures and clips, its own mask fed back in clips. Written are ablation.md, ablation.png and ablation.json.

Intervals are of the paired bootstrap: pictures are drawn (frames of half a second together), and of each variant's
seeds as many as there are, and all pairs of variants that differ in the idea alone are compared on that draw. With one
seed a variant, an interval covers the choice of pictures and not another training; the table says how many there were.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.clip import Dataset
from evaluation.score import BLOCK, judge, predict, prepare_clip
from models.arguments import WRONG_USAGE, ArgumentParser
from models.segmenter import Step
from models.variant import VARIANTS, Resolution, Variant, parse_resolution
from reports.ablation import CHANGES, Change

DRAWS = 2000
MEASURES = ("IOU", "boundary F")
Values = NDArray[np.float64]
Interval = tuple[float, float, float]
"""(mean, low, high)"""


@dataclass(frozen=True)
class Run:
    """One trained network: (pictures, measures) in per cent, and what it was trained on."""

    name: str
    variant: Variant
    stages: str
    """As `training.card.stages` tells them."""
    seed: int
    values: Values


@dataclass(frozen=True)
class Effect:
    """One idea over all pairs of variants that differ in it alone; points of each of MEASURES."""

    words: str
    pairs: tuple[tuple[str, str], ...]
    seeds: int
    """The fewest that a variant of a pair has."""
    points: dict[str, Interval]


def figures(step: Step, resolution: Resolution, data: Iterable[Dataset]) -> tuple[Values, list[tuple[int, int, int]]]:
    """Values (pictures, measures) in per cent, and for each picture the block it is drawn with."""
    values, blocks = [], []
    for number, footage in enumerate(data):
        for c, clip in enumerate(footage.clips):
            masks = predict(step, prepare_clip(clip, resolution), [len(clip)])
            for i, frame in enumerate(judge(masks, clip)):
                values.append((100 * frame.iou, 100 * frame.boundary_f))
                blocks.append((number, c, i // BLOCK))
    return np.array(values), blocks


def draws(blocks: Sequence[tuple[int, int, int]], count: int = DRAWS, seed: int = 0) -> NDArray[np.float32]:
    """(count, pictures) weights that sum to 1: how often each picture is in a draw."""
    rng = np.random.default_rng(seed)
    _, block = np.unique(np.array(blocks), axis=0, return_inverse=True)
    blocks_of = block.ravel()
    number = int(blocks_of.max()) + 1
    drawn = rng.multinomial(number, np.full(number, 1 / number), size=count).astype(np.float32)
    weights = drawn[:, blocks_of]
    return weights / weights.sum(axis=1, keepdims=True)


def levels(runs: Sequence[Run], weights: NDArray[np.float32], seed: int = 0) -> dict[str, Values]:
    """Variant -> (1 + draws, measures): the mean over all pictures and seeds, then that of each draw of both."""
    found = {}
    for name, same in _by_variant(runs).items():
        values = np.stack([run.values for run in same])  # (seeds, pictures, measures)
        # The same names give the same draws, so that a variant is drawn alike in each of its pairs.
        rng = np.random.default_rng([seed, *name.encode()])
        drawn = rng.multinomial(len(same), np.full(len(same), 1 / len(same)), size=len(weights)) / len(same)
        by_seed = np.einsum("dp,spm->dsm", weights, values)
        found[name] = np.vstack([values.mean(axis=(0, 1)), np.einsum("ds,dsm->dm", drawn, by_seed)])
    return found


def effects(runs: Sequence[Run], levels: Mapping[str, Values]) -> list[Effect]:
    """Every change of `reports.ablation.CHANGES` that has a pair among the runs."""
    found = [_effect(change, runs, levels) for change in CHANGES]
    return [effect for effect in found if effect]


def _effect(change: Change, runs: Sequence[Run], levels: Mapping[str, Values]) -> Effect | None:
    seeds = {name: len(same) for name, same in _by_variant(runs).items()}
    names = {run.variant: run.name for run in runs}
    pairs = [
        (name, names[other])
        for variant, name in names.items()
        if getattr(variant, change.field) == change.before
        and (other := replace(variant, **{change.field: change.after})) in names
    ]
    if not pairs:
        return None
    gains = np.mean([levels[after] - levels[before] for before, after in pairs], axis=0)
    points = {measure: interval(gains[:, i]) for i, measure in enumerate(MEASURES)}
    return Effect(change.words, tuple(pairs), min(seeds[name] for pair in pairs for name in pair), points)


def interval(values: Values) -> Interval:
    """(the first, and the 2.5 and 97.5 % quantiles of the rest)."""
    low, high = np.quantile(values[1:], (0.025, 0.975))
    return float(values[0]), float(low), float(high)


def _by_variant(runs: Sequence[Run]) -> dict[str, list[Run]]:
    found: dict[str, list[Run]] = defaultdict(list)
    for name in dict.fromkeys(name for name in VARIANTS if any(run.name == name for run in runs)):
        found[name] = [run for run in runs if run.name == name]
    return found


def load(path: Path, resolution: Resolution | None, data: Sequence[Dataset]) -> tuple[Run, list[tuple[int, int, int]]]:
    """A run and its pictures' blocks, by default at the variant's own resolution.

    ValueError when it is no checkpoint or its variant has no name.
    """
    import torch

    from models import checkpoint
    from training.card import stages
    from training.evaluation import step_of

    torch.set_num_threads(1)
    one = checkpoint.load(path / "checkpoint.safetensors" if path.is_dir() else path)
    if one.name not in VARIANTS:
        raise ValueError(f"{path}: {one.name} is no variant of models/variant.py")
    done = one.card.get("training", [])
    values, blocks = figures(step_of(one.network()), resolution or one.variant.resolution, data)
    return Run(one.name, one.variant, stages(done), done[-1].get("seed", 0) if done else 0, values), blocks


def warnings(runs: Sequence[Run]) -> list[str]:
    """What makes the comparison unequal, in sentences."""
    told = []
    courses = _courses(runs)
    if unequal := sorted({stage for stages in courses.values() if len(stages) > 1 for stage in stages}):
        told.append(f"The comparison is not equal, for runs of a seed differ in their stages: {'; '.join(unequal)}.")
    if any(len({run.seed for run in same}) < len(same) for same in _by_variant(runs).values()):
        told.append("Some runs of one variant share a seed: they are no independent trainings.")
    return told


def _courses(runs: Sequence[Run]) -> dict[int, set[str]]:
    """Seed -> the stages of its runs; of an equal comparison one each."""
    found: dict[int, set[str]] = defaultdict(set)
    for run in runs:
        found[run.seed].add(run.stages)
    return dict(sorted(found.items()))


def markdown(
    runs: Sequence[Run], levels: Mapping[str, Values], found: Sequence[Effect], instructions: Mapping[str, float]
) -> str:
    """`instructions`: of a frame on ARM, by variant, where they are known."""
    lines = [f"**{words}**\n" for words in warnings(runs)]
    courses = _courses(runs)
    if len({run.stages for run in runs}) == 1:
        lines.append(f"Every run: {runs[0].stages} (samples @ side of the picture).\n")
    elif all(len(stages) == 1 for stages in courses.values()):
        words = "; ".join(f"seed {seed}: {', '.join(stages)}" for seed, stages in courses.items())
        lines.append(f"Every run of a seed saw the same samples. {words[0].upper()}{words[1:]} (samples @ side).\n")
    lines += ["| variant | seeds | IOU, % | boundary F, % | ARM instructions, M |", "|---|---|---|---|---|"]
    for name, same in _by_variant(runs).items():
        cells = [_told(interval(levels[name][:, i])) for i in range(len(MEASURES))]
        cells.append(f"{instructions[name] / 1e6:.1f}" if name in instructions else "–")
        lines.append(f"| {name} | {len(same)} | {' | '.join(cells)} |")
    lines += ["", "| idea | pairs | seeds, at least | IOU, points | boundary F, points |", "|---|---|---|---|---|"]
    for effect in found:
        cells = [_told(effect.points[measure], "+") for measure in MEASURES]
        lines.append(f"| {effect.words} | {len(effect.pairs)} | {effect.seeds} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _told(values: Interval, sign: str = "") -> str:
    mean, low, high = values
    return f"{mean:{sign}.2f} ({low:{sign}.2f} to {high:{sign}.2f})"


def chart(path: Path, levels: Mapping[str, Values], found: Sequence[Effect]) -> None:
    """Left the variants, right the ideas, IOU with its interval."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 0.9 + 0.34 * max(len(levels), len(found))), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    variants = {name: interval(values[:, 0]) for name, values in levels.items()}
    ideas = {effect.words: effect.points["IOU"] for effect in found}
    for axes, rows, words in ((left, variants, "IOU, %"), (right, ideas, "IOU points gained")):
        for y, (mean, low, high) in enumerate(rows.values()):
            axes.plot([low, high], [y, y], color="0.5")
            axes.plot([mean], [y], "o", color="#0072b2")
        axes.set_yticks(range(len(rows)), list(rows))
        axes.invert_yaxis()
        axes.set_xlabel(f"{words}, 95 % interval")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="x", alpha=0.3)
    right.axvline(0, color="0.3", linewidth=1)
    figure.savefig(path)


def write(out: Path, runs: Sequence[Run], blocks: Sequence[tuple[int, int, int]], judged: str) -> str:
    """The three files; returns the Markdown. `judged` says on what."""
    by_variant = levels(runs, draws(blocks))
    found = effects(runs, by_variant)
    text = f"Judged on {judged}.\n\n{markdown(runs, by_variant, found, _instructions(runs))}"
    out.mkdir(parents=True, exist_ok=True)
    (out / "ablation.md").write_text(text)
    chart(out / "ablation.png", by_variant, found)
    told: dict[str, Any] = {
        "judged": judged,
        "pictures": len(blocks),
        "warnings": warnings(runs),
        "variants": {name: {m: interval(v[:, i]) for i, m in enumerate(MEASURES)} for name, v in by_variant.items()},
        "ideas": {e.words: {"pairs": e.pairs, "seeds": e.seeds, **e.points} for e in found},
    }
    (out / "ablation.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    return text


def _instructions(runs: Sequence[Run]) -> dict[str, float]:
    """ARM instructions of each variant at its own resolution, from docs/measured.json."""
    from reports import measured

    counts = measured.read()["counts"]
    known = {run.name: counts.get(measured.shape_key(run.variant), {}).get("arm", {}) for run in runs}
    return {name: arm["fp32"] for name, arm in known.items() if "fp32" in arm}


def main(arguments: list[str] | None = None, tell: Callable[[str], None] = lambda t: print(t, file=sys.stderr)) -> int:
    from evaluation import folder

    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    parser.add_argument("--data", type=Path, action="append", required=True, help="pictures and clips not trained on")
    parser.add_argument("--resolution", metavar="HxW", help="the networks' input; without it each one's own")
    parser.add_argument("--out", type=Path, default=Path("results"), help="where the table and the chart go")
    options = parser.parse_args(arguments)
    try:
        resolution = parse_resolution(options.resolution) if options.resolution else None
        data = [folder.read(path) for path in options.data]
        runs: list[Run] = []
        blocks: list[tuple[int, int, int]] = []
        for path in options.runs:
            run, blocks = load(path, resolution, data)
            runs.append(run)
            tell(f"{path}: {run.name}, IOU {run.values[:, 0].mean():.2f} %")
    except ValueError as error:
        tell(f"training.ablation: {error}")
        return WRONG_USAGE
    sizes = sorted({f"{height}x{width}" for height, width in (resolution or run.variant.resolution for run in runs)})
    judged = f"{', '.join(footage.name for footage in data)} at {' and '.join(sizes)}, {len(blocks)} pictures"
    print(write(options.out, runs, blocks, judged))
    return 0


if __name__ == "__main__":
    sys.exit(main())
