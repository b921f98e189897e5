"""`bench.py evaluate`: one model on one dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from evaluation.clip import Dataset
from evaluation.score import Previous, Score, judge, predict, prepare_clip, summarise, without_bars
from models.segmenter import ResizeMode, Step
from models.variant import Resolution


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
    judged = []
    for clip in dataset.clips:
        masks = predict(step, prepare_clip(clip, resolution, resize_mode), [len(clip)], prev, on_frame)
        if resize_mode == "letterbox":
            masks = without_bars(masks, replace(dataset, clips=[clip]))
        judged.append(judge(masks, clip))
    return summarise(judged, seed)


def report(score: Score, dataset: Dataset, prev: Previous) -> dict[str, Any]:
    """The JSON of `--json`: IOU and boundary F in 0..1, `dtssd` null without clips, the data set, its problems
    and how its masks were read."""
    return {
        "iou": score.iou,
        "iou_ci": list(score.iou_ci),
        "boundary_f": score.boundary_f,
        "boundary_f_ci": list(score.boundary_f_ci),
        "dtssd": score.dtssd,
        "dtssd_ci": list(score.dtssd_ci) if score.dtssd_ci else None,
        "images": score.images,
        "prev": prev,
        "data": dataset.name,
        "description": dataset.description,
        "problems": list(dataset.problems),
        "masks": list(dataset.masks),
    }


def lines(score: Score, dataset: Dataset) -> list[str]:
    """The same to read: IOU and boundary F in per cent and dtSSD, each with its 95 % interval."""
    percent = [("IOU", score.iou, score.iou_ci), ("boundary F", score.boundary_f, score.boundary_f_ci)]
    said = [
        f"{name}: {100 * value:.2f} % ({100 * low:.2f} to {100 * high:.2f})" for name, value, (low, high) in percent
    ]
    if score.dtssd is not None and score.dtssd_ci:
        said.append(f"dtSSD: {score.dtssd:.2f} ({score.dtssd_ci[0]:.2f} to {score.dtssd_ci[1]:.2f})")
    return [*said, f"{score.images} images. {dataset.description}"]
