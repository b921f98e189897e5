"""`bench.py evaluate`: one model on one dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evaluation.clip import HAIR_ALONE, Dataset
from evaluation.labels import LabelScore
from evaluation.score import (
    Previous,
    Score,
    count_clip,
    judge,
    predict,
    predict_labels,
    prepare_clip,
    summarise,
    summarise_labels,
    without_bars,
)
from models.segmenter import ResizeMode, Step
from models.variant import Resolution


@dataclass(frozen=True)
class Evaluation:
    """What one model scores on one dataset."""

    person: Score | None
    """None where no picture tells where the person is."""
    labels: LabelScore | None = None
    """None for a model without labels, or a dataset that tells none."""


def evaluate(
    step: Step,
    resolution: Resolution,
    dataset: Dataset,
    prev: Previous = "recurrent",
    seed: int = 0,
    on_frame: Callable[[], object] | None = None,
    resize_mode: ResizeMode = "stretch",
) -> Score:
    """Run and judge clip by clip, so that only one clip's small frames are in memory.

    Stills always start from an empty previous mask; `prev="empty"` does so for every frame of the clips too.
    `on_frame` is called after each frame; `resize_mode` is how the model wants its pictures.
    """
    found = evaluate_all(step, resolution, dataset, prev, seed, on_frame, resize_mode)
    if found.person is None:
        raise ValueError(f"{dataset.name}: no picture tells where the person is")
    return found.person


def evaluate_all(
    step: Step,
    resolution: Resolution,
    dataset: Dataset,
    prev: Previous = "recurrent",
    seed: int = 0,
    on_frame: Callable[[], object] | None = None,
    resize_mode: ResizeMode = "stretch",
    has: Sequence[str] = (),
) -> Evaluation:
    """`evaluate`, and of a model that has the labels `has` these too."""
    judged, counted = [], []
    for clip in dataset.clips:
        frames = prepare_clip(clip, resolution, resize_mode)
        if has:
            masks, found = predict_labels(step, frames, [len(clip)], prev, on_frame)
            counted.append(count_clip(found, clip, resize_mode))
        else:
            masks = predict(step, frames, [len(clip)], prev, on_frame)
        if resize_mode == "letterbox":
            masks = without_bars(masks, replace(dataset, clips=[clip]))
        if clip.tells_person:
            judged.append(judge(masks, clip))
    return Evaluation(summarise(judged, seed) if judged else None, summarise_labels(counted, has, seed))


def unjudgeable(dataset: Dataset, has: Sequence[str]) -> str | None:
    """Why a model with the labels `has`, none for a mask alone, cannot be judged on a dataset; None where it can."""
    if has:
        return dataset.no_labels or None
    if dataset.own_ids:
        return "the masks hold class ids, and class ids need a classes.json that names them, or --labels"
    if not any(clip.tells_person for clip in dataset.clips):
        return HAIR_ALONE
    return None


def report(found: Score | Evaluation, dataset: Dataset, prev: Previous) -> dict[str, Any]:
    """The JSON of `--json`: IOU and boundary F in 0..1, null where the person is not told, `dtssd` null without clips,
    the data set, its problems and how its masks were read; of labels what `LabelScore.to_dict` gives."""
    found = found if isinstance(found, Evaluation) else Evaluation(found)
    score = found.person
    figures = ("iou", "iou_ci", "boundary_f", "boundary_f_ci", "dtssd", "dtssd_ci")
    values = {name: getattr(score, name) if score else None for name in figures}
    labels = found.labels
    return {
        **{name: list(value) if isinstance(value, tuple) else value for name, value in values.items()},
        "images": dataset.frames,
        "prev": prev,
        "data": dataset.name,
        "description": dataset.description,
        "problems": list(dataset.problems),
        "masks": list(dataset.masks),
        **({"labels": labels.to_dict() | {"read": dataset.labels}} if labels else {}),
    }


def lines(found: Score | Evaluation, dataset: Dataset) -> list[str]:
    """The same to read: IOU and boundary F in per cent and dtSSD, each with its 95 % interval, and the labels."""
    found = found if isinstance(found, Evaluation) else Evaluation(found)
    said = _person_lines(found.person) if found.person else ["The data do not tell where the person is."]
    labels = label_lines(found.labels) if found.labels else []
    return [*said, *labels, f"{dataset.frames} images. {dataset.description}"]


def _person_lines(score: Score) -> list[str]:
    percent = [("IOU", score.iou, score.iou_ci), ("boundary F", score.boundary_f, score.boundary_f_ci)]
    said = [
        f"{name}: {100 * value:.2f} % ({100 * low:.2f} to {100 * high:.2f})" for name, value, (low, high) in percent
    ]
    if score.dtssd is not None and score.dtssd_ci:
        said.append(f"dtSSD: {score.dtssd:.2f} ({score.dtssd_ci[0]:.2f} to {score.dtssd_ci[1]:.2f})")
    return said


MOST_TAKEN_FOR = 2
"""Of each label, how many others that it is taken for the terminal names; `--json` has all."""


def label_lines(score: LabelScore) -> list[str]:
    """The mean IOU, and a line for each label: its IOU, where it is found, and what it is taken for most."""
    low, high = score.mean_ci
    names = [name for name in score.labels if score.counts(name)]
    what = f"mean IOU of {len(names)} label{'s' * (len(names) != 1)}"
    said = [f"{what}: {100 * score.mean:.2f} % ({100 * low:.2f} to {100 * high:.2f})"]
    width = max(map(len, score.labels))
    for name, one in score.labels.items():
        low, high = one.ci
        figure = f"{100 * one.iou:6.2f} % ({100 * low:.2f} to {100 * high:.2f})"
        pictures = f"{one.pictures} picture{'s' * (one.pictures != 1)}"
        note = "" if score.counts(name) else ", not in the mean"
        said.append(f"  {name:{width}} {figure}, {pictures}{note}; {_taken(name, score.confusion[name])}")
    if score.lacking:
        said.append(f"The model has no {' and no '.join(score.lacking)}.")
    return said


def _taken(name: str, found: dict[str, int]) -> str:
    """Which share of a label's pixels was found as it, and which as what else."""
    pixels = sum(found.values())
    others = sorted((other for other in found if other != name), key=lambda other: -found[other])[:MOST_TAKEN_FOR]
    shares = [f"{100 * found[other] / pixels:.0f} % {other}" for other in others if found[other] >= 0.005 * pixels]
    return ", ".join([f"found {100 * found.get(name, 0) / pixels:.0f} %", *shares])
