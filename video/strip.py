"""A picture of what is done, `python -m video.strip VIDEO --at SECONDS --background PICTURE --out strip.png`.

Side by side: frame, previous mask, mask and composite. Of a network with labels: frame, hair, lips and clothes in other
colours, the labels, and the composite.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from cli.ending import carry_out

if TYPE_CHECKING:
    from video.apply import Effect
    from video.band import Bytes, Floats

COLOURS = {"hair": "teal", "lips": "crimson", "clothes": "royalblue"}
WIDEST = 1600


def main(
    video: Annotated[str, typer.Argument(metavar="VIDEO")],
    background: Annotated[str, typer.Option(metavar="PICTURE|COLOUR")],
    out: Annotated[Path, typer.Option(metavar="PNG")],
    at: Annotated[float, typer.Option(metavar="SECONDS")] = 1.0,
    model: Annotated[str, typer.Option(metavar="ARTIFACT|VARIANT")] = "live",
    runtime: Annotated[str, typer.Option(metavar="R")] = "tflite",
) -> None:
    """Write what is done to the frame of one moment, side by side."""
    import cv2

    from models.segmenter import enlarge, unfitted
    from video.apply import replacing, seen_in
    from video.backdrop import open_backdrop
    from video.band import to_bytes
    from video.read import Frame, open_source
    from video.segmenter import Segmenter

    segmenter = Segmenter(model, runtime)
    source = open_source(video)
    for frame in (item for item in source.items() if isinstance(item, Frame)):
        before = enlarge(unfitted(segmenter.previous[0, :, :, 0], source.size, segmenter.resize_mode), source.size)
        seen = seen_in(segmenter, segmenter.prepare(frame.picture), source.size, segmenter.gives_labels)
        if frame.pts * source.time_base >= at:
            break
    source.close()
    behind = replacing(open_backdrop(background, source.size))
    if segmenter.gives_labels:
        tiles = parts(frame.picture, seen, behind)
    else:
        tiles = way(frame.picture, to_bytes(before), seen, behind)
    strip = np.hstack(tiles)
    width = min(WIDEST, strip.shape[1])
    size = (width, round(strip.shape[0] * width / strip.shape[1]))
    cv2.imwrite(str(out), cv2.resize(strip, size, interpolation=cv2.INTER_AREA)[..., ::-1])


def way(picture: Bytes, before: Bytes, mask: Floats, behind: Effect) -> list[Bytes]:
    """From a frame (H, W, 3), the previous mask (H, W) and the new one (h, w) to the composite."""
    from video.apply import alpha_of

    alpha = alpha_of(mask, picture)
    return [picture, *(np.repeat(m[..., None], 3, -1) for m in (before, alpha)), behind(picture, alpha, 0)]


def parts(picture: Bytes, labels: Floats, behind: Effect) -> list[Bytes]:
    """A frame (H, W, 3), and each effect on it by the probabilities (h, w, 9) of its labels."""
    from video.apply import Effects
    from video.backdrop import parse_colour
    from video.parts import Tint
    from video.recolour import tones

    chosen = [Effects(tints=(Tint(label, tones(parse_colour(name) or (0, 0, 0))),)) for label, name in COLOURS.items()]
    chosen += [Effects(overlay=True), Effects(behind)]
    return [picture, *(effects(picture, labels, effects.alphas(labels, picture), 0) for effects in chosen)]


if __name__ == "__main__":
    carry_out(lambda: typer.run(main), "video.strip")
