"""A picture of the whole way, `python -m video.strip VIDEO --at SECONDS --background PICTURE --out strip.png`.

Frame, previous mask, mask and composite side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cli.ending import carry_out


def main(
    video: Annotated[str, typer.Argument(metavar="VIDEO")],
    background: Annotated[str, typer.Option(metavar="PICTURE|COLOUR")],
    out: Annotated[Path, typer.Option(metavar="PNG")],
    at: Annotated[float, typer.Option(metavar="SECONDS")] = 1.0,
    model: Annotated[str, typer.Option(metavar="ARTIFACT|VARIANT")] = "live",
    runtime: Annotated[str, typer.Option(metavar="R")] = "tflite",
) -> None:
    """Write frame, previous mask, mask and composite of one moment side by side."""
    import cv2

    from devices.open_model import open_model
    from models.segmenter import Segmenter, enlarge, unfitted
    from video.apply import alpha_of, replacing
    from video.backdrop import open_backdrop
    from video.band import to_bytes
    from video.read import Frame, open_source

    session, _ = open_model(model, format=runtime)
    segmenter = Segmenter(session, session.resolution, resize_mode=session.resize_mode, watch_cuts=True)
    source = open_source(video)
    for frame in (item for item in source.items() if isinstance(item, Frame)):
        before = enlarge(unfitted(segmenter.previous[0, :, :, 0], source.size, segmenter.resize_mode), source.size)
        mask = unfitted(segmenter.mask(segmenter.prepare(frame.picture)), source.size, segmenter.resize_mode)
        if frame.pts * source.time_base >= at:
            break
    source.close()
    alpha = alpha_of(mask, frame.picture)
    composite = replacing(open_backdrop(background, source.size))(frame.picture, alpha, 0)
    grey = [np.repeat(m[..., None], 3, -1) for m in (to_bytes(before), alpha)]
    strip = np.hstack([frame.picture, *grey, composite])
    width = min(1600, strip.shape[1])
    strip = cv2.resize(strip, (width, round(strip.shape[0] * width / strip.shape[1])), interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(out), strip[..., ::-1])


if __name__ == "__main__":
    carry_out(lambda: typer.run(main), "video.strip")
