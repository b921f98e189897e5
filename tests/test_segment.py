"""The command on real files: every effect, sound and times kept, and mistakes told in a sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import segment
from effects.apply import blurring, recolouring, replacing
from effects.backdrop import open_backdrop
from models.segmenter import Segmenter
from tests.video.made import decoded, packets, picture, video
from video.ahead import Stopwatch
from video.read import open_source
from video.write import open_sink


def redness(frame: np.ndarray, prev: np.ndarray) -> np.ndarray:
    """A network that takes the red quarter for the person."""
    return (frame[..., :1] > 0.6).astype(np.float32) * (frame[..., 1:2] < 0.4)


def through(source_path: Path, out: Path, effect, alpha: bool = False) -> Stopwatch:
    source = open_source(str(source_path))
    watch = Stopwatch()
    sink = open_sink(out, source, alpha)
    made = effect(source.size)
    segment.process(source, Segmenter(redness, (32, 64)), made, sink, watch)
    sink.close()
    source.close()
    return watch


def test_the_background_is_another_and_sound_and_times_are_the_same(tmp_path):
    times = [0, 3000, 4500, 12000, 15000, 45000]
    source = video(tmp_path / "a.mp4", 6, (96, 160), times=times, sound="aac")
    out = tmp_path / "out.mp4"
    watch = through(source, out, lambda size: replacing(open_backdrop("white", size)))
    seen = decoded(out)
    assert [t for t, _ in seen] == pytest.approx([t / 90_000 for t in times], abs=0.001)
    assert packets(out) == packets(source)
    assert seen[0][1][80, 140].min() > 235
    assert np.abs(seen[0][1][12, 16].astype(int) - picture((96, 160))[12, 16]).max() < 25
    assert watch.times["decode"] >= watch.times["network"] == watch.times["encode"] == 6


@pytest.mark.parametrize("effect", [lambda size: blurring(), lambda size: recolouring((0.1, 0.5, 0.9))])
def test_what_is_changed_is_the_background_alone(tmp_path, effect):
    out = tmp_path / "out.mp4"
    through(video(tmp_path / "a.mp4", 2), out, effect)
    seen = decoded(out)[0][1].astype(int)
    assert np.abs(seen[12, 16] - picture((96, 160))[12, 16]).max() < 25
    assert np.abs(seen - picture((96, 160))).max() > 40


def test_a_video_stands_behind_at_its_own_rate_and_begins_again(tmp_path):
    behind = video(tmp_path / "behind.mp4", 3, (96, 160), rate=10)
    backdrop = open_backdrop(str(behind), (96, 160))
    middles = [int(backdrop(seconds).picture[48, 80, 0]) for seconds in (0, 0.05, 0.11, 0.21, 0.31, 0.42)]
    assert middles == pytest.approx([30, 30, 40, 50, 30, 40], abs=4)


def call(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(segment.app, [str(a) for a in arguments])
    return result.exit_code, result.output + str(result.exception or "")


def test_mistakes_are_told_in_a_sentence(tmp_path):
    source, out = video(tmp_path / "a.mp4", 2), tmp_path / "out.mp4"
    assert call(source, "-o", out)[0] == 2
    assert "say one of" in call(source, "-o", out, "--blur", "--cutout")[1]
    assert "a video is written to" in call(source, "-o", tmp_path / "out.avi", "--blur")[1]
    assert "no variant 'nobody'" in call(source, "-o", out, "--blur", "--model", "nobody")[1]
    assert not out.exists()


def test_neither_a_file_nor_a_colour(tmp_path):
    with pytest.raises(ValueError, match="neither a file nor a colour"):
        open_backdrop("tael", (8, 8))
    with pytest.raises(ValueError, match="there is no such file"):
        open_backdrop(str(tmp_path / "absent.mp4"), (8, 8))
