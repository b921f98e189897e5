"""The effect of the refinement and of the previous mask on quality: `python -m video.quality --data DIR`.

Four ways to the same full-size masks: with the previous mask or without, refined or only enlarged. SAD (thousands of
pixels) and gradient error are of the frames alone whose truth is soft.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from cli.ending import carry_out
from evaluation.clip import Clip, Dataset, Picture
from evaluation.interval import bootstrap
from evaluation.matting import gradient_error, sad
from evaluation.score import BLOCK, judge, summarise
from models.segmenter import Floats, Segmenter, Step, unfitted

WAYS = ((False, False), (False, True), (True, False), (True, True))
"""(feedback, refined)."""


def seen(segmenter: Segmenter, clip: Clip) -> Iterator[tuple[Picture, Floats]]:
    """Each picture (H, W, 3) of a clip from its beginning, with the network's mask (h, w) of it."""
    segmenter.reset()
    for index in range(len(clip)):
        picture = clip.read(index)[0]
        mask = segmenter.mask(segmenter.prepare(picture))
        yield picture, unfitted(mask, picture.shape[:2], segmenter.resize_mode)


def masks(segmenter: Segmenter, clip: Clip, refine: bool) -> Iterator[Floats]:
    """The clip's masks at its pictures' size, one after the other."""
    from video.apply import alpha_of
    from video.band import to_floats

    for picture, mask in seen(segmenter, clip):
        yield to_floats(alpha_of(mask, picture, refine))


Interval = tuple[float, float, float]
"""A mean with its 95 % bootstrap interval: (mean, low, high)."""


def measure(segmenter: Segmenter, dataset: Dataset, refine: bool) -> dict[str, Interval]:
    """IOU and boundary F in per cent, dtSSD, SAD and gradient error, over all frames that have them."""
    judged, sads, gradients, blocks = [], [], [], []
    for number, clip in enumerate(dataset.clips):

        def watched(clip: Clip = clip, number: int = number) -> Iterator[Floats]:
            for index, mask in enumerate(masks(segmenter, clip, refine)):
                if clip.read_alpha:
                    alpha = clip.read_alpha(index)
                    sads.append(sad(mask, alpha))
                    gradients.append(gradient_error(mask, alpha))
                    blocks.append(number * 100_000 + index // BLOCK)
                yield mask

        judged.append(judge(watched(), clip))
    score = summarise(judged)
    means: dict[str, Interval] = {
        "IOU %": (100 * score.iou, 100 * score.iou_ci[0], 100 * score.iou_ci[1]),
        "boundary F %": (100 * score.boundary_f, 100 * score.boundary_f_ci[0], 100 * score.boundary_f_ci[1]),
    }
    if score.dtssd is not None and score.dtssd_ci is not None:
        means["dtSSD"] = (score.dtssd, *score.dtssd_ci)
    if sads:
        means["SAD"] = bootstrap(sads, blocks=blocks)
        means["gradient"] = bootstrap(gradients, blocks=blocks)
    return means


HEAD = ("IOU %", "boundary F %", "dtSSD", "SAD", "gradient")


def compare(step: Step, resolution: tuple[int, int], dataset: Dataset, smoothing: float = 0.0) -> list[list[str]]:
    """The table's lines, one a way; `smoothing` is the Segmenter's."""
    lines = []
    for feedback, refine in WAYS:
        segmenter = Segmenter(step, resolution, smoothing, getattr(step, "resize_mode", "stretch"), feedback=feedback)
        found = measure(segmenter, dataset, refine)
        cells = [written(found.get(name)) for name in HEAD]
        lines.append(["previous mask" if feedback else "none", "refined" if refine else "enlarged", *cells])
    return lines


def written(mean: Interval | None) -> str:
    return "{:.2f} ({:.2f} to {:.2f})".format(*mean) if mean else ""


def main(
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Pictures with masks, as for bench.py.")] = None,
    model: Annotated[str, typer.Option(metavar="ARTIFACT|VARIANT")] = "live",
    runtime: Annotated[str, typer.Option(metavar="R")] = "tflite",
    smoothing: Annotated[
        float, typer.Option(min=0, max=1, help="How much an unsure mask leans on the one before.")
    ] = 0.0,
) -> None:
    """Print IOU, boundary F, dtSSD, SAD and gradient error, each with its 95 % interval, of the four ways."""
    from cli.inputs import read_footage
    from cli.printing import print_table
    from devices.open_model import described, open_model

    session, _ = open_model(model, format=runtime)
    dataset = read_footage(data)
    lines = compare(session, session.resolution, dataset, smoothing)
    print(f"{described(model, session)}; {dataset.description}")
    print_table(["fed back", "mask", *HEAD], lines)


if __name__ == "__main__":
    carry_out(lambda: typer.run(main), "video.quality")
