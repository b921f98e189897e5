import hashlib
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
import pytest

from evaluation import sample
from evaluation.clip import Dataset
from evaluation.iou import iou
from evaluation.overlay import OUTLINE, overlay
from evaluation.score import score
from scripts.make_sample import cut_out

EMPTY = {f"{shot.scene}-{i:02}" for i, shot in enumerate(sample.STILLS, 1) if shot.person is None}
CUTOUTS = {
    "office-man": ((192, 320), "6180a26ae1cb8340b6eea9fbd9f432002b13f7b51588f3b587c0ad7fc3d85844"),
    "sbia1a": ((264, 336), "7b2eb79dbf4c03cda70b3a821cde6edd79a852670545e6daa843cad59e3f787a"),
    "sbwe5n": ((264, 336), "9f4dbb210a4608ebecaa67099d87f29abfe5f78604d9cff24045d89de57eb31c"),
    "swiz3n": ((264, 336), "087195d681ae4b85555ec76dd8ce7f1f2ff825018534156f114589c7095fe8e6"),
}
"""Height and width, and the SHA-256 of all colours and mattes."""


def first(name: str, *indices: int) -> list[tuple[np.ndarray, np.ndarray]]:
    clip = next(clip for clip in sample.embedded().clips if clip.name == name)
    return [clip.read(i) for i in indices]


def test_it_is_the_same_to_the_byte_for_one_seed():
    shot = replace(sample.CLIPS["walk"][0], seed=7)

    def digest(shot: sample.Shot) -> str:
        return hashlib.sha256(b"".join(part.tobytes() for part in sample.render(shot, 12))).hexdigest()

    before = digest(shot)
    for materials in (sample._scene, sample._cutout, sample._astronaut, sample.portrait, sample._matte):
        materials.cache_clear()
    assert digest(shot) == before
    assert digest(replace(shot, seed=8)) != before


def test_what_it_holds_is_what_it_says():
    dataset = sample.embedded()
    clips = [clip for clip in dataset.clips if not clip.still]
    assert [clip.name for clip in clips] == ["talk", "walk", "entry", "cut"]
    assert all(len(clip) == sample.LENGTH for clip in clips)
    stills = len(dataset.clips) - len(clips)
    assert f"{len(clips)} clips of {sample.LENGTH} frames and {stills} stills" in dataset.description
    assert "Five people" in dataset.description
    assert "2 without a person" in dataset.description
    assert "office-man: a CC0 clip" in dataset.description
    assert "GRID corpus, M. Cooke et al. 2006, CC BY 4.0" in dataset.description
    assert "not how a network generalises" in dataset.description
    assert "CC BY 2.0" in dataset.description
    names = [name for clip in dataset.clips for name in clip.frame_names]
    assert len(set(names)) == len(names) == dataset.frames
    assert not dataset.problems


def test_every_frame_has_its_size_and_a_person_where_one_belongs():
    for clip in sample.embedded().clips:
        for i in range(0, len(clip), 7):
            picture, label = clip.read(i)
            assert picture.dtype == label.dtype == np.uint8
            assert picture.shape == (*label.shape, 3)
            share = np.mean(label == 1)
            nobody = clip.name in EMPTY or (clip.name == "entry" and i == 0)
            assert share == 0 if nobody else 0.03 < share < 0.75, (clip.name, i)


def test_nobody_goes_with_one_scene_alone():
    shots = [shot for clip in sample.CLIPS.values() for shot in clip] + list(sample.STILLS)
    for person in sample.PEOPLE_SHOWN:
        assert len({shot.scene for shot in shots if shot.person == person}) > 1, person
    for scene in sample.PHOTOGRAPHS:
        assert len({shot.person for shot in shots if shot.scene == scene} - {None}) > 1, scene


def test_a_scene_without_a_person_scores_one_for_an_empty_mask_and_nought_for_a_full_one():
    stills = [clip for clip in sample.embedded().clips if clip.name in EMPTY]
    footage = Dataset("nobody", "", stills)
    for value, expected in ((0, 1), (1, 0)):
        found = score(np.full((len(stills), 64, 64), value, np.float32), footage)
        assert (found.iou, found.boundary_f, found.dtssd) == (expected, expected, None)


def test_the_cut_outs_are_those_that_the_script_made():
    assert set(CUTOUTS) == set(sample.PEOPLE_SHOWN) - {"astronaut"}
    for person, (shape, expected) in CUTOUTS.items():
        frames = sample.PEOPLE_SHOWN[person].frames
        assert [path.name for path in sorted((sample.PEOPLE / person).glob("*"))] == [
            f"{i:02}.webp" for i in range(frames)
        ]
        digest = hashlib.sha256()
        for i in range(frames):
            colours, matte = sample._cutout(person, i)
            assert colours.shape == (*shape, 3)
            assert matte.shape == shape
            digest.update(colours.tobytes() + matte.tobytes())
        assert digest.hexdigest() == expected, person
    assert sum(path.stat().st_size for path in sample.PEOPLE.rglob("*.webp")) < 3_000_000


def test_a_cut_out_keeps_the_inside_and_takes_the_background_out_of_the_rim():
    picture = np.full((60, 80, 3), (0, 0, 250), np.uint8)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:, 20:60] = 255
    picture[23:, 23:57] = (200, 100, 50)  # within the mask a rim of three pixels still shows the wall
    cut = cut_out(picture, mask)
    assert cut.shape == (60, 80, 4)
    assert tuple(cut[40, 40]) == (200, 100, 50, 255)
    assert tuple(cut[5, 5]) == (0, 0, 0, 0)
    covered = cut[cut[..., 3] > 0]
    assert (np.abs(covered[:, :3].astype(int) - (200, 100, 50)) <= 1).all()
    assert cut[-1, 40, 3] == 255, "the person goes on below the picture"


def test_a_cut_out_moves_by_itself():
    changed = []
    for person in CUTOUTS:
        mattes = [sample._cutout(person, i)[1] for i in range(sample.PEOPLE_SHOWN[person].frames)]
        changed += [float(np.mean((a >= 128) != (b >= 128))) for a, b in pairwise(mattes)]
    del changed[sample.LEANS - 1]
    assert min(changed) > 0
    assert max(changed) < 0.06


def test_frames_are_shared_and_cannot_be_written():
    picture, _ = first("talk", 0)[0]
    with pytest.raises(ValueError, match="read-only"):
        picture[0] = 0


def test_the_person_enters_and_stays():
    areas = [label.sum() for _, label in first("entry", *range(sample.LENGTH))]
    assert areas[:4] == [0] * 4
    assert areas[10] > areas[7] > areas[6] > 0
    assert min(areas[16:]) > 20_000


def test_a_cut_changes_everything_between_two_frames_and_nothing_else_does():
    pairs = first("cut", *range(sample.LENGTH))
    changes = [np.abs(a[0].astype(int) - b[0]).mean() for a, b in pairwise(pairs)]
    cut = sample.LENGTH // 2 - 1
    assert int(np.argmax(changes)) == cut
    assert changes[cut] > 3 * max(changes[:cut] + changes[cut + 1 :])


def test_the_person_moves_from_frame_to_frame_but_not_far():
    for name in ("talk", "walk"):
        labels = [label for _, label in first(name, *range(sample.LENGTH))]
        shared = [iou(a.astype(np.float32), b) for a, b in pairwise(labels)]
        assert 0.9 < min(shared) < 0.999


def test_the_cut_at_the_belt_is_never_seen():
    """The person reaches the frame's last row wherever the row above it has her."""
    for clip in sample.embedded().clips:
        if clip.name.startswith("astronaut"):
            continue
        for i in range(0, len(clip), 3):
            label = clip.label(i)
            gone = (label[-12:-2] == 1).all(axis=0) & (label[-1] == 0)
            assert not gone.any(), (clip.name, i)


def test_the_truth_is_the_matte_cut_in_its_middle():
    still = sample.Shot("china", 0, zoom=1.0, at=0.5, camera=0, body=0)
    _, label = sample.render(still, 0)
    matte = sample._matte("person.png")
    # The hip comes to (240, 402), so the portrait is moved by (44, 60) and not resampled.
    assert np.array_equal(label[60:, 44:], (matte[:300, :436] >= 128).astype(np.uint8))
    assert label[:60].sum() == 0


def test_the_truth_fits_the_picture():
    """Where the label says background the frame is the scene alone, and where it says person it is not."""
    shot = sample.CLIPS["talk"][0]
    picture, label = sample.render(shot, 3)
    away = replace(shot, at=9.0)
    scene, nobody = sample.render(away, 3)
    assert not nobody.any()
    difference = np.abs(picture.astype(int) - scene).max(axis=-1)
    inside = label == 1
    # A soft edge two pixels wide on either side belongs to both.
    core = cv2.erode(inside.astype(np.uint8), np.ones((7, 7))) == 1
    clear = cv2.dilate(inside.astype(np.uint8), np.ones((15, 15))) == 0
    assert np.mean(difference[core] > 8) > 0.95
    assert difference[clear].max() == 0


def test_the_portrait_has_its_helmet_unjudged():
    _, label = sample.portrait()
    assert label[100, 230] == label[400, 100] == 1  # face, sleeve
    assert label[60, 30] == label[250, 420] == 0  # flag, model of the shuttle
    assert label[430, 400] == 255  # helmet
    assert not (label[: sample.BELT] == 255).any()


def test_an_overlay_tints_the_mask_and_draws_the_truth():
    picture = np.full((20, 20, 3), 100, np.uint8)
    label = np.zeros((20, 20), np.uint8)
    label[5:15, 5:15] = 1
    label[0, 0] = 255
    seen = overlay(picture, np.eye(2, dtype=np.float32), label)
    assert seen.shape == picture.shape
    assert seen.dtype == np.uint8
    assert tuple(seen[5, 8]) == OUTLINE
    assert seen[2, 2, 1] > 120  # tinted green
    assert tuple(seen[2, 18]) == (100, 100, 100)
    assert tuple(picture[5, 8]) == (100, 100, 100)
