"""Video out: RGB or RGBA pictures with their times into a file that plays up to where it was cut.

| suffix | opaque | with alpha |
|---|---|---|
| .mp4, .m4v, .mov, .mkv | H.264 | .mov alone: ProRes 4444 |
| .webm | VP9 | VP9 |
| none: a folder | | PNG, a file a frame |

MP4 and MOV are written in fragments and made into an ordinary file at the end; Matroska and WebM are streams anyway. A
file that is there already stays until the new one is complete: until then that is NAME.fresh.SUFFIX beside it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from models.files import refuse_special
from video.read import KINDS, Copy, Picture, Source

LIMITED_RANGE = 1
KEYFRAME_SECONDS = 2
"""A fragment begins with a keyframe, so this is what a cut may cost."""


@dataclass(frozen=True)
class Kind:
    """How pictures are encoded. `halves`: the picture's sides must be even."""

    codec: str
    pixels: str
    options: dict[str, str] = field(default_factory=dict)
    halves: bool = False


# As many threads as that leave the other stages theirs: more cost processor time.
ENCODER_THREADS = str(max(1, (os.cpu_count() or 2) // 2))
# No B-frames: a picture is then decoded when it is shown, which a stream that may be cut wants. Beside `veryfast` at
# the same crf, `superfast` took 0.58 of the processor time and gave 0.6 dB more in 1.74 times the bytes (24 frames of
# a talking head at 1280x720). Without arithmetic coding (CAVLC in place of CABAC) the pictures are the same, in 0.88 of
# the processor time (120 frames) and 1.12 to 1.13 times the bytes (240 frames of each of three talking heads).
H264_SPEED = {"preset": "superfast", "crf": "18", "bf": "0", "coder": "0", "threads": ENCODER_THREADS}
H264 = Kind("libx264", "yuv420p", H264_SPEED, halves=True)
VP9_SPEED = {"deadline": "realtime", "cpu-used": "7", "row-mt": "1", "crf": "24", "b": "0"}
VP9 = Kind("libvpx-vp9", "yuv420p", VP9_SPEED)
# libvpx encodes the alpha as a second stream, which must not have references of its own that are never shown.
VP9_ALPHA = Kind("libvpx-vp9", "yuva420p", VP9_SPEED | {"auto-alt-ref": "0"})
PRORES = Kind("prores_ks", "yuva444p10le", {"profile": "4444", "vendor": "apl0"})

OPAQUE = {".mp4": H264, ".m4v": H264, ".mov": H264, ".mkv": H264, ".webm": VP9}
# FFmpeg names more for MP4 and MOV than it then writes, or than others play.
MP4_SOUND = "aac|mp3|e?ac3|alac|opus|flac"
COPIED = {
    ".mp4": MP4_SOUND,
    ".m4v": MP4_SOUND,
    ".mov": "aac|mp3|e?ac3|alac|pcm_.*",
    ".mkv": ".*",
    ".webm": "opus|vorbis",
}
SUBTITLES = {
    ".mp4": "mov_text",
    ".m4v": "mov_text",
    ".mov": "mov_text",
    ".mkv": "subrip|ass|ssa|webvtt|text|hdmv_pgs_subtitle|dvd_subtitle|dvb_subtitle",
    ".webm": "webvtt",
}
MOV_LANGUAGES = re.compile(
    "eng|fra|ger|ita|dut|sve|spa|dan|por|nor|heb|jpn|ara|fin|gre|ice|tur|chi|urd|hin|tha|kor|lit|pol|hun|est|lav|rus|"
    "ron|ces|slk|mac|bul|ukr|bel"
)
MOV_NAMES = {
    "deu": "ger", "fre": "fra", "nld": "dut", "swe": "sve", "ell": "gre", "isl": "ice", "zho": "chi", "rum": "ron",
    "cze": "ces", "slo": "slk", "mkd": "mac",
}  # fmt: skip
"""A MOV file has names of its own for languages (ISO 639-2, but for Swedish); FFmpeg drops others without a word."""
OWN_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration", "handler_name", "vendor_id")
"""Tags that say how a file was written, and not what it is of."""
ALPHA = {".mov": PRORES, ".webm": VP9_ALPHA}


class Sink(Protocol):
    def write(self, picture: Picture, pts: int) -> None:
        """The next picture, (H, W, 3) RGB or (H, W, 4) RGBA uint8, at its time in units of the source's time base."""
        ...

    def packet(self, packet: Copy) -> None:
        """The next packet of the source's sound or subtitles."""
        ...

    def close(self, complete: bool = True) -> None:
        """End the file. What was there before is replaced by a `complete` one alone."""
        ...

    @property
    def place(self) -> Path:
        """Where the pictures are, now."""
        ...

    @property
    def left_out(self) -> Sequence[str]:
        """What of the source the file does not hold, in sentences."""
        ...


def check(path: Path, alpha: bool) -> None:
    """ValueError unless `open_sink` can write to such a path."""
    kinds = ALPHA if alpha else OPAQUE
    refuse_special(path)
    if path.suffix.lower() not in kinds and (path.suffix or not alpha):
        folder = " or no suffix, for a folder of PNG" if alpha else ""
        what = "a cut-out" if alpha else "a video"
        raise ValueError(f"{path}: {what} is written to {', '.join(kinds)}{folder}, not {path.suffix or 'a folder'!r}")
    if path.suffix and path.is_dir():
        raise ValueError(f"{path}: is a folder; give the video another name")
    if path.suffix and not path.parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent}")
    if not path.suffix and path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ValueError(f"{path}: is there already; pictures are written to a new folder, or an empty one")


def open_sink(path: Path, source: Source, alpha: bool = False) -> Sink:
    """A video of the source's size, times and sound, its kind by the path's suffix; ValueError when there is none."""
    check(path, alpha)
    return (
        VideoFile(path, source, (ALPHA if alpha else OPAQUE)[path.suffix.lower()])
        if path.suffix
        else Pngs(path, source)
    )


class VideoFile:
    """A container with one video stream, and the source's sound copied, or encoded anew where it must be."""

    def __init__(self, path: Path, source: Source, kind: Kind) -> None:
        self.path = path.resolve()
        self.place = self.path.with_name(f"{path.stem}.fresh{path.suffix}") if path.exists() else self.path
        self.kind = kind
        self.colours = source.colours
        self.time_base = source.time_base
        self.reformatter = VideoReformatter()
        suffix = path.suffix.lower()
        movie = suffix in (".mp4", ".m4v", ".mov")
        options = {"movflags": "hybrid_fragmented+frag_keyframe+delay_moov"} if movie else {}
        with told(path):
            # The prefix makes a colon part of the name.
            self.container = av.open(f"file:{self.place}", "w", options=options | {"flush_packets": "1"})
        self.left_out: list[str] = []
        self.stream = self._video(source, kind)
        self.tracks: dict[int, Copied | Encoded] = {}
        for sound in source.sounds:
            self.tracks[sound.index] = _sound(self.container, suffix, sound)
        for titles in source.subtitles:
            codec = titles.codec_context.codec.canonical_name
            if re.fullmatch(SUBTITLES[suffix], codec):
                self.tracks[titles.index] = Copied(self.container.add_stream_from_template(titles))
            else:
                self.left_out.append(f"The subtitle track {titles.index} is left out: {suffix} does not take {codec}.")
        for stream in (*source.sounds, *source.subtitles):
            if track := self.tracks.get(stream.index):
                track.stream.metadata.update(_tags(stream.metadata))
                track.stream.disposition = stream.disposition
                self._name_language(track.stream, stream.index, suffix)
        self._keep_chapters(source)

    def _name_language(self, stream: Any, index: int, suffix: str) -> None:
        language = stream.metadata.get("language")
        if suffix != ".mov" or language in (None, "und"):
            return
        stream.metadata["language"] = language = MOV_NAMES.get(language, language)
        if not MOV_LANGUAGES.fullmatch(language):
            self.left_out.append(f"The language of track {index} is left out: .mov has no name for {language!r}.")

    def _keep_chapters(self, source: Source) -> None:
        """The source's tags and chapters, times from the start of the file."""
        self.container.metadata.update(_tags(source.container.metadata))
        chapters = source.container.chapters()
        for chapter in chapters:
            start = Fraction(source.container.start_time or 0, av.time_base) / (chapter["time_base"] or 1)
            for end in ("start", "end"):
                chapter[end] = max(0, chapter[end] - round(start))
        if chapters:
            self.container.set_chapters(chapters)

    def _video(self, source: Source, kind: Kind) -> av.VideoStream:
        height, width = (side // 2 * 2 if kind.halves else side for side in source.size)
        if not (height and width):
            raise ValueError(f"{source.name}: a picture of {source.size[1]}x{source.size[0]} is too small to encode")
        added = self.container.add_stream(kind.codec, rate=_near(source.rate), options=kind.options)
        stream = cast(av.VideoStream, added)
        stream.width, stream.height, stream.pix_fmt = width, height, kind.pixels
        context = stream.codec_context
        context.time_base = self.time_base
        context.gop_size = max(1, round(KEYFRAME_SECONDS * source.rate))
        context.sample_aspect_ratio = source.aspect
        context.colorspace, context.color_range = self.colours.matrix, LIMITED_RANGE
        context.color_primaries, context.color_trc = self.colours.primaries, self.colours.transfer
        if kind.pixels.startswith("yuva"):
            stream.metadata["alpha_mode"] = "1"
        return stream

    def write(self, picture: Picture, pts: int) -> None:
        # An odd last row or column is left out where the encoder takes none.
        picture = np.ascontiguousarray(picture[: self.stream.height, : self.stream.width])
        rgb = av.VideoFrame.from_numpy_buffer(picture, "rgba" if picture.shape[2] == 4 else "rgb24")
        frame = self.reformatter.reformat(
            rgb, format=self.kind.pixels, dst_colorspace=self.colours.matrix, dst_color_range=LIMITED_RANGE, threads=1
        )
        frame.pts, frame.time_base = pts, self.time_base
        with told(self.path):
            self.container.mux(self.stream.encode(frame))

    def packet(self, packet: Copy) -> None:
        if track := self.tracks.get(packet.stream.index):
            with told(self.path):
                self.container.mux(track(packet))

    def close(self, complete: bool = True) -> None:
        with told(self.path):
            self.container.mux(self.stream.encode(None))
            for track in self.tracks.values():
                self.container.mux(track(None))
            self.container.close()
        if complete and self.place != self.path:
            os.replace(self.place, self.path)
            self.place = self.path


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What FFmpeg could not write, in one sentence: OSError, whatever kind its own is of."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise OSError(f"{path}: cannot be written ({error.strerror})") from None


class Pngs:
    """A folder of 000000.png, 000001.png, ...; it has neither times nor sound."""

    def __init__(self, folder: Path, source: Source) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = self.place = folder
        self.count = 0
        self.left_out = [
            f"The {KINDS['audio']} {sound.index} is left out: pictures have none." for sound in source.sounds
        ]

    def write(self, picture: Picture, pts: int) -> None:
        import cv2

        path = self.folder / f"{self.count:06}.png"
        if not cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGBA2BGRA)):
            raise OSError(f"{path}: cannot be written")
        self.count += 1

    def packet(self, packet: Copy) -> None:
        pass

    def close(self, complete: bool = True) -> None:
        pass


class Copied:
    """Packets as they are."""

    def __init__(self, stream: av.AudioStream | av.subtitles.stream.SubtitleStream) -> None:
        self.stream = stream

    def __call__(self, packet: Copy | None) -> list[av.Packet]:
        if packet is None:
            return []
        packet.stream = self.stream
        return [packet]


class Encoded:
    """Packets decoded and encoded anew, for a container that does not take them as they are."""

    def __init__(self, stream: av.AudioStream) -> None:
        self.stream = stream
        self.resampler = self._resampler()

    def _resampler(self) -> av.AudioResampler:
        context = self.stream.codec_context
        return av.AudioResampler(context.format, context.layout, context.rate, context.frame_size or None)

    def __call__(self, packet: Copy | None) -> list[av.Packet]:
        try:
            frames: Sequence[av.AudioFrame | None] = packet.decode() if packet else [None]  # type: ignore[assignment]
        except av.error.FFmpegError:
            return []
        made = [p for frame in frames for f in self._resampled(frame) for p in self.stream.encode(f)]
        return made if packet else [*made, *self.stream.encode(None)]

    def _resampled(self, frame: av.AudioFrame | None) -> list[av.AudioFrame]:
        try:
            return self.resampler.resample(frame)
        except ValueError:  # The sound goes on in another rate or layout.
            self.resampler = self._resampler()
            return self.resampler.resample(frame)


def _tags(metadata: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in metadata.items() if name.lower() not in OWN_TAGS}


def _sound(container: av.container.OutputContainer, suffix: str, sound: av.AudioStream) -> Copied | Encoded:
    """As it is where players expect that codec, else anew in the container's own, of one or two channels."""
    codec = sound.codec_context.codec.canonical_name
    if re.fullmatch(COPIED[suffix], codec) and codec in container.supported_codecs:
        return Copied(container.add_stream_from_template(sound))
    name = {"vorbis": "libopus", "opus": "libopus"}.get(container.default_audio_codec, container.default_audio_codec)
    layout = "mono" if sound.codec_context.channels == 1 else "stereo"
    stream = cast(av.AudioStream, container.add_stream(name, rate=48_000, layout=layout))
    stream.codec_context.open()
    return Encoded(stream)


def _near(rate: Fraction) -> Fraction:
    """A rate as an encoder takes it: odd averages have terms too long for it."""
    return rate.limit_denominator(1001)
