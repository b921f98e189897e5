"""Which settings of the refinement are best on pictures whose alpha is known: `python -m video.settings --data DIR`.

A network's own masks, each refined with every setting and compared with the true alpha; figures are means, smaller is
better. Pictures of another set than those that judge the result belong here.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cli.ending import carry_out
from evaluation.clip import Dataset
from evaluation.matting import gradient_error, sad
from models.segmenter import Segmenter
from video.band import Bytes
from video.quality import seen

RADII = 0.015, 0.03, 0.05, 0.08
EPSILONS = 1e-5, 1e-4, 1e-3
LOWS = 0.05, 0.15, 0.25

Setting = tuple[float, float, float]
"""(radius, epsilon, low)."""


def compare(segmenter: Segmenter, dataset: Dataset) -> dict[Setting | None, tuple[float, float]]:
    """Mean SAD and gradient error of every setting, and under None those of the mask that is only enlarged."""
    from video.apply import alpha_of
    from video.band import to_floats
    from video.guided import refined

    found: defaultdict[Setting | None, list[tuple[float, float]]] = defaultdict(list)
    for clip in dataset.clips:
        if not clip.read_alpha:
            continue
        for index, (picture, mask) in enumerate(seen(segmenter, clip)):
            alphas: dict[Setting | None, Bytes] = {None: alpha_of(mask, picture, refine=False)}
            alphas |= {s: refined(mask, picture, *s) for s in itertools.product(RADII, EPSILONS, LOWS)}
            truth = clip.read_alpha(index)
            for setting, alpha in alphas.items():
                found[setting].append((sad(to_floats(alpha), truth), gradient_error(to_floats(alpha), truth)))
    return {setting: (float(m[0]), float(m[1])) for setting, v in found.items() for m in [np.mean(v, axis=0)]}


def main(
    data: Annotated[Path | None, typer.Option(metavar="DIR", help="Pictures with soft masks.")] = None,
    model: Annotated[str, typer.Option(metavar="ARTIFACT|VARIANT")] = "live",
    runtime: Annotated[str, typer.Option(metavar="R")] = "tflite",
) -> None:
    """Print SAD and gradient error of every setting, the best first."""
    from cli.inputs import read_footage
    from cli.printing import print_table
    from devices.open_model import described, open_model

    session, _ = open_model(model, format=runtime)
    footage = read_footage(data)
    found = compare(Segmenter(session, session.resolution, resize_mode=session.resize_mode), footage)
    print(f"{described(model, session)}; {footage.description}")
    lines = [
        [*(map(str, setting) if setting else ("", "", "enlarged")), f"{s:.3f}", f"{g:.3f}"]
        for setting, (s, g) in sorted(found.items(), key=lambda item: item[1])
    ]
    print_table(["radius", "epsilon", "low", "SAD", "gradient"], lines)


if __name__ == "__main__":
    carry_out(lambda: typer.run(main), "video.settings")
