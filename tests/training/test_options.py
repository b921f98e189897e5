"""The command line of train.py as a value."""

import pytest

from models.variant import REFERENCE
from training.options import parse


@pytest.fixture
def made(tmp_path):
    return lambda *more: parse([*more, "--data", str(tmp_path), "--out", str(tmp_path / "out")])


def test_the_old_names_are_understood(made):
    shares = ("--prior", "0.3", "--turned", "0.1", "--taught", "0.7", "--hints", "0.5")
    old = made("live", *shares, "--labels", "as they are", "--muon")
    shares = ("--prev-mask-prob", "0.3", "--rotate-prob", "0.1", "--distill-weight", "0.7", "--feature-weight", "0.5")
    assert made("live", *shares, "--labels", "raw") == old


def test_a_star_is_the_twelve_and_each_has_a_folder(made, tmp_path):
    options = made("*")
    assert options.variants == tuple(REFERENCE)
    assert options.folder("s4-skip-plain") == tmp_path / "out" / "s4-skip-plain"
    assert made("live").folder("live") == tmp_path / "out"


def test_samples_are_drawn_at_the_longest_side_of_all(made):
    options = made("live", "live-fast")
    assert options.resolution("live") == (256, 240)
    assert options.side == 256
    assert made("live", "live-fast", "--size", "96").resolution("live") == (96, 96)


def test_pace_and_paths_do_not_make_another_run(made):
    one = made("live", "--minutes", "3", "--rates", "hold", "--workers", "4").identity(1)
    assert one == made("live").identity(1)
    assert one != made("live", "--seed", "1").identity(1)
    assert one != made("live").identity(2)


def test_features_are_for_the_trunk_that_has_them(made):
    assert made("live").features("live") == 1
    assert made("s4-skip-light").features("s4-skip-light") == 0
    assert made("live", "--feature-weight", "0.2").features("live") == 0.2


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--second-look", "330"), "--second-look 330: must be a multiple of 16"),
        (("--second-look", "16"), "--second-look goes from 32 to 1,024, and is 16"),
        (("--second-look", "320", "--teacher", "none"), "--second-look is of mediapipe-selfie, and --teacher is none"),
    ],
)
def test_a_second_look_is_the_published_networks(made, capsys, more, words):
    assert made("live", "--second-look", "320").second_look == 320
    with pytest.raises(SystemExit):
        made("live", *more)
    assert words in capsys.readouterr().err
