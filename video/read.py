"""Video in: a file or a camera as upright RGB frames with their times, its sound and subtitles as packets.

What phones and recorders do is undone here: pictures are turned as the file's display matrix says, 10-bit and
full-range pictures become 8-bit RGB by the matrix they were made with, times start at zero and always rise, a picture
of another size than the first is brought to that one with black bars, and a file that was cut short gives what is left.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias, cast

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from models.files import SpecialFile, refuse_special
from models.segmenter import fitted

Picture = NDArray[np.uint8]

CAMERA = "camera"
CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}:none"), "win32": ("dshow", "video={}")}
"""How FFmpeg calls a camera: its input format, and its name of number N (on Windows a name is given instead)."""

KINDS = {"audio": "sound track", "subtitle": "subtitle track"}

TEXTS = ("tty", "bin", "xbin", "adf", "idf")
"""FFmpeg's formats that draw the letters of a text file."""

UNSPECIFIED = 2
"""What FFmpeg's colour enumerations say where the file says nothing."""
BT709, BT601 = 1, 6

Copy: TypeAlias = av.Packet
"""A packet of sound or subtitles."""


@dataclass(frozen=True)
class Frame:
    """A picture (H, W, 3) uint8 RGB, upright, and its time in units of `Source.time_base`, the first about 0."""

    picture: Picture
    pts: int


@dataclass(frozen=True)
class Colours:
    """What the numbers of a YUV picture mean, in FFmpeg's enumerations; `matrix` is never left unspecified."""

    matrix: int
    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED

    @classmethod
    def of(cls, frame: av.VideoFrame) -> Colours:
        """As tagged; without a tag high definition is BT.709 and the rest BT.601, as players take it."""
        # 0 is RGB, which has no matrix of its own to keep.
        guess = BT709 if min(frame.width, frame.height) >= 720 else BT601
        matrix = guess if frame.colorspace in (0, UNSPECIFIED) else frame.colorspace
        return cls(matrix, frame.color_primaries, frame.color_trc)


class Unreadable(ValueError):
    """An input that is no video, or holds none; its text is one sentence."""


class NoCamera(OSError):
    """A camera that is not there or does not open; its text is one sentence."""


class Source:
    """An opened video. Iterate over `items()` once; `damaged` then counts what could not be decoded, or not whole.

    `size` is (height, width) of the upright picture, `rate` the average frames a second, `frames` how many the file
    says it has (0: it does not say), `aspect` the width of a pixel over its height. `left_out` tells in sentences which
    streams cannot be used.
    """

    def __init__(self, name: str, container: av.container.InputContainer, camera: bool = False) -> None:
        self.name = name
        self.camera = camera
        self.container = container
        self.stream = _video(name, container)
        self.stream.thread_type = "AUTO"
        # A stream of a codec that FFmpeg does not know has no codec context.
        self.sounds = [sound for sound in container.streams.audio if sound.codec_context]
        self.subtitles = [titles for titles in container.streams.subtitles if titles.codec_context]
        self.left_out = _left_out(container, {self.stream.index, *(s.index for s in (*self.sounds, *self.subtitles))})
        self.time_base = self.stream.time_base or Fraction(1, 90_000)
        self.rate = self.stream.average_rate or self.stream.guessed_rate or Fraction(30)
        self.frames = self.stream.frames
        duration = container.duration
        self.seconds = duration / av.time_base if duration else None
        """How long the file says it is; None for a camera and where it does not say."""
        self._start = (container.start_time or 0) / av.time_base
        self._length = float((self.stream.duration or 0) * self.time_base) or self.seconds
        self.damaged = 0
        self.read = 0
        self._index = self.stream.index
        self._ends = {self._index: 0.0}
        """The second at which the last packet of each stream ends."""
        # One for all frames: it keeps the tables that a frame's own would make anew each time.
        self._reformatter = VideoReformatter()
        self._decoded = self._decode()
        self._begun: list[Frame | Copy] = []
        for item in self._decoded:
            self._begun.append(item)
            if isinstance(item, Frame):
                break
        else:
            raise Unreadable(f"{name}: its video stream has no frame that can be decoded")

    @property
    def cut_short(self) -> bool:
        """After the last item: whether frames or a length that the file announced were not there."""
        if self.damaged or self.camera or not self.seconds:
            return self.damaged > 0 or self.read < self.frames
        frame = 1 / float(self.rate)
        if not self.frames:
            return self._start + self.seconds - max(self._ends.values()) > max(0.1, 4 * frame)
        # AVI counts frames that are announced as empty: the one before is shown longer.
        missing = self._start + (self._length or self.seconds) - self._ends[self._index]
        return self.read < self.frames and missing > frame / 2

    def items(self) -> Iterator[Frame | Copy]:
        """Frames, and packets of sound and subtitles, in the order of the file; all times start where the file does."""
        return itertools.chain(self._begun, self._decoded)

    def close(self) -> None:
        self.container.close()

    def _decode(self) -> Iterator[Frame | Copy]:
        start = Fraction(self.container.start_time or 0, av.time_base)
        step = max(1, round(1 / (self.rate * self.time_base)))
        last = -step
        for packet in self._packets():
            if packet.stream.type != "video":
                if packet.size:
                    yield _shifted(packet, start)
                continue
            for frame in self._frames(packet):
                if not self.read:
                    self._measure(frame)
                picture = upright(to_rgb(self._reformatter, frame, self.colours.matrix), display_matrix(frame))
                if picture.shape[:2] != self.size:
                    picture = fitted(picture, self.size, "letterbox")
                pts = last + step if frame.pts is None else frame.pts - round(start / self.time_base)
                last = max(pts, last + 1)
                self.read += 1
                self.damaged += frame.is_corrupt
                yield Frame(picture, last)

    def _measure(self, first: av.VideoFrame) -> None:
        lies = bool(display_matrix(first)[0][0])
        aspect = self.stream.sample_aspect_ratio or Fraction(1)
        self.colours = Colours.of(first)
        self.size = (first.height, first.width) if lies else (first.width, first.height)
        self.aspect = aspect if lies else 1 / aspect

    def _packets(self) -> Iterator[av.Packet]:
        """Packets of all that is used; an empty one of each stream at the end flushes its decoder."""
        wanted = [self.stream, *self.sounds, *self.subtitles]
        packets = self.container.demux(wanted)
        while True:
            try:
                packet = next(packets)
                if packet.pts is not None and packet.time_base:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    self._ends[packet.stream.index] = max(self._ends.get(packet.stream.index, 0.0), end)
                yield packet
            except StopIteration:
                return
            except av.error.BlockingIOError:  # A camera that has no new picture yet.
                time.sleep(0.002)
                packets = self.container.demux(wanted)
            except av.error.FFmpegError:
                self.damaged += 1
                return

    def _frames(self, packet: av.Packet) -> list[av.VideoFrame]:
        try:
            return packet.decode()  # type: ignore[return-value]
        except av.error.FFmpegError:
            self.damaged += 1
            return []


def open_source(name: str) -> Source:
    """A video file by its path, or a camera: `camera`, `camera:1`. Unreadable or NoCamera: why not, in a sentence."""
    camera = name == CAMERA or name.startswith(CAMERA + ":")
    container = _camera(name) if camera else _file(name)
    try:
        return Source(name, container, camera)
    except BaseException:
        container.close()
        raise


def _file(name: str) -> av.container.InputContainer:
    try:
        refuse_special(Path(name))
    except SpecialFile as special:
        raise Unreadable(f"{special}; a camera is named {CAMERA}, {CAMERA}:1 or {CAMERA}:{name}") from None
    if not (os.path.exists(name) or numbered(name)):
        raise Unreadable(f"{name}: there is no such file")
    try:
        # The prefix makes a colon part of the name, and a file may not have others, or the network, read for it.
        options = {"protocol_whitelist": "file"}
        container = av.open(f"file:{name}", metadata_errors="replace", container_options=options)
    except (OSError, ValueError, av.error.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unreadable(f"{name}: cannot be read as a video ({reason})") from None
    if container.format.name in TEXTS:
        container.close()
        raise Unreadable(f"{name}: is a text, not a video")
    return container


def numbered(name: str) -> bool:
    """Whether a name such as frames/%05d.jpg is of pictures that are there, numbered from 0 to 4 on, as FFmpeg does."""
    if not re.search(r"%0?\d*d", Path(name).name):
        return False
    try:
        return any(os.path.exists(name % first) for first in range(5))
    except (TypeError, ValueError):
        return False


def _camera(name: str) -> av.container.InputContainer:
    format, device = CAMERAS[sys.platform]
    which = name.partition(":")[2] or "0"
    if Path(which).is_absolute():
        device = "{}"
    try:
        return av.open(device.format(which), format=format, options={"framerate": "30", "video_size": "1280x720"})
    except FileNotFoundError:
        raise NoCamera(f"{name}: there is no such camera") from None
    except (OSError, av.error.FFmpegError) as error:
        raise NoCamera(f"{name}: does not open ({error.strerror})") from None


def _video(name: str, container: av.container.InputContainer) -> av.VideoStream:
    """The main video stream; a cover picture is none."""
    moving = [s for s in container.streams.video if not _is_cover(s)]
    if not moving:
        raise Unreadable(f"{name}: has no video stream")
    known = [s for s in moving if s.codec_context]
    if not known:
        raise Unreadable(f"{name}: its video is of a codec that FFmpeg here does not know")
    best = container.streams.best("video")
    return best if best in known else known[0]


def _is_cover(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _left_out(container: av.container.InputContainer, used: set[int]) -> tuple[str, ...]:
    """A sentence for each stream that is not used."""
    said = []
    for stream in container.streams:
        if stream.index in used:
            continue
        if stream.type in ("audio", "subtitle"):
            what, why = f"{KINDS[stream.type]} {stream.index}", "FFmpeg here does not know its codec"
        elif stream.type == "video" and _is_cover(stream):
            what, why = f"cover picture {stream.index}", "only the video is changed"
        elif stream.type == "video":
            what, why = f"video {stream.index}", "one video stream is read"
        else:
            what, why = f"{stream.type} stream {stream.index}", "only video, sound and subtitles are kept"
        said.append(f"The {what} is left out: {why}.")
    return tuple(said)


def _shifted(packet: av.Packet, start: Fraction) -> av.Packet:
    ticks = round(start / packet.time_base)
    packet.pts = None if packet.pts is None else packet.pts - ticks
    packet.dts = None if packet.dts is None else packet.dts - ticks
    return packet


# Pictures.


def to_rgb(reformatter: VideoReformatter, frame: av.VideoFrame, matrix: int) -> Picture:
    """(H, W, 3) uint8 RGB of a decoded frame, by the YUV matrix given (FFmpeg's enumeration)."""
    rgb = reformatter.reformat(frame, format="rgb24", src_colorspace=matrix, dst_color_range="JPEG", threads=1)
    return rgb.to_ndarray()  # type: ignore[return-value]


Axes = tuple[tuple[int, int], tuple[int, int]]
"""((a, b), (c, d)): a pixel at (x, y) is shown at (a x + c y, b x + d y), each -1, 0 or 1."""

UPRIGHT: Axes = ((1, 0), (0, 1))


def display_matrix(frame: av.VideoFrame) -> Axes:
    """How a frame wants to be shown: a turn by quarters, mirrored or not."""
    matrix = dict(_side_data(frame)).get(SideData.DISPLAYMATRIX)
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = np.frombuffer(matrix, np.int32)[:5].tolist()
    if abs(b) + abs(c) > abs(a) + abs(d):
        return (0, _sign(b)), (_sign(c), 0)
    return (_sign(a), 0), (0, _sign(d))


def _side_data(frame: av.VideoFrame) -> list[tuple[SideData, bytes]]:
    return [(side.type, bytes(side)) for side in cast(Iterable[Any], frame.side_data)]


def _sign(value: int) -> int:
    return -1 if value < 0 else 1


def upright(picture: Picture, shown: Axes) -> Picture:
    """The picture as it is to be seen."""
    import cv2

    (a, b), (c, d) = shown
    if not a:
        picture = np.asarray(cv2.transpose(picture), np.uint8)
    flips = {(1, 1): None, (1, -1): 0, (-1, 1): 1, (-1, -1): -1}[(a or c, d or b)]
    return picture if flips is None else np.asarray(cv2.flip(picture, flips), np.uint8)
