"""Small videos of every unpleasant kind, made with PyAV."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

CORNERS = {
    "top left": (220, 40, 40),
    "top right": (40, 200, 40),
    "bottom left": (40, 60, 220),
    "bottom right": (230, 210, 50),
}
"""A picture's quarters, each of a colour, so that it tells which way up it is."""

TICKS = Fraction(1, 90_000)


def picture(size: tuple[int, int], index: int = 0) -> np.ndarray:
    """(H, W, 3): four coloured quarters, and in the middle a grey square whose brightness counts frames."""
    height, width = size
    made = np.empty((height, width, 3), np.uint8)
    made[: height // 2, : width // 2], made[: height // 2, width // 2 :] = CORNERS["top left"], CORNERS["top right"]
    made[height // 2 :, : width // 2], made[height // 2 :, width // 2 :] = (
        CORNERS["bottom left"],
        CORNERS["bottom right"],
    )
    made[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3] = 30 + 10 * (index % 20)
    return made


def corners(seen: np.ndarray) -> dict[str, tuple[int, int, int]]:
    """The colour of each corner of a picture."""
    height, width = seen.shape[:2]
    y, x = height // 6, width // 6
    at = {"top left": (y, x), "top right": (y, -x), "bottom left": (-y, x), "bottom right": (-y, -x)}
    return {name: tuple(seen[place][:3].tolist()) for name, place in at.items()}


def like(colour: Sequence[int], other: Sequence[int], within: int = 6) -> bool:
    return all(abs(a - b) <= within for a, b in zip(colour, other, strict=True))


def video(
    path: Path,
    frames: int = 12,
    size: tuple[int, int] = (96, 160),
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    times: Sequence[int] | None = None,
    sound: str | None = None,
    layout: str = "stereo",
    matrix: Sequence[int] | None = None,
    movflags: str = "faststart",
    colours: dict[str, int] | None = None,
    full_range: bool = False,
    start: int = 0,
    gop: int = 6,
    aspect: Fraction = Fraction(1),
    rate: int = 30,
) -> Path:
    """`times` are in 1/90000 s; `matrix` is a display matrix; `colours` are attributes of the codec's context."""
    colours = colours or {}
    movie = path.suffix in (".mp4", ".mov")
    with av.open(str(path), "w", options={"movflags": movflags} if movie and movflags else {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options={"crf": "10"} if "x26" in codec else {})
        stream.height, stream.width, stream.pix_fmt = *size, pixels
        if codec == "libx265":
            stream.codec_context.options = {"x265-params": "log-level=none:pools=1"}
        stream.codec_context.time_base, stream.codec_context.gop_size = TICKS, gop
        stream.codec_context.sample_aspect_ratio = aspect
        stream.codec_context.color_range = 2 if full_range else 1
        for name, value in colours.items():
            setattr(stream.codec_context, name, value)
        if matrix:
            stream.set_display_matrix(matrix)
        audio: Any = container.add_stream(sound, rate=48_000, layout=layout) if sound else None
        container.start_encoding()
        for index in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(size, index), "rgb24")
            yuv = frame.reformat(
                format=pixels, dst_colorspace=colours.get("colorspace", 5), dst_color_range=2 if full_range else 1
            )
            yuv.pts, yuv.time_base = start + (times[index] if times else index * 90_000 // rate), TICKS
            container.mux(stream.encode(yuv))
            if audio:
                mux_tone(container, audio, index, start * 48_000 // 90_000, rate)
        container.mux(stream.encode(None))
        if audio:
            container.mux(audio.encode(None))
    return path


def song(path: Path) -> Path:
    """A tenth of a second of silence, and no picture."""
    with av.open(str(path), "w", format="mp4") as container:
        audio: Any = container.add_stream("aac", rate=48_000, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), "fltp", "stereo")
        frame.rate = 48_000
        container.mux(audio.encode(frame))
        container.mux(audio.encode(None))
    return path


def mux_tone(container: Any, audio: Any, index: int, start: int, rate: int = 30) -> None:
    """A frame's length of a tone of 440 Hz in every channel."""
    length, layout = 48_000 // rate, audio.codec_context.layout
    at = np.arange(index * length, (index + 1) * length)
    wave = (0.3 * np.sin(2 * np.pi * 440 * at / 48_000)).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.stack([wave] * layout.nb_channels), "fltp", layout.name)
    frame.rate, frame.pts, frame.time_base = 48_000, start + index * length, Fraction(1, 48_000)
    resampler = audio.codec_context.format.name
    if resampler != "fltp":
        frame = av.AudioResampler(resampler, layout, 48_000).resample(frame)[0]
    container.mux(audio.encode(frame))


def packets(path: Path, kind: str = "audio") -> list[bytes]:
    """What a stream's packets hold."""
    with av.open(str(path)) as container:
        return [bytes(p) for p in container.demux(getattr(container.streams, kind)[0]) if p.size]


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    """(seconds, RGB picture) of each frame, as a player without this project's reader has them, not turned."""
    with av.open(str(path)) as container:
        return [(float(f.time), f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
