"""`bench.py evaluate`: one model on one footage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frames.clip import Footage
from frames.score import Previous, Score, judge, predict, prepare_clip, summarise
from models.segmenter import Step
from models.variant import Resolution


def evaluate(
    step: Step,
    resolution: Resolution,
    footage: Footage,
    prev: Previous = "recurrent",
    seed: int = 0,
    on_frame: Callable[[], object] | None = None,
) -> Score:
    """Run and judge clip by clip, so that only one clip's small frames are in memory.

    Stills always start from an empty previous mask; `prev="empty"` does so for every frame of the clips too.
    `on_frame` is called after each frame.
    """
    judged = []
    for clip in footage.clips:
        frames = prepare_clip(clip, resolution)
        judged.append(judge(predict(step, frames, [len(clip)], prev, on_frame), clip))
    return summarise(judged, seed)


def report(score: Score, footage: Footage, prev: Previous) -> dict[str, Any]:
    """The JSON of `--json`: IOU and boundary F in 0..1, `dtssd` null without clips, what was judged, what left out."""
    return {
        "iou": score.iou,
        "iou_ci": list(score.iou_ci),
        "boundary_f": score.boundary_f,
        "boundary_f_ci": list(score.boundary_f_ci),
        "dtssd": score.dtssd,
        "dtssd_ci": list(score.dtssd_ci) if score.dtssd_ci else None,
        "images": score.images,
        "prev": prev,
        "data": footage.name,
        "description": footage.description,
        "problems": list(footage.problems),
    }
