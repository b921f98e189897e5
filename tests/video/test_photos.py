"""Photos through the command, and any model through `Segmenter`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import segment
from cli.ending import WRONG_USAGE
from converters.inspection.told import Question
from models import description
from tests.converters.inspection import graphs
from tests.video.made import video
from video.segmenter import Segmenter

WORDS = ("--mean", "0", "--std", "1")


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A model with an input and an output of names of its own, which takes what is red for the person."""
    return graphs.plain(tmp_path / "mine.onnx")


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A red quarter, top left, the rest blue."""
    colours = np.full((96, 128, 3), (0, 40, 220), np.uint8)
    colours[:48, :64] = (250, 30, 20)
    Image.fromarray(colours).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.fixture
def run(monkeypatch, capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["segment.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            segment.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_a_photo_is_cut_out_without_any_option_but_where_to(run, network, photo, tmp_path):
    out = tmp_path / "out.png"
    code, said, words = run(photo, "-o", out, "--model", network, *WORDS)
    assert code == 0, words
    assert said == f"{out}: 1 of 1 photos\n"
    assert "mine.onnx: the picture is the input x, NCHW." in words
    made = np.asarray(Image.open(out))
    assert made.shape == (96, 128, 4)
    assert made[20, 20, 3] > 250
    assert made[80, 100, 3] < 5


def test_a_folder_of_photos_keeps_its_names_and_a_damaged_one_is_left_out(run, network, photo, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    photo.rename(folder / "b.png")
    (folder / "a.png").write_bytes((folder / "b.png").read_bytes()[:60])
    Image.new("RGB", (64, 48), (0, 0, 255)).save(folder / "c.jpg")
    (folder / "notes.txt").write_text("no photo")
    out = tmp_path / "made"
    code, said, words = run(folder, "-o", out, "--background", "white", "--model", network, *WORDS)
    assert code == WRONG_USAGE
    assert said == f"{out}: 2 of 3 photos\n"
    assert f"{folder / 'a.png'}: " in words
    assert "it is left out" in words
    assert sorted(path.name for path in out.iterdir()) == ["b.png", "c.png"]
    assert np.asarray(Image.open(out / "c.png")).min() > 250
    code, _, words = run(folder, "-o", out, "--cutout", "--model", network, *WORDS)
    assert code == WRONG_USAGE
    assert "a new folder, or an empty one" in words


@pytest.mark.parametrize(
    ("out", "options", "words"),
    [
        ("out.jpg", (), "say one of --background"),
        ("out.jpg", ("--cutout",), "a cut-out is written to .png, .webp"),
        ("out.mp4", ("--blur",), "a photo is written to"),
        ("none/out.png", ("--blur",), "there is no folder"),
    ],
)
def test_mistakes_with_photos_are_told_in_a_sentence(run, network, photo, tmp_path, out, options, words):
    code, _, said = run(photo, "-o", tmp_path / out, *options, "--model", network, *WORDS)
    assert code == WRONG_USAGE
    assert words in said
    assert len(said.splitlines()) == 1


def test_a_model_that_must_be_told_about_is_asked_for_in_a_sentence(run, photo, tmp_path):
    network = graphs.ids8(tmp_path / "mine.onnx")
    code, _, said = run(photo, "-o", tmp_path / "out.png", "--model", network)
    assert code == WRONG_USAGE
    assert "--mean " in said  # the question names its options
    assert "--std " in said
    assert len(said.splitlines()) == 1


def test_mediapipes_network_is_a_model_by_its_name(run, photo, tmp_path):
    code, _, said = run(photo, "-o", tmp_path / "out.png", "--model", "mediapipe-selfie")
    assert code == 0, said
    assert "Network: mediapipe-selfie at 256x256 in LiteRT" in said


def test_a_segmenter_opens_any_file_and_remembers_until_it_is_reset(tmp_path):
    path = graphs.recurrent(tmp_path / "mine.onnx")
    segmenter = Segmenter(path, mean=(0, 0, 0), std=(1, 1, 1))
    picture = np.full((48, 64, 3), (204, 0, 0), np.uint8)
    assert segmenter(picture).shape == (48, 64)
    assert segmenter(picture) == pytest.approx(0.6 + 0.25 * 0.8, abs=1e-5)
    segmenter.reset()
    assert segmenter(picture) == pytest.approx(0.6, abs=1e-5)
    with pytest.raises(Question, match=r"--mean .*--std "):
        Segmenter(graphs.ids8(tmp_path / "other.onnx"))


def test_a_segmenter_gives_each_frame_of_a_video_with_its_mask(network, tmp_path):
    description.beside(network).write_text("mean = [0, 0, 0]\nstd = [1, 1, 1]\n")
    pairs = list(Segmenter(network).video(video(tmp_path / "a.mp4", 3, (96, 160))))
    assert len(pairs) == 3
    for picture, mask in pairs:
        assert mask.shape == picture.shape[:2] == (96, 160)
        assert mask[12, 16] > 0.7
        assert mask[80, 16] < 0.3


def test_photos_that_differ_in_their_suffixes_alone_are_both_kept(run, network, photo, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("a.png", "red"), ("A.bmp", "blue"), ("b.png", "red")):
        Image.new("RGB", (32, 32), colour).save(folder / name)
    code, said, words = run(folder, "-o", tmp_path / "out", "--cutout", "--model", network, *WORDS)
    assert code == 0, words
    assert said == f"{tmp_path / 'out'}: 3 of 3 photos\n"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["A.bmp.png", "a.png.png", "b.png"]
