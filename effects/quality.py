"""What refinement and the fed-back mask are worth, measured: `python -m effects.quality --data DIR`.

Four ways to the same full-size masks: with the previous mask or without, refined or only enlarged. SAD (thousands of
pixels) and gradient error are of the frames alone whose truth is soft.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from frames.clip import Clip, Footage
from frames.score import judge, summarise
from metrics.matting import gradient_error, sad
from models.segmenter import Floats, Segmenter, Step, unfitted

WAYS = ((False, False), (False, True), (True, False), (True, True))
"""(feedback, refined)."""


def masks(segmenter: Segmenter, clip: Clip, refine: bool) -> Iterator[Floats]:
    """The clip's masks at its pictures' size, one after the other."""
    from effects.apply import alpha_of
    from effects.band import to_floats

    segmenter.reset()
    for index in range(len(clip)):
        picture = clip.read(index)[0]
        size = picture.shape[:2]
        small = unfitted(segmenter.mask(segmenter.prepare(picture)), size, segmenter.fit)
        yield to_floats(alpha_of(small, picture, refine))


def measure(segmenter: Segmenter, footage: Footage, refine: bool) -> dict[str, float | None]:
    """IOU and boundary F in per cent, dtSSD, SAD and gradient error: means over all frames that have them."""
    judged, against_alpha = [], []
    for clip in footage.clips:

        def watched(clip: Clip = clip) -> Iterator[Floats]:
            for index, mask in enumerate(masks(segmenter, clip, refine)):
                if clip.read_alpha:
                    alpha = clip.read_alpha(index)
                    against_alpha.append((sad(mask, alpha), gradient_error(mask, alpha)))
                yield mask

        judged.append(judge(watched(), clip))
    score = summarise(judged)
    soft = np.mean(against_alpha, axis=0).tolist() if against_alpha else (None, None)
    return {
        "IOU": 100 * score.iou,
        "boundary F": 100 * score.boundary_f,
        "dtSSD": score.dtssd,
        "SAD": soft[0],
        "gradient": soft[1],
    }


def compare(step: Step, resolution: tuple[int, int], footage: Footage) -> list[list[str]]:
    """The table's lines, one a way."""
    lines = []
    for feedback, refine in WAYS:
        segmenter = Segmenter(step, resolution, feedback=feedback, fit=getattr(step, "fit", "stretch"))
        found = measure(segmenter, footage, refine)
        cells = ["" if value is None else f"{value:.2f}" for value in found.values()]
        lines.append(["previous mask" if feedback else "none", "refined" if refine else "enlarged", *cells])
    return lines


def main(
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Pictures with masks, as for bench.py.")] = None,
    model: Annotated[str, typer.Option(metavar="ARTIFACT|VARIANT")] = "live",
    runtime: Annotated[str, typer.Option(metavar="R")] = "pytorch",
) -> None:
    """Print IOU, boundary F, dtSSD, SAD and gradient error with and without refinement and feedback."""
    from bench import print_table, read_footage
    from segment import open_network

    session, name = open_network(model, runtime, None, 1)
    footage = read_footage(data)
    lines = compare(session, session.resolution, footage)
    print(f"{name}; {footage.description}")
    print_table(["fed back", "mask", "IOU %", "boundary F %", "dtSSD", "SAD", "gradient"], lines)


if __name__ == "__main__":
    typer.run(main)
