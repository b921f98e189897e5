"""The command on real files: every effect, sound and times kept, and mistakes told in a sentence."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path

import numpy as np
import psutil
import pytest
from typer.testing import CliRunner

import segment
from effects.apply import blurring, recolouring, replacing
from effects.backdrop import open_backdrop
from models.segmenter import Segmenter
from tests.conftest import ROOT
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


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """An artifact of a network of one convolution, which takes what is red for the person."""
    import onnx
    from onnx import TensorProto, helper

    def tensor(name: str, channels: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 32, 64])

    weights = helper.make_tensor("weights", TensorProto.FLOAT, [1, 4, 1, 1], [20.0, -20.0, -20.0, 0.0])
    nodes = [
        helper.make_node("Concat", ["frame", "prev_mask"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "weights"], ["redness"]),
        helper.make_node("Sigmoid", ["redness"], ["mask"]),
    ]
    graph = helper.make_graph(
        nodes, "red", [tensor("frame", 3), tensor("prev_mask", 1)], [tensor("mask", 1)], [weights]
    )
    path = tmp_path_factory.mktemp("network") / "red.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.fixture(scope="module")
def long(tmp_path_factory) -> Path:
    """Longer than it takes to notice that the command has begun to write."""
    return video(tmp_path_factory.mktemp("long") / "a.mp4", 1500, (48, 64), sound="aac", gop=60)


@pytest.mark.parametrize(
    ("how", "code", "suffix"),
    [
        (signal.SIGINT, 130, ".mp4"),
        (signal.SIGINT, 130, ".webm"),
        (signal.SIGKILL, -9, ".mp4"),
        (signal.SIGKILL, -9, ".webm"),
    ],
)
def test_a_run_that_is_cut_off_leaves_a_file_that_plays(tmp_path, network, long, how, code, suffix):
    out = tmp_path / f"out{suffix}"
    command = [sys.executable, ROOT / "segment.py", long, "-o", out, "--blur", "--model", network]
    running = subprocess.Popen([str(c) for c in command], stderr=subprocess.PIPE, text=True)
    limit = time.monotonic() + 300
    while not out.exists() or out.stat().st_size < 30_000:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)
    running.send_signal(how)
    _, said = running.communicate(timeout=60)
    assert running.returncode == code
    assert "Traceback" not in said
    if how == signal.SIGINT:
        assert f"Interrupted; {out} holds what was done." in said
    seen = decoded(out)
    assert 10 <= len(seen) < 1500
    steps = np.diff([seconds for seconds, _ in seen])
    assert np.allclose(steps, 1 / 30, atol=0.0011)
    assert packets(out)


def test_a_camera_that_is_not_there_is_told_in_a_sentence(tmp_path, network):
    code, said = call("camera:99", "-o", tmp_path / "out.mp4", "--blur", "--model", network)
    assert code
    assert "camera:99: there is no such camera" in said
    assert not (tmp_path / "out.mp4").exists()


def held_along(tmp_path: Path, frames: int, size: tuple[int, int], measure) -> list[int]:
    """What `measure` says at each frame of a video that is blurred."""
    held: list[int] = []

    def watched(size):
        effect = blurring()

        def blurred(*frame):
            held.append(measure())
            return effect(*frame)

        return blurred

    through(video(tmp_path / "a.mp4", frames, size, sound="aac"), tmp_path / "out.mp4", watched)
    assert len(held) == frames
    return held


def test_memory_stays_flat(tmp_path):
    frames, size = 300, (96, 160)
    tracemalloc.start()
    try:
        held = held_along(tmp_path, frames, size, lambda: tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    one = size[0] * size[1] * 3
    # To keep one picture in thirty would be three times as much.
    assert max(held[200:]) - max(held[100:200]) < 2 * one


@pytest.mark.slow
def test_the_process_does_not_grow_in_minutes_of_video(tmp_path):
    """Three minutes; what FFmpeg and OpenCV hold counts too, which Python knows nothing of."""
    frames, size = 5400, (240, 320)
    held = held_along(tmp_path, frames, size, rss)
    assert max(held[-600:]) - max(held[600:1200]) < 100 * size[0] * size[1] * 3


def rss() -> int:
    return psutil.Process().memory_info().rss
