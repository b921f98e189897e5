"""Effects on the nine labels, with labels that are known."""

from __future__ import annotations

import itertools
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import segment
from models.labels import LABELS, person
from models.segmenter import Segmenter as Plain
from tests.video.made import decoded, video
from video import strip
from video.ahead import Stopwatch
from video.apply import Effects, blurring, cutting_out, replacing, seen_in
from video.backdrop import still
from video.band import coarse_copy, to_floats
from video.parts import (
    COLOURS,
    PALETTE,
    Tint,
    legend,
    of_person,
    overlaid,
    smoothed,
    tinted_part,
    tinted_parts,
)
from video.photos import segment_all
from video.read import open_source
from video.recolour import luminance, tones
from video.segmenter import Segmenter
from video.write import open_sink

SIZE = 120, 160
TEAL, RED = (0.0, 0.5, 0.5), (0.9, 0.1, 0.1)


def drawn() -> tuple[np.ndarray, np.ndarray]:
    """A head and shoulders: picture (H, W, 3) with light from the left, and label ids (H, W)."""
    ids = np.zeros(SIZE, np.uint8)
    cv2.ellipse(ids, (80, 125), (62, 45), 0, 0, 360, LABELS.index("clothes"), -1)
    cv2.ellipse(ids, (80, 52), (34, 42), 0, 0, 360, LABELS.index("hair"), -1)
    cv2.ellipse(ids, (80, 60), (24, 30), 0, 0, 360, LABELS.index("face"), -1)
    cv2.ellipse(ids, (80, 76), (9, 4), 0, 0, 360, LABELS.index("lips"), -1)
    own = np.full((9, 3), 0.5)
    own[[0, 1, 2, 3, 7]] = (0.85, 0.9, 0.8), (0.35, 0.22, 0.12), (0.85, 0.62, 0.5), (0.7, 0.35, 0.35), (0.4, 0.4, 0.75)
    light = np.linspace(1.0, 0.6, SIZE[1])[None, :, None]
    return np.rint(255 * own[ids] * light).astype(np.uint8), ids


def sure(ids: np.ndarray, size: tuple[int, int] = (60, 80)) -> np.ndarray:
    """Probabilities (h, w, 9) of known labels, as soft at their edges as a network's."""
    one = np.eye(9, dtype=np.float32)[ids]
    return np.asarray(cv2.resize(one, size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def step(frame: np.ndarray, previous: np.ndarray) -> np.ndarray:
    """A network that finds the parts of `drawn` by their colours, whatever the light: (1, H, W, 9)."""
    _, ids = drawn()
    own = np.array([drawn()[0][ids == label].mean(0) if (ids == label).any() else (9e3,) * 3 for label in range(9)])
    unit = own / np.linalg.norm(own, axis=1, keepdims=True)
    shown = frame / np.maximum(np.linalg.norm(frame, axis=-1, keepdims=True), 1e-6)
    logits = np.where(own[:, 0] < 9e3, 400 * (shown @ unit.T), -1e9)
    odds = np.exp(logits - logits.max(-1, keepdims=True))
    return (odds / odds.sum(-1, keepdims=True)).astype(np.float32)


def inside(ids: np.ndarray, label: str, margin: int = 3) -> np.ndarray:
    """Where a label is, (H, W), without the pixels near its edge."""
    place = (ids == LABELS.index(label)).astype(np.uint8)
    return cv2.erode(place, np.ones((2 * margin + 1,) * 2, np.uint8)) > 0


def made_of(picture: np.ndarray, labels: np.ndarray, effects: Effects) -> np.ndarray:
    return effects(picture, labels, effects.alphas(labels, picture), 0.0)


@pytest.mark.parametrize("refine", [True, False])
@pytest.mark.parametrize("label", ["hair", "lips", "clothes"])
def test_a_part_has_another_hue_and_its_own_light(label, refine):
    picture, ids = drawn()
    made = made_of(picture, sure(ids), Effects(tints=(Tint(label, tones(TEAL)),), refine=refine))
    there = inside(ids, label, 1 if label == "lips" else 3)
    assert there.sum() > 20
    before, after = luminance(to_floats(picture))[there], luminance(to_floats(made))[there]
    assert np.abs(before - after).max() < 0.02
    red, green, blue = to_floats(made)[there].mean(0)
    assert green > 1.5 * red
    assert green == pytest.approx(blue, abs=0.03)
    elsewhere = ~cv2.dilate((ids == LABELS.index(label)).astype(np.uint8), np.ones((9, 9), np.uint8)).astype(bool)
    assert np.abs(made.astype(int) - picture)[elsewhere].max() <= 1


def test_a_large_picture_is_recoloured_on_a_small_one_and_keeps_its_detail():
    picture, ids = (cv2.resize(p, (1280, 960), interpolation=cv2.INTER_NEAREST) for p in drawn())
    grain = np.random.default_rng(0).integers(-12, 13, (960, 1280, 1))
    picture = np.clip(picture + grain, 0, 255).astype(np.uint8)
    effects = Effects(tints=(Tint("hair", tones(TEAL)),))
    labels = sure(ids, (240, 320))
    assert effects.alphas(labels, picture).parts[0].shape == (480, 640)
    made = made_of(picture, labels, effects)
    there, elsewhere = (
        inside(ids, "hair", 24),
        cv2.dilate((ids == LABELS.index("hair")).view(np.uint8), np.ones((65, 65))),
    )
    before, after = luminance(to_floats(picture))[there], luminance(to_floats(made))[there]
    assert np.corrcoef(before, after)[0, 1] > 0.98
    assert np.abs(before - after).mean() < 0.01
    red, green, _ = to_floats(made)[there].mean(0)
    assert green > 1.5 * red
    assert np.abs(made.astype(int) - picture)[elsewhere == 0].max() <= 1


def test_what_is_half_hair_is_half_recoloured():
    picture = np.full((64, 96, 3), 120, np.uint8)
    alpha = np.zeros((64, 96), np.uint8)
    alpha[:, 32:64], alpha[:, 64:] = 128, 255
    made = tinted_part(picture, alpha, tones(RED)).astype(int)
    whole, half = made[0, 80] - 120, made[0, 50] - 120
    assert (made[:, :32] == 120).all()
    assert np.abs(half - whole / 2).max() <= 1
    assert whole[0] > 40


def test_parts_coloured_in_their_boxes_are_as_on_the_whole_picture():
    picture, ids = (cv2.resize(p, (1280, 960), interpolation=cv2.INTER_NEAREST) for p in drawn())
    tints = Tint("hair", tones(TEAL)), Tint("clothes", tones(RED))
    alphas = Effects(tints=tints).alphas(sure(ids, (240, 320)), picture)
    small = coarse_copy(picture)
    whole = small
    for alpha, tint in zip(alphas.parts, tints, strict=True):
        whole = tinted_part(whole, alpha, tint.tones)
    change = cv2.resize(whole.astype(np.int16) - small, (1280, 960), interpolation=cv2.INTER_LINEAR)
    wanted = np.clip(picture + change, 0, 255)
    made, coarse = tinted_parts(picture, small, alphas.parts, tints)
    assert (coarse == whole).all()
    assert np.abs(made.astype(int) - wanted).max() <= 1
    assert np.abs(made.astype(int) - picture).max() > 50


def test_nothing_of_a_label_leaves_the_picture_as_it_is():
    picture, ids = drawn()
    made = made_of(picture, sure(ids), Effects(tints=(Tint("eyewear", tones(TEAL)),)))
    assert (made == picture).all()


def test_tints_go_together_and_with_what_is_behind():
    picture, ids = drawn()
    tints = Tint("hair", tones(TEAL)), Tint("clothes", tones(RED))
    alone = made_of(picture, sure(ids), Effects(tints=tints))
    both = made_of(picture, sure(ids), Effects(blurring(), tints))
    person_there = cv2.erode((ids > 0).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert (both[person_there] == alone[person_there]).all()
    assert made_of(picture, sure(ids), Effects(cutting_out, tints)).shape == (*SIZE, 4)
    hair, clothes = (alone[inside(ids, label)].mean(0) for label in ("hair", "clothes"))
    assert hair[1] > 1.5 * hair[0]
    assert clothes[0] > 1.5 * clothes[1]


def test_the_overlay_shows_each_label_in_its_colour_and_names_them_all():
    picture, ids = drawn()
    picture, ids = (cv2.resize(p, (960, 720), interpolation=cv2.INTER_NEAREST) for p in (picture, ids))
    made = overlaid(picture, sure(ids, (120, 160)))
    key = legend(720)
    shown = np.ones(ids.shape, bool)
    shown[-key.shape[0] :, : key.shape[1]] = False
    for label in ("background", "hair", "face", "lips", "clothes"):
        there = inside(ids, label, 12) & shown
        expected = 0.4 * picture[there] + 0.6 * 255 * COLOURS[LABELS.index(label)]
        assert np.abs(made[there] - expected).max() < 3, label
    seen = {tuple(colour) for colour in key.reshape(-1, 3).tolist()}
    assert seen >= set(PALETTE.values())
    assert (made[-key.shape[0] :, : key.shape[1]] == key).all()


def test_a_picture_too_small_for_the_legend_has_none():
    labels = sure(np.zeros((40, 40), np.uint8), (20, 20))
    assert overlaid(np.full((40, 40, 3), 100, np.uint8), labels).max() <= 40


CONE_BLIND = {
    "none": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
"""Machado et al. 2009, severity 1, on linear RGB."""


@pytest.mark.parametrize("sight", CONE_BLIND)
def test_the_colour_blind_tell_the_labels_apart(sight):
    """By CIELAB, where 2.3 is just noticed."""
    linear = np.where(COLOURS <= 0.04045, COLOURS / 12.92, ((COLOURS + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ np.transpose(CONE_BLIND[sight]), 0, 1)
    shown = np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055)
    lab = cv2.cvtColor(shown.astype(np.float32)[None], cv2.COLOR_RGB2LAB)[0]
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2))
    assert nearest > 10


def test_smoothing_steadies_labels_that_flicker_and_follows_those_that_are_sure():
    generator = np.random.default_rng(0)
    hair, face = np.eye(9, dtype=np.float32)[[1, 2]]
    unsure = [0.5 + 0.2 * generator.standard_normal((8, 8, 1)).astype(np.float32) for _ in range(20)]
    frames = [np.clip(u, 0.2, 0.8) * hair + (1 - np.clip(u, 0.2, 0.8)) * face for u in unsure]
    steadied = [frames[0]]
    for frame in frames[1:]:
        steadied.append(smoothed(frame, steadied[-1], 0.9))
    assert np.abs(np.diff(steadied, axis=0)).mean() < 0.4 * np.abs(np.diff(frames, axis=0)).mean()
    assert np.allclose([s.sum(-1) for s in steadied], 1, atol=1e-5)
    certain = np.tile(face, (8, 8, 1))
    assert np.allclose(smoothed(certain, steadied[-1], 0.9), certain, atol=1e-3)


def test_labels_of_the_person_in_front_leave_the_others_background():
    _, ids = drawn()
    labels = sure(ids)
    mask = person(labels)[..., 0]
    mask[:, 40:] = 0
    kept = of_person(labels, mask)
    assert np.allclose(kept.sum(-1), 1, atol=1e-5)
    assert np.allclose(kept[:, :40], labels[:, :40], atol=1e-5)
    assert (kept[:, 40:, 0] > 0.999).all()


def test_the_strip_shows_every_effect():
    picture, ids = drawn()
    frame, hair, lips, clothes, overlay, composite = strip.parts(picture, sure(ids), replacing(still(0 * picture)))
    assert (frame == picture).all()
    for label, made in (("hair", hair), ("lips", lips), ("clothes", clothes)):
        changed = np.abs(made.astype(int) - picture).max(-1) > 12
        assert changed[inside(ids, label, 1)].mean() > 0.9
        assert changed[(ids != LABELS.index(label))].mean() < 0.1
    assert np.abs(overlay.astype(int) - picture).mean() > 20
    assert composite[5, 5].max() == 0


def segmenter(people: str = "all", smoothing: float = 0.0) -> Segmenter:
    """The Segmenter of segment.py with `step` for a network."""
    made = Segmenter.__new__(Segmenter)
    made.people = people  # type: ignore[assignment]
    Plain.__init__(made, step, (60, 80), smoothing)
    return made


def test_a_video_is_recoloured_through_the_stages(tmp_path):
    source = open_source(str(video(tmp_path / "a.mp4", 2)))
    picture, ids = drawn()
    made: list[np.ndarray] = []
    whole = segmenter()
    assert whole.gives_labels
    source.close()
    path = tmp_path / "drawn.mp4"
    write_video(path, [picture] * 3)
    source, watch = open_source(str(path)), Stopwatch()
    sink = open_sink(tmp_path / "out.mp4", source)
    effects = Effects(tints=(Tint("hair", tones(TEAL)),), overlay=False)
    segment.process(source, whole, effects, sink, watch)
    sink.close()
    source.close()
    made = [frame for _, frame in decoded(tmp_path / "out.mp4")]
    assert len(made) == 3
    hair = made[-1][inside(ids, "hair")].mean(0)
    assert hair[1] > 1.4 * hair[0]
    assert np.abs(made[-1][inside(ids, "face", 8)].astype(int) - picture[inside(ids, "face", 8)]).mean() < 6


def write_video(path: Path, pictures: list[np.ndarray]) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "5"})
        stream.height, stream.width, stream.pix_fmt = pictures[0].shape[0], pictures[0].shape[1], "yuv444p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))


def test_a_photo_is_recoloured(tmp_path):
    picture, ids = drawn()
    cv2.imwrite(str(tmp_path / "a.png"), picture[..., ::-1])
    effects = Effects(tints=(Tint("clothes", tones(RED)),))
    (done,) = segment_all(tmp_path / "a.png", tmp_path / "b.png", segmenter(), lambda size: effects)
    red, green, _ = cv2.imread(str(done))[..., ::-1][inside(ids, "clothes")].mean(0)
    assert red > 1.5 * green


def test_of_two_people_the_one_in_front_alone_is_recoloured():
    picture, _ = drawn()
    far = cv2.resize(picture, (64, 48), interpolation=cv2.INTER_AREA)
    wide = np.zeros((120, 260, 3), np.uint8)
    wide[:] = picture[0, 0]
    wide[:, :160] = picture
    wide[-48:, 190:254] = far
    for people, there in (("all", True), ("main", False)):
        whole = segmenter(people)
        labels = seen_in(whole, whole.prepare(wide), (120, 260), True)
        assert labels[30, 20, LABELS.index("hair")] > 0.5 or labels[..., LABELS.index("hair")].max() > 0.5
        beyond = labels[:, 58:]
        assert (beyond[..., 1:].sum(-1).max() > 0.5) == there


def test_labels_lean_on_those_before_and_forget_them_when_reset():
    picture, _ = drawn()
    dim = (0.97 * picture).astype(np.uint8)
    steady, plain = segmenter(smoothing=0.9), segmenter()
    first = steady.labels(steady.prepare(picture))
    assert (first == plain.labels(plain.prepare(picture))).all()
    second = steady.labels(steady.prepare(dim))
    assert np.abs(second - first).sum() < np.abs(plain.labels(plain.prepare(dim)) - first).sum()
    steady.reset()
    assert np.allclose(steady.labels(steady.prepare(dim)), plain.labels(plain.prepare(dim)))
