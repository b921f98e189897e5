"""Files as phones, recorders and accidents make them."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from tests.video.made import CORNERS, corners, like, picture, song, video
from video.read import Frame, NoCamera, Unreadable, open_source

ONE = 65536


def read(path: Path) -> tuple[list[Frame], object]:
    source = open_source(str(path))
    frames = [item for item in source.items() if isinstance(item, Frame)]
    source.close()
    return frames, source


def matrix(a: int, b: int, c: int, d: int) -> list[int]:
    return [a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 0, 0, 1 << 30]


TURNS = {
    "as it is": (matrix(1, 0, 0, 1), lambda p: p),
    "a quarter to the right": (matrix(0, 1, -1, 0), lambda p: np.rot90(p, -1)),
    "upside down": (matrix(-1, 0, 0, -1), lambda p: np.rot90(p, 2)),
    "a quarter to the left": (matrix(0, -1, 1, 0), lambda p: np.rot90(p)),
    "mirrored": (matrix(-1, 0, 0, 1), np.fliplr),
    "mirrored and turned": (matrix(0, 1, 1, 0), lambda p: p.transpose(1, 0, 2)),
}


@pytest.mark.parametrize("turn", TURNS)
def test_a_phone_is_held_in_any_way(tmp_path, turn):
    how, shown = TURNS[turn]
    frames, source = read(video(tmp_path / "phone.mp4", 3, matrix=how))
    expected = shown(picture((96, 160)))
    assert source.size == expected.shape[:2]
    for name, colour in corners(frames[0].picture).items():
        assert like(colour, corners(expected)[name]), name


def test_pixels_that_are_not_square_turn_too(tmp_path):
    _, lying = read(video(tmp_path / "lying.mp4", 2, aspect=Fraction(4, 3)))
    _, standing = read(video(tmp_path / "standing.mp4", 2, aspect=Fraction(4, 3), matrix=matrix(0, 1, -1, 0)))
    assert (lying.aspect, standing.aspect) == (Fraction(4, 3), Fraction(3, 4))


@pytest.mark.parametrize(
    ("codec", "pixels", "size", "full_range", "colours"),
    [
        ("libx264", "yuv420p", (96, 160), False, {}),
        ("libx264", "yuv420p", (96, 160), True, {}),
        ("libx264", "yuv420p", (96, 160), False, {"colorspace": 1, "color_primaries": 1, "color_trc": 1}),
        ("libx264", "yuv420p10le", (96, 160), False, {"colorspace": 9, "color_primaries": 9, "color_trc": 18}),
        ("libx264", "yuv422p10le", (96, 160), False, {}),
        ("libx265", "yuv420p10le", (96, 160), False, {"colorspace": 9, "color_primaries": 9, "color_trc": 16}),
        ("libx264", "yuv444p", (97, 161), False, {}),
        ("ffv1", "gray", (96, 160), False, {}),
        ("ffv1", "bgr0", (97, 161), False, {}),
    ],
)
def test_every_kind_of_pixel_becomes_the_same_rgb(tmp_path, codec, pixels, size, full_range, colours):
    path = tmp_path / ("a.mkv" if codec == "ffv1" else "a.mp4")
    frames, source = read(video(path, 3, size, codec=codec, pixels=pixels, full_range=full_range, colours=colours))
    assert len(frames) == 3
    assert source.size == size
    assert frames[0].picture.dtype == np.uint8
    for name, colour in corners(frames[0].picture).items():
        if pixels == "gray":
            assert len(set(colour)) == 1
        else:
            assert like(colour, CORNERS[name]), (name, colour)
    if colours:
        seen = source.colours
        assert (seen.matrix, seen.primaries, seen.transfer) == tuple(colours.values())


def test_times_of_a_variable_rate_are_kept(tmp_path):
    times = [0, 3000, 4500, 12000, 12090, 90000, 93000]
    frames, source = read(video(tmp_path / "screen.mp4", len(times), times=times))
    assert [frame.pts * source.time_base for frame in frames] == [Fraction(t, 90_000) for t in times]


def test_a_recording_that_does_not_begin_at_zero_is_moved_there_with_its_sound(tmp_path):
    source = open_source(str(video(tmp_path / "tape.ts", 12, sound="aac", start=90_000 * 1000)))
    items = list(source.items())
    frames = [item for item in items if isinstance(item, Frame)]
    sound = [item for item in items if not isinstance(item, Frame)]
    assert abs(frames[0].pts * source.time_base) < 0.1
    assert abs(sound[0].pts * sound[0].time_base) < 0.1
    source.close()


def test_frames_without_times_are_an_even_step_apart(tmp_path):
    """A bare H.264 stream has none."""
    with av.open(str(video(tmp_path / "a.mp4", 6))) as boxed, av.open(str(tmp_path / "bare.h264"), "w") as bare:
        stream = bare.add_stream_from_template(boxed.streams.video[0])
        for packet in boxed.demux(boxed.streams.video[0]):
            if packet.size:
                packet.stream = stream
                bare.mux(packet)
    frames, _ = read(tmp_path / "bare.h264")
    steps = np.diff([frame.pts for frame in frames])
    assert len(frames) == 6
    assert len(set(steps.tolist())) == 1
    assert steps[0] > 0


def test_a_file_without_a_number_of_frames_is_cut_short_where_it_ends_before_its_length(tmp_path):
    whole = video(tmp_path / "whole.mkv", 30, sound="aac")
    cut = tmp_path / "cut.mkv"
    for share, short in ((1.0, False), (0.7, True), (0.4, True)):
        cut.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
        source = open_source(str(cut))
        assert source.frames == 0
        assert 0 < sum(isinstance(item, Frame) for item in source.items()) <= 30
        assert source.cut_short == short


def test_a_file_that_was_cut_short_gives_what_is_left(tmp_path):
    whole = video(tmp_path / "whole.mp4", 60, gop=10, sound="aac").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    frames, source = read(tmp_path / "cut.mp4")
    assert 10 < len(frames) < 60
    assert source.cut_short
    _, source = read(tmp_path / "whole.mp4")
    assert not source.cut_short


def test_pictures_of_another_size_are_brought_to_that_of_the_first(tmp_path):
    """A camera that was turned, or a call whose line got worse, changes its size in the middle."""
    parts = [video(tmp_path / f"{i}.ts", 3, size, gop=3) for i, size in enumerate([(96, 160), (160, 96)])]
    (tmp_path / "turned.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, source = read(tmp_path / "turned.ts")
    assert source.size == (96, 160)
    assert [frame.picture.shape for frame in frames] == [(96, 160, 3)] * 6
    standing = frames[-1].picture
    assert standing[:, [10, -10]].max() < 20
    for name, colour in corners(standing[:, 51:109]).items():
        assert like(colour, CORNERS[name], 12), name


def test_a_damaged_stretch_is_passed_over_and_counted(tmp_path):
    whole = bytearray(video(tmp_path / "whole.mp4", 40, gop=5).read_bytes())
    middle = (whole.index(b"mdat") + len(whole)) // 2
    whole[middle : middle + 400] = b"\xff" * 400
    (tmp_path / "scratched.mp4").write_bytes(whole)
    frames, source = read(tmp_path / "scratched.mp4")
    assert 10 < len(frames) <= 40
    assert frames[-1].pts * source.time_base > 1.2
    assert source.damaged
    assert source.cut_short


def test_what_is_no_video_is_said_in_a_sentence(tmp_path):
    (tmp_path / "words.mp4").write_text("not a video at all")
    (tmp_path / "empty.mp4").touch()
    whole = video(tmp_path / "whole.mp4", 10, movflags="").read_bytes()
    (tmp_path / "no-index.mp4").write_bytes(whole[: len(whole) // 2])
    for name in ("words.mp4", "empty.mp4", "no-index.mp4"):
        with pytest.raises(Unreadable, match=rf"{name}: cannot be read as a video"):
            open_source(str(tmp_path / name))
    with pytest.raises(Unreadable, match="there is no such file"):
        open_source(str(tmp_path / "absent.mp4"))
    with pytest.raises(Unreadable, match="cannot be read"):
        open_source(str(tmp_path))


def test_sound_alone_is_no_video_and_neither_is_its_cover(tmp_path):
    with pytest.raises(Unreadable, match="has no video stream"):
        open_source(str(song(tmp_path / "song.m4a")))
    with av.open(str(tmp_path / "cover.m4a"), "w", format="mp4") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.height, cover.width, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        container.mux(cover.encode(av.VideoFrame.from_ndarray(picture((64, 64)), "rgb24").reformat(format="yuvj420p")))
        container.mux(cover.encode(None))
    with pytest.raises(Unreadable, match="has no video stream"):
        open_source(str(tmp_path / "cover.m4a"))


def test_a_stream_without_a_frame_is_said_so(tmp_path):
    path = video(tmp_path / "header.mkv", 0, codec="ffv1", pixels="bgr0")
    with pytest.raises(Unreadable, match=r"header\.mkv: .*(no frame|cannot be read)"):
        open_source(str(path))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems name their cameras otherwise")
def test_a_camera_that_is_not_there_is_said_so():
    with pytest.raises(NoCamera, match="camera:99: there is no such camera"):
        open_source("camera:99")


def test_numbered_pictures_are_a_video(tmp_path):
    for index in range(3):
        cv2.imwrite(str(tmp_path / f"{index:03}.png"), np.full((32, 48, 3), 60 * index, np.uint8))
    source = open_source(str(tmp_path / "%03d.png"))
    shown = [int(item.picture[16, 24, 0]) for item in source.items() if isinstance(item, Frame)]
    assert shown == pytest.approx([0, 60, 120], abs=2)
    for name in ("%04d.png", "%s.png", "%"):
        with pytest.raises(Unreadable, match="there is no such file"):
            open_source(str(tmp_path / name))
