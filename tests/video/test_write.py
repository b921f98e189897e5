"""What is written plays as what was read: times, sound, colours, and as much as there was before a cut."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.conftest import ROOT
from tests.video.made import CORNERS, corners, decoded, like, packets, video
from video.read import Frame, open_source
from video.write import open_sink


def copy(source_path: Path, out: Path, alpha: np.ndarray | None = None) -> Path:
    """Read and write, the pictures as they are, or with an alpha of their own."""
    source = open_source(str(source_path))
    sink = open_sink(out, source, alpha is not None)
    for item in source.items():
        if isinstance(item, Frame):
            picture = item.picture if alpha is None else np.dstack([item.picture, alpha])
            sink.write(picture, item.pts)
        else:
            sink.packet(item)
    sink.close()
    source.close()
    return out


def since_the_first(seen: list[tuple[float, np.ndarray]]) -> list[float]:
    """Matroska has no times below zero: there the sound's run-in comes before the first picture."""
    assert seen[0][0] <= 0.022
    return [t - seen[0][0] for t, _ in seen]


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_times_colours_and_sound_are_those_of_the_source(tmp_path, suffix):
    times = [0, 3000, 4500, 12000, 15000, 45000]
    source = video(tmp_path / "a.mp4", len(times), times=times, sound="aac", colours={"colorspace": 1})
    out = copy(source, tmp_path / f"out{suffix}")
    seen = decoded(out)
    assert since_the_first(seen) == pytest.approx([t / 90_000 for t in times], abs=0.001)
    for name, colour in corners(seen[0][1]).items():
        assert like(colour, CORNERS[name], 12), name
    assert packets(out) == packets(source)
    with av.open(str(out)) as container:
        assert container.streams.video[0].codec_context.colorspace == 1


def test_the_rate_is_kept(tmp_path):
    out = copy(video(tmp_path / "a.mp4", 25, rate=25), tmp_path / "out.mp4")
    with av.open(str(out)) as container:
        assert container.streams.video[0].average_rate == 25


def test_an_odd_side_loses_its_last_line_where_the_encoder_takes_none(tmp_path):
    source = video(tmp_path / "a.mp4", 2, (97, 161), pixels="yuv444p")
    assert decoded(copy(source, tmp_path / "out.mp4"))[0][1].shape == (96, 160, 3)
    assert decoded(copy(source, tmp_path / "out.webm"))[0][1].shape == (97, 161, 3)


def test_the_shape_of_a_pixel_is_kept(tmp_path):
    out = copy(video(tmp_path / "a.mp4", 2, aspect=Fraction(4, 3)), tmp_path / "out.mp4")
    with av.open(str(out)) as container:
        assert container.streams.video[0].sample_aspect_ratio == Fraction(4, 3)


def test_sound_that_a_container_does_not_take_is_encoded_anew(tmp_path):
    source = video(tmp_path / "a.mp4", 30, sound="aac")
    with av.open(str(copy(source, tmp_path / "out.webm"))) as container:
        sound = container.streams.audio[0]
        assert sound.codec_context.name in ("opus", "libopus")
        wave = np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(sound)])
    loud = np.abs(np.fft.rfft(wave.reshape(-1)[:48_000].astype(np.float64)))
    assert len(wave) / 2 == pytest.approx(48_000, rel=0.1)
    assert loud.max() > 0


@pytest.mark.parametrize(
    ("sound", "layout", "suffix", "made"),
    [
        ("pcm_s16le", "stereo", ".mov", "pcm_s16le"),
        ("pcm_s16le", "stereo", ".mp4", "aac"),
        ("pcm_s16le", "4.0", ".mp4", "aac"),
        ("flac", "mono", ".mov", "aac"),
        ("libopus", "stereo", ".webm", "opus"),
        ("libopus", "stereo", ".mov", "aac"),
        ("libmp3lame", "stereo", ".mp4", "mp3"),
        ("ac3", "5.1(side)", ".mp4", "ac3"),
        ("ac3", "5.1(side)", ".webm", "opus"),
    ],
)
def test_every_sound_is_heard_in_every_container(tmp_path, sound, layout, suffix, made):
    out = copy(video(tmp_path / "a.mkv", 30, sound=sound, layout=layout), tmp_path / f"out{suffix}")
    with av.open(str(out)) as container:
        stream = container.streams.audio[0]
        assert stream.codec_context.codec.canonical_name == made
        frames = list(container.decode(stream))
    assert sum(frame.samples for frame in frames) == pytest.approx(48_000, rel=0.15)
    assert max(np.abs(frame.to_ndarray().astype(np.float64)).max() for frame in frames) > 0.1


def ramp() -> np.ndarray:
    """An alpha (96, 160) from nothing at the left to whole at the right."""
    return np.linspace(0, 255, 160).round().astype(np.uint8)[None].repeat(96, 0)


@pytest.mark.parametrize(("suffix", "decoder", "off"), [(".mov", "prores", 2), (".webm", "libvpx-vp9", 8)])
def test_a_cut_out_keeps_its_alpha_and_its_colours(tmp_path, suffix, decoder, off):
    out = copy(video(tmp_path / "a.mp4", 4, sound="aac"), tmp_path / f"out{suffix}", ramp())
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        reader = av.CodecContext.create(decoder, "r")
        reader.extradata = stream.codec_context.extradata
        frames = [f for p in container.demux(stream) if p.size for f in reader.decode(p)]
        frames += reader.decode(None)
        assert container.streams.audio
    assert len(frames) == 4
    seen = frames[0].to_ndarray(format="rgba")
    assert np.abs(seen[..., 3].astype(int) - ramp()).max() <= off
    for name, colour in corners(seen[..., :3]).items():
        assert like(colour, CORNERS[name], 14), name


def test_a_cut_out_as_pictures(tmp_path):
    from PIL import Image

    out = copy(video(tmp_path / "a.mp4", 3), tmp_path / "frames", ramp())
    assert [path.name for path in sorted(out.iterdir())] == ["000000.png", "000001.png", "000002.png"]
    seen = np.array(Image.open(out / "000001.png"))
    assert (seen[..., 3] == ramp()).all()
    assert like(corners(seen)["top left"], CORNERS["top left"])


def test_a_place_that_cannot_be_written_to_is_refused(tmp_path):
    source = open_source(str(video(tmp_path / "a.mp4", 2)))
    with pytest.raises(ValueError, match=r"a video is written to \.mp4, .*, not '\.avi'"):
        open_sink(tmp_path / "out.avi", source)
    with pytest.raises(ValueError, match=r"a cut-out is written to \.mov, \.webm or no suffix"):
        open_sink(tmp_path / "out.mp4", source, alpha=True)
    source.close()


KILLED = """
import os, sys
from pathlib import Path
from video.read import Frame, open_source
from video.write import open_sink
source = open_source(sys.argv[1])
sink = open_sink(Path(sys.argv[2]), source)
written = 0
for item in source.items():
    if isinstance(item, Frame):
        sink.write(item.picture, item.pts)
        written += 1
        if written == 200:
            os._exit(9)
    else:
        sink.packet(item)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_a_process_that_dies_leaves_a_file_that_plays(tmp_path, suffix):
    source = video(tmp_path / "a.mp4", 240, (48, 64), sound="aac", gop=60)
    out = tmp_path / f"out{suffix}"
    died = subprocess.run([sys.executable, "-c", KILLED, str(source), str(out)], cwd=ROOT, check=False)
    assert died.returncode == 9
    seen = decoded(out)
    assert len(seen) >= 60
    assert since_the_first(seen)[:5] == pytest.approx([i / 30 for i in range(5)], abs=0.001)
    if suffix == ".webm":  # Its sound is encoded anew.
        assert packets(out)
    else:
        assert packets(out) == packets(source)[: len(packets(out))] != []
