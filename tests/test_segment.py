"""The command on real files: every effect, sound and times kept, and mistakes told in a sentence."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
import pytest

import segment
from models.segmenter import Segmenter
from tests.conftest import ROOT, as_from_a_terminal
from tests.video.made import decoded, packets, picture, song, video
from video.ahead import Stopwatch
from video.apply import Effects, blurring, recolouring, replacing
from video.backdrop import open_backdrop
from video.read import open_source
from video.write import open_sink


def redness(frame: np.ndarray, prev: np.ndarray) -> np.ndarray:
    """A network that takes the red quarter for the person."""
    return (frame[..., :1] > 0.6).astype(np.float32) * (frame[..., 1:2] < 0.4)


def through(source_path: Path, out: Path, effect, alpha: bool = False) -> Stopwatch:
    source = open_source(str(source_path))
    watch = Stopwatch()
    sink = open_sink(out, source, alpha)
    made = Effects(effect(source.size))
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
    command = [str(word) for word in command]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command, **pipes, **as_from_a_terminal())
    limit = time.monotonic() + 300
    while not out.exists() or out.stat().st_size < 30_000:
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < limit
        time.sleep(0.01)
    running.send_signal(how)
    table, said = running.communicate(timeout=60)
    assert running.returncode == code
    assert "Traceback" not in said
    if how == signal.SIGINT:
        assert f"Interrupted; {out} holds what was done." in said
        assert "FPS; the network alone" in table
    seen = decoded(out)
    assert 10 <= len(seen) < 1500
    steps = np.diff([seconds for seconds, _ in seen])
    assert np.allclose(steps, 1 / 30, atol=0.0011)
    assert packets(out)


@pytest.fixture
def run(monkeypatch, capsys):
    """The command as a user gives it: (exit code, stdout, stderr)."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["segment.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            segment.main()
        said = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, said.out, said.err

    return run


@pytest.mark.parametrize(
    ("effect", "name"),
    [
        (["--background", "teal"], "out.mp4"),
        (["--blur"], "out.mkv"),
        (["--recolor", "#204060"], "out.webm"),
        (["--cutout"], "out.mov"),
        (["--cutout"], "out"),
    ],
)
def test_every_effect_tells_what_its_stages_took(tmp_path, run, network, effect, name):
    out = tmp_path / name
    code, table, _ = run(video(tmp_path / "a.mp4", 5, sound="aac"), "-o", out, *effect, "--model", network)
    assert code == 0
    assert f"{out}: 5 frames, " in table
    for stage in ("decode", "resize", "network", "refine", "composite", "encode"):
        assert stage in table
    assert len(list(out.iterdir()) if out.is_dir() else decoded(out)) == 5


def test_the_person_in_front_alone_is_kept(tmp_path, run, network):
    two = np.full((96, 160, 3), (0, 40, 220), np.uint8)
    two[20:, 40:100] = two[40:, 130:150] = (250, 30, 20)
    cv2.imwrite(str(tmp_path / "two.png"), two[..., ::-1])
    for people, there in (("all", True), ("main", False)):
        out = tmp_path / f"{people}.png"
        assert run(tmp_path / "two.png", "-o", out, "--people", people, "--model", network)[0] == 0
        alpha = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)[..., 3]
        assert alpha[60, 70] > 250
        assert (alpha[70, 140] > 250) == there


@pytest.fixture(scope="module")
def red_hair(tmp_path_factory) -> Path:
    """An artifact with the nine labels, of one convolution, which takes what is red for hair."""
    import onnx
    from onnx import TensorProto, helper

    def tensor(name: str, channels: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, channels, 32, 64])

    weights = np.zeros((9, 4, 1, 1), np.float32)
    weights[1, :3, 0, 0] = 40, -40, -40
    bias = [0.0, -5.0, *[-30.0] * 7]
    nodes = [
        helper.make_node("Concat", ["frame", "prev_mask"], ["both"], axis=1),
        helper.make_node("Conv", ["both", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["mask"], axis=1),
    ]
    given = [
        helper.make_tensor("weights", TensorProto.FLOAT, weights.shape, weights.ravel()),
        helper.make_tensor("bias", TensorProto.FLOAT, [9], bias),
    ]
    graph = helper.make_graph(nodes, "hair", [tensor("frame", 3), tensor("prev_mask", 1)], [tensor("mask", 9)], given)
    path = tmp_path_factory.mktemp("network") / "hair.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.mark.parametrize("effect", [["--hair", "teal"], ["--hair", "#008080", "--blur"], ["--labels", "overlay"]])
def test_parts_are_recoloured_in_videos_and_photos(tmp_path, run, red_hair, effect):
    out = tmp_path / "out.mp4"
    code, table, said = run(video(tmp_path / "a.mp4", 3, sound="aac"), "-o", out, *effect, "--model", red_hair)
    assert code == 0, said
    assert f"{out}: 3 frames" in table
    cv2.imwrite(str(tmp_path / "a.png"), picture((96, 160))[..., ::-1])
    code, _, said = run(tmp_path / "a.png", "-o", tmp_path / "b.png", *effect, "--model", red_hair)
    assert code == 0, said
    for made in (decoded(out)[0][1], cv2.imread(str(tmp_path / "b.png"))[..., ::-1]):
        red, green, blue = (int(channel) for channel in made[5, 40])
        if "overlay" in effect:
            assert (
                np.abs(0.4 * picture((96, 160))[5, 40] + 0.6 * np.array((230, 159, 0)) - (red, green, blue)).max() < 12
            )
        else:
            assert green > 1.5 * red
            assert abs(green - blue) < 15


QUARTER = [0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30]
"""The display matrix of a phone that is held upright."""


@pytest.mark.parametrize(
    ("kind", "size"),
    [
        ({"size": (97, 161), "pixels": "yuv444p"}, (96, 160)),
        ({"size": (33, 65), "pixels": "yuv444p"}, (32, 64)),
        ({"pixels": "yuv420p10le", "colours": {"colorspace": 9}}, (96, 160)),
        ({"matrix": QUARTER}, (160, 96)),
        ({"times": [0, 3000, 4500, 12000, 12090]}, (96, 160)),
    ],
    ids=["odd", "small and odd", "10 bits", "upright phone", "variable rate"],
)
def test_unusual_videos_come_out_whole(tmp_path, run, network, kind, size):
    source = video(tmp_path / "a.mp4", 5, **kind)
    behind = video(tmp_path / "behind.mp4", 3, (50, 40))
    code, _, said = run(source, "-o", tmp_path / "out.mp4", "--background", behind, "--model", network)
    assert code == 0, said
    seen = decoded(tmp_path / "out.mp4")
    assert [frame.shape for _, frame in seen] == [(*size, 3)] * 5
    times = kind.get("times", [3000 * i for i in range(5)])
    assert [seconds for seconds, _ in seen] == pytest.approx([t / 90_000 for t in times], abs=0.001)


def test_a_size_that_changes_on_the_way_goes_through(tmp_path, run, network):
    parts = [video(tmp_path / f"{i}.ts", 3, size, gop=3) for i, size in enumerate([(96, 160), (160, 96)])]
    (tmp_path / "turned.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    code, _, said = run(tmp_path / "turned.ts", "-o", tmp_path / "out.mp4", "--background", "teal", "--model", network)
    assert code == 0, said
    assert [frame.shape for _, frame in decoded(tmp_path / "out.mp4")] == [(96, 160, 3)] * 6


def test_of_a_video_that_was_cut_short_is_made_what_is_there(tmp_path, run, network):
    whole = video(tmp_path / "whole.mp4", 60, gop=10).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 2 // 3])
    code, _, said = run(tmp_path / "cut.mp4", "-o", tmp_path / "out.mp4", "--blur", "--model", network)
    assert code == 0
    made = len(decoded(tmp_path / "out.mp4"))
    assert 10 < made < 60
    assert f"cut.mp4: damaged or cut short; {made} frames of 60 could be read." in said


def one_sentence(said: str) -> str:
    """What the command complained of; that it named its network before is no complaint."""
    lines = [line for line in said.splitlines() if not line.startswith("Network: ")]
    assert len(lines) == 1, said
    assert lines[0].startswith("segment.py: ")
    return lines[0]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent.mp4", "there is no such file"),
        ("words.mp4", "cannot be read as a video"),
        ("empty.mp4", "cannot be read as a video"),
        ("song.m4a", "has no video stream"),
        ("header.ts", "has no frame that can be decoded"),
        (".", "holds no photo"),
    ],
)
def test_what_is_no_video_is_told_in_a_sentence(tmp_path, run, network, name, reason):
    (tmp_path / "words.mp4").write_text("not a video at all")
    (tmp_path / "empty.mp4").touch()
    song(tmp_path / "song.m4a")
    (tmp_path / "header.ts").write_bytes(video(tmp_path / "a.ts", 1).read_bytes()[:1000])
    out = tmp_path / "out.mp4"
    code, _, said = run(tmp_path / name, "-o", out, "--blur", "--model", network)
    assert code == 64
    assert reason in one_sentence(said)
    assert not out.exists()


@pytest.mark.parametrize(
    ("option", "word", "reason"),
    [("--runtime", "java", "'java' is none of pytorch"), ("--people", "two", "'two' is not one of 'all', 'main'")],
)
def test_an_option_of_no_meaning_is_wrong_usage(tmp_path, run, option, word, reason):
    code, _, said = run(video(tmp_path / "a.mp4", 1), "-o", tmp_path / "out.mp4", "--blur", option, word)
    assert code == 64
    assert reason in said


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "say which VIDEO"),
        (["SOURCE"], "with --out where to"),
        (["SOURCE", "-o", "out.mp4"], "say one of --background, --blur, --recolor and --cutout"),
        (["SOURCE", "-o", "out.mp4", "--blur", "--cutout"], "say one of"),
        (["SOURCE", "-o", "out.avi", "--blur"], "a video is written to .mp4, .m4v, .mov, .mkv, .webm, not '.avi'"),
        (["SOURCE", "-o", "out", "--blur"], "not 'a folder'"),
        (["SOURCE", "-o", "out.mp4", "--cutout"], "a cut-out is written to .mov, .webm or no suffix"),
        (["SOURCE", "-o", "absent/out.mp4", "--blur"], "there is no folder absent"),
        (["SOURCE", "-o", "folder.mp4", "--blur"], "folder.mp4: is a folder"),
        (["SOURCE", "-o", "full", "--cutout"], "full: is there already"),
        (["SOURCE", "-o", "file", "--cutout"], "file: is there already"),
        (["SOURCE", "-o", "SOURCE", "--blur"], "is the video itself"),
        (["SOURCE", "-o", "behind.mp4", "--background", "behind.mp4"], "is the background itself"),
        (["SOURCE", "-o", "out.mp4", "--background", "tael"], "neither a file nor a colour"),
        (["SOURCE", "-o", "out.mp4", "--background", "absent.jpg"], "absent.jpg: cannot be read"),
        (["SOURCE", "-o", "out.mp4", "--background", "words.jpg"], "words.jpg: cannot be read"),
        (["SOURCE", "-o", "out.mp4", "--background", "absent.mp4"], "absent.mp4: there is no such file"),
        (["SOURCE", "-o", "out.mp4", "--background", "words.mp4"], "words.mp4: cannot be read as a video"),
        (["SOURCE", "-o", "out.mp4", "--recolor", "tael"], "'tael' is no colour"),
        (["SOURCE", "-o", "out.mp4", "--hair", "tael", "--blur"], "'tael' is no colour"),
        (["SOURCE", "-o", "out.mp4", "--hair", "teal", "--blur", "--cutout"], "say one of"),
        (["SOURCE", "-o", "out.mov", "--labels", "overlay", "--cutout"], "leave out --cutout"),
        (["SOURCE", "-o", "out.mp4", "--hair", "teal", "--model", "MODEL"], "gives a mask and no labels"),
        (["SOURCE", "--live", "--lips", "red"], "--live goes with --model and --size alone"),
        (["SOURCE", "-o", "out.mp4", "--blur", "--model", "nobody"], "no variant 'nobody'"),
        (["SOURCE", "-o", "out.mp4", "--blur", "--model", "words.onnx"], "words.onnx: not a model of the contract"),
        (["SOURCE", "-o", "out.mp4", "--blur", "--model", "MODEL", "--size", "64x64"], "was made for 32x64, not 64x64"),
        (["SOURCE", "--live"], "--live goes with --model and --size alone"),
        (["--live", "--model", "MODEL"], "the page runs TFLite alone"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_told_in_a_sentence(tmp_path, monkeypatch, run, network, arguments, reason):
    monkeypatch.chdir(tmp_path)
    for folder in ("folder.mp4", "full"):
        (tmp_path / folder).mkdir()
    for words in ("words.mp4", "words.jpg", "words.onnx", "file", "full/000000.png"):
        (tmp_path / words).write_text("words alone")
    source, behind = video(tmp_path / "a.mp4", 2), video(tmp_path / "behind.mp4", 2)
    before = source.read_bytes(), behind.read_bytes()
    named = {"SOURCE": source.name, "MODEL": network}
    code, _, said = run(*(named.get(a, a) for a in arguments))
    assert code == 64
    assert reason in one_sentence(said)
    assert not Path("out.mp4").exists()
    assert (source.read_bytes(), behind.read_bytes()) == before


def test_a_size_that_no_network_takes_is_told(tmp_path, run):
    code, _, said = run(video(tmp_path / "a.mp4", 2), "-o", tmp_path / "out.mp4", "--blur", "--size", "100x100")
    assert code == 64
    assert "both sides must be multiples of 16" in said
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="other systems name their cameras otherwise")
def test_a_camera_that_is_not_there_is_told_in_a_sentence(tmp_path, run, network):
    code, _, said = run("camera:99", "-o", tmp_path / "out.mp4", "--blur", "--model", network)
    assert code == 3
    assert "camera:99: there is no such camera" in one_sentence(said)
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(("suffix", "effect"), [(".mp4", "--blur"), (".mkv", "--blur"), (".webm", "--cutout")])
def test_a_full_disk_is_told_in_a_sentence_and_what_was_there_stays(tmp_path, run, network, suffix, effect):
    """A limit on the size of files plays the full disk."""
    source = video(tmp_path / "a.mp4", 90, sound="aac")
    out = tmp_path / f"out{suffix}"
    out.write_bytes(b"precious")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, limits[1]))
    try:
        code, _, said = run(source, "-o", out, effect, "--model", network)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == 3
    assert f"{out}: cannot be written (File too large)" in said
    assert out.read_bytes() == b"precious"


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
    # Medians, as how many frames are on their way varies; to keep one picture in thirty would be more.
    assert np.median(held[200:]) - np.median(held[100:200]) < 3 * one


@pytest.mark.slow
def test_the_process_does_not_grow_in_minutes_of_video(tmp_path):
    """Three minutes; what FFmpeg and OpenCV hold counts too, which Python knows nothing of."""
    frames, size = 5400, (240, 320)
    held = held_along(tmp_path, frames, size, rss)
    assert max(held[-600:]) - max(held[600:1200]) < 100 * size[0] * size[1] * 3


def rss() -> int:
    return psutil.Process().memory_info().rss
