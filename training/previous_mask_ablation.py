"""Ablation of the previous mask: a network with it and its twin without, on the same clips.

python -m training.previous_mask_ablation WITH WITHOUT --data DIR [--data DIR] [--resolution HxW] [--out FOLDER]

Three columns: the network with its own mask fed back, the same with an empty one every time, the sibling. Beside IOU
and dtSSD of the clips: flicker where nothing moves but the sensor's noise, and the frames until IOU is back within
two points of the undisturbed run after a cut, an entry and a wrong mask; and dtSSD counted only where the truth stands
still, which is all that a previous mask can steady. Every figure has its 95 % bootstrap interval;
differences are paired, frames of half a second being drawn together. Printed, and written as previous_mask.md and
previous_mask.json.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.clip import Clip, Dataset, Label
from evaluation.interval import bootstrap
from evaluation.iou import iou
from evaluation.sample import Shot, embedded, render
from evaluation.score import BLOCK, Previous, judge, predict, prepare_clip
from evaluation.temporal import dtssd_still, flicker, frames_to_recover
from models.arguments import WRONG_USAGE, ArgumentParser
from models.segmenter import Floats, Step, enlarge, no_mask, stretch, to_input
from models.variant import Resolution, parse_resolution

NOISE = 4.0
"""Standard deviation of the sensor's noise over a still picture, of 255."""
STILL = 20
HORIZON = 15
"""Frames that are watched after an event; a mask that is not back by then counts as so many."""
EVERY = 12
"""Frames from one event to the next: each is a run of its own."""
BACK = 0.02

Pixels = NDArray[np.uint8]
Values = list[tuple[tuple[int, int], float]]
"""((clip, block), value): blocks are drawn together."""
MEASURES = ("IOU, %", "dtSSD", "dtSSD where still", "flicker, %", "cut, frames", "entry, frames", "wrong mask, frames")


@dataclass(frozen=True)
class Subject:
    """A network as it is run: `prev` is whether its own mask goes back in."""

    name: str
    step: Step
    resolution: Resolution
    prev: Previous


def measure(subject: Subject, footage: Dataset, tell: Callable[[str], None] = lambda _: None) -> dict[str, Values]:
    """Every measure's values over the clips of `footage`; stills count only for flicker. The same order for all."""
    found: dict[str, Values] = {name: [] for name in MEASURES}
    clips = [clip for clip in footage.clips if not clip.still]
    frames = [prepare_clip(clip, subject.resolution) for clip in clips]
    for number, (clip, pictures) in enumerate(zip(clips, frames, strict=True)):
        tell(f"{subject.name}: {clip.name}")
        masks = predict(subject.step, pictures, [len(clip)], subject.prev)
        judged = judge(masks, clip)
        keys = [(number, i // BLOCK) for i in range(len(clip))]
        found["IOU, %"] += [(key, 100 * frame.iou) for key, frame in zip(keys, judged, strict=True)]
        found["dtSSD"] += [(key, f.dtssd) for key, f in zip(keys, judged, strict=True) if f.dtssd is not None]
        still = [_still(masks, clip, i) for i in range(1, len(clip))]
        found["dtSSD where still"] += list(zip(keys[1:], still, strict=True))
        before = {
            "cut, frames": frames[number - 1][-8:] if len(clips) > 1 else pictures[-8:, :, ::-1],
            "entry, frames": _nobody(subject.resolution),
        }
        settled = [frame.iou for frame in judged]
        for start in range(EVERY, len(clip) - HORIZON, EVERY):
            labels = [clip.label(i) for i in range(start, start + HORIZON)]
            for name, other in before.items():
                mask = predict(subject.step, other, [len(other)], subject.prev)[-1]
                lost = _lost(subject, pictures[start : start + HORIZON], labels, mask, settled[start:])
                found[name].append(((number, start // EVERY), lost))
            wrong = 1 - _truth(clip.label(start - 1), subject.resolution)
            lost = _lost(subject, pictures[start : start + HORIZON], labels, wrong, settled[start:])
            found["wrong mask, frames"].append(((number, start // EVERY), lost))
    for number, clip in enumerate(footage.clips):
        for index in range(0, len(clip), 60):
            found["flicker, %"].append(((number, index), _flicker(subject, clip, index)))
    return {name: values for name, values in found.items() if values}


def _still(masks: Floats, clip: Clip, index: int) -> float:
    """dtSSD of the step into a frame, counted where the truth stands still."""
    before, now = clip.label(index - 1), clip.label(index)
    return dtssd_still(enlarge(masks[index - 1], before.shape), before, enlarge(masks[index], now.shape), now)


def _lost(
    subject: Subject, pictures: Pixels, labels: Sequence[Label], previous: Floats, settled: Sequence[float]
) -> float:
    """Frames until IOU is back when the run starts from `previous`, HORIZON when it does not come back."""
    hint, differences = previous[None, :, :, None], []
    for picture, label, usual in zip(pictures, labels, settled, strict=False):
        hint = hint if subject.prev == "recurrent" else no_mask(subject.resolution)
        hint = np.array(subject.step(to_input(picture), hint))
        differences.append(iou(enlarge(hint[0, :, :, 0], label.shape), label) - usual)
    back = frames_to_recover(differences, 0, -BACK)
    return float(HORIZON if back is None else back)


def limit(footage: Dataset, resolution: Resolution) -> tuple[float, float] | None:
    """(IOU in per cent, dtSSD) of perfect masks of that size, over the clips; None where there is none."""
    judged = [
        frame
        for clip in footage.clips
        if not clip.still
        for frame in judge([_truth(clip.label(i), resolution) for i in range(len(clip))], clip)
    ]
    if not judged:
        return None
    return 100 * fmean(f.iou for f in judged), fmean(f.dtssd for f in judged if f.dtssd is not None)


def _flicker(subject: Subject, clip: Clip, index: int) -> float:
    picture = stretch(clip.read(index)[0], subject.resolution).astype(np.float32)
    rng = np.random.default_rng(index)
    noisy = (picture + rng.normal(0, NOISE, (STILL, *picture.shape)).astype(np.float32)).clip(0, 255).astype(np.uint8)
    masks = predict(subject.step, noisy, [STILL], subject.prev)
    return flicker(masks[STILL // 2 :])  # once it has settled


def _nobody(resolution: Resolution) -> Pixels:
    """Frames (8, H, W, 3) of a room that nobody has entered yet, of the embedded sample."""
    empty = Shot("coffee", 4, enters=1_000_000)
    return np.stack([stretch(render(empty, t)[0], resolution) for t in range(8)])


def _truth(label: Label, resolution: Resolution) -> Floats:
    import cv2

    height, width = resolution
    small = cv2.resize((label == 1).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32)


def interval(values: Values) -> tuple[float, float, float]:
    """(mean, low, high)."""
    numbers = {key: n for n, key in enumerate(dict.fromkeys(key for key, _ in values))}
    return bootstrap([value for _, value in values], blocks=[numbers[key] for key, _ in values])


def difference(ours: Values, theirs: Values) -> tuple[float, float, float]:
    """(mean, low, high) of ours - theirs, value by value."""
    return interval([(key, a - b) for (key, a), (_, b) in zip(ours, theirs, strict=True)])


def summary(subjects: Mapping[str, dict[str, Values]]) -> dict[str, Any]:
    """{measure: {column: [mean, low, high], "gain over COLUMN": ..., "values": count}}, the first column being the
    one that is compared with each of the others."""
    (first, ours), *others = subjects.items()
    told: dict[str, Any] = {}
    for name, values in ours.items():
        told[name] = {column: interval(found[name]) for column, found in subjects.items()}
        told[name] |= {f"{first} − {column}": difference(values, found[name]) for column, found in others}
        told[name]["values"] = len(values)
    return told


def markdown(told: Mapping[str, Mapping[str, Any]]) -> str:
    columns = [column for column in next(iter(told.values())) if column != "values"]
    lines = [f"| | {' | '.join(columns)} | values |", "|---" * (len(columns) + 2) + "|"]
    for name, row in told.items():
        cells = ["{:.2f} ({:.2f} to {:.2f})".format(*row[column]) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} | {row['values']} |")
    return "\n".join(lines)


def page(told: Mapping[str, Mapping[str, Any]], with_it: str, without: str, resolution: Resolution) -> str:
    """`compare`'s figures as Markdown, and which two networks they are of."""
    size = "{}x{}".format(*resolution)
    lines = [f"With: {described(with_it)}. Without: {described(without)}. Judged at {size}."]
    for name, figures in told.items():
        lines += ["", f"### {name}", "", markdown(figures["ablation"])]
        if reached := figures["truth"]:
            said = "The truth itself, made {} and enlarged again, has {:.2f} % IOU and dtSSD {:.2f}."
            lines += ["", said.format(size, *reached)]
    return "\n".join(lines) + "\n"


def described(model: str) -> str:
    """A model in words: a checkpoint's variant and the stages of its training, else the name of the file."""
    from devices.open_model import CHECKPOINT
    from models.checkpoint import load
    from training.card import stages

    if not model.endswith(CHECKPOINT):
        return Path(model).name
    one = load(Path(model))
    done = one.card.get("training", [])
    return f"{one.name}, {stages(done)}, seed {done[-1].get('seed', 0)}" if done else f"{one.name}, untrained"


def compare(
    with_it: str,
    without: str,
    data: Iterable[Dataset],
    resolution: Resolution | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, Any], Resolution]:
    """{data set: {"ablation": `summary`, "truth": `limit`}} of two models, and the size at which they were judged:
    the first one's own unless another is asked for."""
    from devices.open_model import open_model

    one, size = open_model(with_it, resolution=resolution)
    other, size_of_other = open_model(without, resolution=resolution)
    if size != size_of_other:
        raise ValueError("{} takes {}x{}, and {} {}x{}".format(with_it, *size, without, *size_of_other))
    subjects = [
        Subject("with", one, size, "recurrent"),
        Subject("always empty", one, size, "empty"),
        Subject("without", other, size, "recurrent"),
    ]
    found = {
        footage.name: {
            "ablation": summary({s.name: measure(s, footage, tell) for s in subjects}),
            "truth": limit(footage, size),
        }
        for footage in data
    }
    return found, size


def main(arguments: list[str] | None = None) -> int:
    from evaluation import folder

    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("with_it", metavar="WITH", help="a model with a previous mask")
    parser.add_argument("without", metavar="WITHOUT", help="its sibling without")
    parser.add_argument("--data", type=Path, action="append", help="a folder of clips; the embedded sample without one")
    parser.add_argument("--resolution", metavar="HxW", help="of checkpoints; without it the first one's own")
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="where previous_mask.md and previous_mask.json go"
    )
    options = parser.parse_args(arguments)
    try:
        data = [folder.read(path) for path in options.data] if options.data else [embedded()]
        resolution = parse_resolution(options.resolution) if options.resolution else None
        told, size = compare(
            options.with_it, options.without, data, resolution, lambda text: print(text, file=sys.stderr)
        )
    except ValueError as error:
        print(f"training.previous_mask_ablation: {error}", file=sys.stderr)
        return WRONG_USAGE
    text = page(told, options.with_it, options.without, size)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "previous_mask.md").write_text(text)
    (options.out / "previous_mask.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
