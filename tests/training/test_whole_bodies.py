"""BlazePose as a second teacher: the published network itself, and how its answers come into the labels."""

import cv2
import numpy as np
import pytest

from evaluation.iou import iou
from evaluation.sample import embedded
from models.arguments import WRONG_USAGE
from models.reference import BadReferenceModel
from tests.conftest import need
from training import options, whole_bodies
from training.datasets import PHOTO
from training.split import split
from training.whole_bodies import Square, Taught, answer, answered, cut, figures, is_whole, mixed, square_around


def pixels(*boxes, size=(60, 80)):
    """A mask with 255 in (top, bottom, left, right)."""
    mask = np.zeros(size, np.uint8)
    for top, bottom, left, right in boxes:
        mask[top:bottom, left:right] = 255
    return mask


@pytest.fixture(scope="module")
def pose():
    try:
        return whole_bodies.open_pose()
    except BadReferenceModel as reason:
        need(str(reason))
        raise


@pytest.fixture(scope="module")
def walker():
    """(picture, label 0/255) of a person before a scene."""
    picture, label = next(clip for clip in embedded().clips if clip.name == "walk").read(0)
    return picture, np.where(label == 1, 255, 0).astype(np.uint8)


@pytest.mark.parametrize("turns", range(4))
def test_the_published_network_finds_a_person_however_the_picture_is_turned(pose, walker, turns):
    picture, label = (np.ascontiguousarray(np.rot90(one, turns)) for one in walker)
    mask = answer(pose, picture, square_around(label))
    assert iou(mask / np.float32(255), (label > 0).astype(np.uint8)) > 0.75


def test_it_is_sure_of_a_person_and_not_of_a_wall(pose, walker):
    picture, label = walker
    _, of_person = pose(cv2.resize(cut(picture, square_around(label)), (256, 256), interpolation=cv2.INTER_AREA))
    _, of_wall = pose(np.full((256, 256, 3), 128, np.uint8))
    assert of_person > whole_bodies.SURE
    assert of_wall < 0.1


def test_a_square_is_around_the_middle_of_the_box_and_black_beyond_the_edges():
    square = square_around(pixels((10, 50, 0, 20)))
    assert square == Square(left=-17, top=3, side=54)
    picture = np.full((60, 80, 3), 7, np.uint8)
    crop = cut(picture, square)
    assert crop.shape == (54, 54, 3)
    assert not crop[:, :17].any()
    assert (crop[:, 17:] == 7).all()


def brightest(turns):
    """A pose that is sure only of a bright top edge, and whose mask are the bright pixels."""

    def pose(square):
        seen.append(square)
        return np.where(square[..., 0] > 200, 255, 0).astype(np.uint8), 1.0 if square[:8].mean() > 200 else 0.2

    seen = []
    return pose, seen


@pytest.mark.parametrize("edge", [0, 1, 2, 3])
def test_the_square_is_turned_until_the_network_is_sure_and_its_mask_turned_back(edge):
    lit = np.rot90(np.vstack([np.full((8, 64, 3), 255, np.uint8), np.zeros((56, 64, 3), np.uint8)]), edge)
    pose, seen = brightest(edge)
    mask = answer(pose, np.ascontiguousarray(lit), Square(0, 0, 64))
    assert np.array_equal(mask > 127, lit[..., 0] > 0)
    assert len(seen) == (4 - edge) % 4 + 1


def test_figures_are_apart_and_whole_above_the_bottom_edge():
    label = pixels((5, 40, 5, 20), (20, 60, 50, 75))
    first, second = figures(label)
    assert np.array_equal(first, pixels((20, 60, 50, 75)))
    assert np.array_equal(second, pixels((5, 40, 5, 20)))
    assert not is_whole(first)
    assert is_whole(second)
    assert figures(pixels((5, 7, 5, 7))) == []


def test_a_figure_that_is_cut_off_keeps_its_label_and_alone_asks_nobody():
    cut_off = pixels((20, 60, 50, 75))

    def pose(square):
        return np.full(square.shape[:2], 255, np.uint8), 1.0

    found = answered(pose, np.zeros((60, 80, 3), np.uint8), pixels((5, 40, 5, 20), (20, 60, 50, 75)))
    assert np.array_equal(found[:, 50:75], cut_off[:, 50:75])
    assert (found[5:40, 5:20] == 255).all()
    assert answered(pose, np.zeros((60, 80, 3), np.uint8), cut_off) is None


def test_an_answer_counts_as_far_as_it_agrees():
    label = pixels((10, 50, 10, 30))
    near, far = pixels((10, 50, 10, 31)), pixels((10, 50, 40, 60))
    assert mixed(label, far) is None
    right = mixed(label, near, 0.5)
    assert (right[10:50, 10:30] == 255).all()
    assert set(np.unique(right[10:50, 30])) == {128}
    between = mixed(label, pixels((10, 50, 10, 36)), 0.5)
    assert 0 < between[20, 35] < 128
    with pytest.raises(ValueError, match="not for a picture of"):
        mixed(label, near[:-1])


def test_answers_are_kept_by_picture_and_change_labels_of_training_pictures_alone(data, tmp_path, store):
    folder = tmp_path / "answers"
    chosen = split(store).train
    wanted = [i for i in chosen if store.entries[i].source in whole_bodies.SOURCES and store.entries[i].kind == PHOTO]
    assert wanted
    seen = []

    def everywhere(square):
        seen.append(square)
        return np.full((256, 256), 255, np.uint8), 1.0

    done = list(whole_bodies.write(store, chosen, folder, everywhere))
    assert len(done) == len(wanted)
    assert set(done) <= whole_bodies.SOURCES
    assert list(whole_bodies.write(store, chosen, folder, everywhere)) == []
    assert seen
    for i in wanted:
        label = np.ascontiguousarray(store[i][..., 3])
        cv2.imwrite(str(folder / f"{store.entries[i].digest}.png"), cv2.dilate(label, np.ones((3, 3), np.uint8)))
    taught = Taught(store, wanted[:1], folder)
    assert list(taught.labels) == wanted[:1]
    changed, before = taught[wanted[0]], store[wanted[0]]
    assert np.array_equal(changed[..., :3], before[..., :3])
    assert changed[..., 3].astype(int).sum() > before[..., 3].astype(int).sum()
    for i in wanted[1:]:
        assert np.array_equal(taught[i], store[i])
    digest = whole_bodies.digest(folder)
    (folder / f"{store.entries[wanted[0]].digest}.png").write_bytes(b"")
    assert whole_bodies.digest(folder) != digest
    assert Taught(store, wanted[:1], folder).labels == {}


def test_what_is_wrong_is_said_in_a_sentence(tmp_path, capsys, data):
    (tmp_path / "empty").mkdir()
    for folder in ("none", "empty"):
        with pytest.raises(SystemExit, match=str(WRONG_USAGE)):
            options.parse(
                ["live", "--out", str(tmp_path / "run"), "--data", str(data), "--whole-bodies", str(tmp_path / folder)]
            )
        assert f"--whole-bodies {tmp_path / folder}: holds no answers" in capsys.readouterr().err
    assert whole_bodies.main(["write", "--data", str(tmp_path / "none"), "--out", str(tmp_path / "x")]) == WRONG_USAGE
    assert "there is no such folder" in capsys.readouterr().err
