"""Subtitles, languages, title and chapters are kept, or their loss is told; a file that is there already stays."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.video.made import decoded, packets, video
from tests.video.test_write import copy
from video.read import Unreadable, open_source
from video.write import open_sink

LINE = b"Hello there"


def film(path: Path, start: int = 0) -> Path:
    """A film with two languages of sound, a subtitle track, a title and two chapters."""
    plain = video(path.with_name("plain.mkv"), 30, sound="aac", start=start)
    srt = path.with_name("lines.srt")
    srt.write_text(f"1\n00:00:00,100 --> 00:00:00,500\n{LINE.decode()}\n")
    with av.open(str(plain)) as source, av.open(str(srt)) as lines, av.open(str(path), "w") as made:
        made.metadata["title"] = "A walk"
        seconds = Fraction(1, 1000)
        offset = start // 90
        made.set_chapters(
            [
                {"id": 1, "start": offset, "end": offset + 500, "time_base": seconds, "metadata": {"title": "Out"}},
                {
                    "id": 2,
                    "start": offset + 500,
                    "end": offset + 1000,
                    "time_base": seconds,
                    "metadata": {"title": "Back"},
                },
            ]
        )
        streams = {stream.index: made.add_stream_from_template(stream) for stream in source.streams}
        second = made.add_stream_from_template(source.streams.audio[0])
        streams[1].metadata["language"], second.metadata["language"] = "deu", "fra"
        titles = made.add_stream_from_template(lines.streams.subtitles[0])
        titles.metadata["language"] = "eng"
        for packet in source.demux():
            if not packet.size:
                continue
            index = packet.stream.index
            twin = av.Packet(bytes(packet))
            twin.pts, twin.dts, twin.time_base, twin.stream = packet.pts, packet.dts, packet.time_base, second
            packet.stream = streams[index]
            made.mux(packet)
            if index == 1:
                made.mux(twin)
        for line in lines.demux():
            if line.size and line.pts is not None and line.dts is not None:
                line.pts, line.dts, line.stream = line.pts + offset, line.dts + offset, titles
                made.mux(line)
    return path


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_title_languages_and_chapters_are_kept(tmp_path, suffix):
    out = copy(film(tmp_path / "film.mkv"), tmp_path / f"out{suffix}")
    with av.open(str(out)) as container:
        assert container.metadata.get("title") == "A walk"
        assert [s.metadata.get("language") for s in container.streams.audio] == [
            "ger" if suffix == ".mov" else "deu",
            "fra",
        ]
        chapters = container.chapters()
    times = [(float(c["start"] * c["time_base"]), c["metadata"].get("title")) for c in chapters]
    assert times == [(pytest.approx(0, abs=0.03), "Out"), (pytest.approx(0.5, abs=0.03), "Back")]


def test_chapters_are_moved_with_the_pictures(tmp_path):
    out = copy(film(tmp_path / "film.mkv", start=90_000 * 100), tmp_path / "out.mkv")
    with av.open(str(out)) as container:
        assert [float(c["start"] * c["time_base"]) for c in container.chapters()] == pytest.approx([0, 0.5], abs=0.05)


def test_subtitles_are_kept_where_the_container_takes_them_and_their_loss_is_told(tmp_path):
    source = film(tmp_path / "film.mkv")
    kept = copy(source, tmp_path / "out.mkv")
    assert packets(kept, "subtitles") == [LINE]
    with av.open(str(kept)) as container:
        assert container.streams.subtitles[0].metadata["language"] == "eng"
    read = open_source(str(source))
    sink = open_sink(tmp_path / "out.mp4", read)
    assert sink.left_out == ["The subtitle track 3 is left out: .mp4 does not take subrip."]


def test_a_stream_that_no_decoder_knows_is_left_out_with_a_sentence(tmp_path):
    """In the sample entry the codec's name is changed for one that nobody knows."""
    source = video(tmp_path / "a.mov", 12, sound="aac")
    whole = source.read_bytes()
    assert whole.count(b"mp4a") >= 1
    source.write_bytes(whole.replace(b"mp4a", b"zzzz").replace(b"esds", b"zsds"))
    read = open_source(str(source))
    assert read.left_out == ("The sound track 1 is left out: FFmpeg here does not know its codec.",)
    assert read.sounds == []
    read.close()
    source.write_bytes(whole.replace(b"avc1", b"zzzz").replace(b"avcC", b"zzzC"))
    with pytest.raises(Unreadable, match="of a codec that FFmpeg here does not know"):
        open_source(str(source))


def test_a_colon_is_part_of_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    video(tmp_path / "a.mp4", 3).rename("12:30:00.mp4")
    assert len(decoded_by_name(copy("12:30:00.mp4", Path("made 12:31.mp4")))) == 3


def decoded_by_name(path: Path) -> list:
    path.rename("plain.mp4")
    return decoded(Path("plain.mp4"))


@pytest.mark.parametrize(
    "playlist", ["#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n", "ffconcat version 1.0\nfile x.mp4\n"]
)
def test_a_playlist_does_not_have_the_network_read(tmp_path, playlist):
    (tmp_path / "list.m3u8").write_text(playlist)
    with pytest.raises(Unreadable, match="cannot be read as a video"):
        open_source(str(tmp_path / "list.m3u8"))
    with pytest.raises(Unreadable, match="there is no such file"):
        open_source("http://127.0.0.1:9/a.mp4")


def test_a_pipe_or_a_device_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(Unreadable, match="is a named pipe"):
        open_source(str(tmp_path / "pipe.mp4"))
    with pytest.raises(Unreadable, match=r"is a device.*camera:/dev/null"):
        open_source("/dev/null")
    source = open_source(str(video(tmp_path / "a.mp4", 2)))
    with pytest.raises(ValueError, match="is a named pipe"):
        open_sink(tmp_path / "pipe.mp4", source)


def test_a_file_that_is_there_stays_until_the_new_one_is_complete(tmp_path):
    source = open_source(str(video(tmp_path / "a.mp4", 3)))
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    sink = open_sink(out, source)
    frame = next(item for item in source.items() if hasattr(item, "picture"))
    sink.write(frame.picture, frame.pts)
    assert out.read_bytes() == b"precious"
    sink.close(complete=False)
    assert out.read_bytes() == b"precious"
    assert len(decoded(sink.place)) == 1
    sink = open_sink(out, source)
    sink.write(frame.picture, frame.pts)
    sink.close()
    assert sink.place == out
    assert len(decoded(out)) == 1
    assert [path.name for path in tmp_path.glob("out*")] == ["out.mp4"]
