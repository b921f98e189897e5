"""Each effect on a disc, where the answer is known, and on a portrait, where it can be measured."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from evaluation.matting import gradient_error, sad
from models.segmenter import enlarge, smooth
from tests.video.people import BLUE, GREEN, RED, astronaut, disc, mixed, wall
from video.apply import blurring, cutting_out, recolouring, replacing
from video.backdrop import still
from video.band import around, between, coarse_copy, put, sample, small_copy, take, to_bytes
from video.blur import blurred
from video.foreground import foreground, layers
from video.guided import Guide, circled, refined
from video.recolour import LUMINANCE, recoloured, tones
from video.replace import light_of, rim, wrap


def small(alpha: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)


def cover(mask: np.ndarray, picture: np.ndarray) -> np.ndarray:
    return (refined(mask, picture) / 255).astype(np.float32)


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(a.astype(int) - b)


# Pixels.


def test_the_band_is_what_is_neither_nor():
    alpha = np.array([[0, 1, 128], [254, 255, 0]], np.uint8)
    assert between(alpha).tolist() == [1, 2, 3]
    assert between(np.zeros((3, 3), np.uint8)).size == 0


def test_what_is_taken_and_put_back_is_the_same():
    picture, _ = astronaut()
    at, again = np.arange(7, picture.shape[0] * picture.shape[1], 5), np.zeros_like(picture)
    put(again, at, take(picture, at))
    assert (again.reshape(-1, 3)[at] == picture.reshape(-1, 3)[at]).all()
    assert again.reshape(-1, 3).any(1).sum() <= len(at)


@pytest.mark.parametrize("count", [0, 1, 1024, 5000])
@pytest.mark.parametrize("channels", [(), (3,), (4,)])
def test_sampling_is_enlargement_at_some_pixels(count, channels):
    generator = np.random.default_rng(0)
    values = generator.random((9, 17, *channels), np.float32)
    at = np.sort(generator.choice(90 * 130, count, replace=False))
    whole = cv2.resize(values, (130, 90), interpolation=cv2.INTER_LINEAR)
    found = sample(values, (90, 130), at)
    assert found.shape == (count, *channels)
    assert np.allclose(found, whole.reshape(-1, *channels)[at], atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (33, 257)])
def test_any_size_will_do(size):
    generator = np.random.default_rng(0)
    picture, behind = (generator.integers(0, 256, (*size, 3), np.uint8) for _ in "12")
    for alpha in (generator.integers(0, 256, size, np.uint8), np.zeros(size, np.uint8), np.full(size, 255, np.uint8)):
        for effect in (replacing(still(behind)), blurring(), recolouring((0.2, 0.5, 0.9)), cutting_out):
            made = effect(picture, alpha, 0)
            assert made.shape == (*size, 4 if effect is cutting_out else 3)
            assert made.dtype == np.uint8
            assert (made[alpha == 255][:, :3] == picture[alpha == 255]).all() or effect.__name__ == "replaced"
    assert refined(disc(3, size=(8, 8)), picture).shape == size


def test_around_is_all_that_is_covered_with_a_margin_within_the_picture():
    alpha = np.zeros((20, 30), np.uint8)
    assert around(alpha, 3) is None
    alpha[1, 9] = alpha[12, 14] = 1
    rows, columns = around(alpha, 3)
    assert (rows.start, rows.stop, columns.start, columns.stop) == (0, 16, 6, 18)


# The mask.


def test_channels_in_a_circle_are_each_times_the_one_after_it():
    values = np.random.default_rng(0).random((5, 7, 3), np.float32)
    assert np.allclose(circled(values), values * values[..., [1, 2, 0]])


def test_a_mask_refined_in_its_box_is_as_it_would_be_on_the_whole_picture(monkeypatch):
    picture, _ = astronaut()
    mask = np.zeros((64, 64), np.float32)
    mask[20:34, 24:40] = small(disc(40), (16, 14))
    boxes = []
    within = Guide.within
    monkeypatch.setattr(Guide, "within", lambda guide, box: boxes.append(box) or within(guide, box))
    alone = refined(mask, picture)
    monkeypatch.setattr("video.guided.around", lambda alpha, margin: (slice(0, None), slice(0, None)))
    assert difference(alone, refined(mask, picture)).max() <= 1
    assert alone.max() == 255
    area = [guide[0].stop - guide[0].start for guide in boxes[:1]]
    assert area[0] < 120


def test_a_mask_of_nobody_is_refined_to_nothing():
    picture, _ = astronaut()
    assert not refined(np.full((64, 64), 0.005, np.float32), picture).any()


def test_one_guide_serves_a_picture_at_two_sizes():
    true = disc(200, size=(480, 640))
    picture, mask = mixed(true), small(true, (64, 48))
    half = cv2.resize(picture, (320, 240), interpolation=cv2.INTER_AREA)
    assert difference(Guide.of(half).refined(mask, picture), refined(mask, picture)).max() <= 2


def test_a_small_mask_takes_the_edge_of_the_picture():
    true = disc(200, size=(480, 640))
    coarse = small(true, (64, 48))
    made = cover(coarse, mixed(true))
    assert sad(made, true) < 0.25 * sad(enlarge(coarse, true.shape), true)
    assert gradient_error(made, true) < 0.5 * gradient_error(enlarge(coarse, true.shape), true)


def test_a_mask_that_is_a_little_off_is_drawn_to_the_edge():
    true = disc(200, size=(480, 640))
    shifted = small(np.roll(true, 5, 1), (256, 192))
    assert sad(cover(shifted, mixed(true)), true) < 0.6 * sad(enlarge(shifted, true.shape), true)


def test_where_the_picture_is_flat_the_mask_is_only_smoothed():
    coarse = small(disc(200, size=(480, 640)), (64, 48))
    made = cover(coarse, np.full((480, 640, 3), 100, np.uint8))
    assert ((made > 0.5) != (enlarge(coarse, (480, 640)) > 0.5)).mean() < 0.005


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_a_mask_that_is_the_same_everywhere_stays_so(value):
    picture, _ = astronaut()
    assert difference(refined(np.full((32, 32), value, np.float32), picture), round(255 * value)).max() <= 1


def test_refining_a_portrait_brings_it_nearer_to_its_alpha():
    picture, alpha = astronaut()
    alpha = alpha.astype(np.float32) / 255
    coarse = small(alpha, (64, 64))
    made, plain = cover(coarse, picture), enlarge(coarse, alpha.shape)
    assert sad(made, alpha) < 0.6 * sad(plain, alpha)
    assert gradient_error(made, alpha) < 0.6 * gradient_error(plain, alpha)


def test_smoothing_steadies_what_is_unsure_and_follows_what_is_sure():
    true = disc(40, 8)
    generator = np.random.default_rng(0)
    edge = (true > 0) & (true < 1)
    masks = [
        np.clip(true + 0.2 * generator.standard_normal(true.shape) * edge, 0, 1).astype(np.float32) for _ in "123456"
    ]
    steadied = [masks[0]]
    for mask in masks[1:]:
        steadied.append(smooth(mask, steadied[-1], 0.9))
    assert np.abs(np.diff(steadied, axis=0)).mean() < 0.8 * np.abs(np.diff(masks, axis=0)).mean()
    moved = (np.roll(disc(40), 20, 1) > 0.5).astype(np.float32)
    assert np.allclose(smooth(moved, disc(40), 0.9), moved, atol=1e-4)


# Cutting out.


def test_the_old_background_is_taken_out_of_the_edge():
    alpha = to_bytes(disc(40, 12))
    picture = mixed(disc(40, 12))
    edge = (alpha > 38) & (alpha < 242)
    made = cutting_out(picture, alpha, 0)
    assert difference(made[..., :3], RED)[edge].mean() < 0.2 * difference(picture, RED)[edge].mean()
    assert (made[..., 3] == alpha).all()


def test_what_is_wholly_person_keeps_its_colours():
    picture, alpha = astronaut()
    assert (cutting_out(picture, alpha, 0)[alpha == 255, :3] == picture[alpha == 255]).all()


def test_where_nobody_is_the_persons_colours_go_on():
    """For codecs mix neighbouring colours, whatever their alpha."""
    alpha = to_bytes(disc(40))
    made = cutting_out(mixed(disc(40)), alpha, 0)
    beside = (disc(46) > 0) & (alpha == 0)
    assert difference(made[..., :3], RED)[beside].mean() < 12


def test_the_portrait_is_explained_by_its_two_layers():
    """On a picture made of two known ones, the estimate is far nearer the true foreground than the picture is."""
    picture, alpha = astronaut()
    true = cutting_out(picture, alpha, 0)[..., :3]
    share = alpha[..., None] / 255
    made = to_bytes(((share * true + (1 - share) * GREEN) / 255).astype(np.float32))
    edge = (alpha > 76) & (alpha < 230)
    estimated = cutting_out(made, alpha, 0)[..., :3]
    assert difference(estimated, true)[edge].mean() < 0.5 * difference(made, true)[edge].mean()


# Blur.


def test_a_blurred_background_has_no_halo_of_the_person():
    alpha = to_bytes(disc(40))
    picture = mixed(disc(40))
    assert difference(blurred(picture, alpha), BLUE).max() < 8
    smeared = cv2.GaussianBlur(picture, (0, 0), 0.03 * 120)
    assert difference(smeared, BLUE)[alpha == 0].max() > 50


def test_a_background_is_blurred_as_it_would_be_without_anybody():
    stripes = np.zeros((120, 160, 3), np.uint8)
    stripes[:, ::8] = stripes[:, 1::8] = 255
    made = blurred(stripes, np.zeros((120, 160), np.uint8), 0.05)
    assert difference(made[20:-20, 20:-20], 64).max() < 8
    faint = blurred(stripes, np.zeros((120, 160), np.uint8), 0.005)
    assert faint[20:-20, 20:-20].std() > made[20:-20, 20:-20].std()


def test_behind_a_person_who_hides_much_is_the_nearest_background():
    """Left of the person the wall is blue and right of it green; so it goes on behind."""
    alpha = np.zeros((180, 320), np.uint8)
    alpha[:, 60:260] = 255
    picture = np.where(np.arange(320)[None, :, None] < 160, BLUE, GREEN) * np.ones((180, 1, 1), np.uint8)
    picture[alpha == 255] = RED
    made = blurred(picture.astype(np.uint8), alpha)
    assert difference(made[:, 65], BLUE).max() < 12
    assert difference(made[:, 255], GREEN).max() < 12


# Replacement.


def test_replacement_is_the_person_within_and_the_background_without():
    picture, alpha = astronaut()
    behind = wall(GREEN, picture)
    made = replacing(still(behind))(picture, alpha, 0)
    assert (made[alpha == 0] == GREEN).all()
    deep = cv2.erode(alpha, np.ones((61, 61), np.uint8)) == 255
    assert difference(made[deep], picture[deep]).max() <= 1


def test_a_replaced_wall_leaves_nothing_of_the_old_one():
    alpha = to_bytes(disc(40, 12))
    made = replacing(still(wall(GREEN, alpha)))(mixed(disc(40, 12)), alpha, 0)
    wanted = mixed(disc(40, 12), behind=GREEN)
    # The light that wraps is what they may differ by.
    assert difference(made, wanted).max() < 60
    assert difference(made, wanted).mean() < 3


def test_light_wraps_around_the_edge_and_not_into_the_middle():
    alpha = to_bytes(disc(40))
    person, bright = wall(RED, alpha), np.full((120, 160, 3), 255, np.uint8)
    made = replacing(still(bright))(person, alpha, 0)
    rim, middle = (alpha == 255) & (disc(38) < 0.5), disc(20) == 1
    assert (made.astype(int) - person)[rim].mean() > 8
    assert (made[middle] == person[middle]).all()
    dark = replacing(still(np.zeros_like(person)))(person, alpha, 0)
    assert (dark[alpha == 255] == person[alpha == 255]).all()
    assert not wrap(light_of(bright), alpha, 0).any()


def test_the_rim_is_the_person_alone_and_near_the_background():
    alpha = to_bytes(disc(40))
    falls = wrap(light_of(np.full((120, 160, 3), 255, np.uint8)), alpha)
    lit = np.zeros(alpha.size, bool)
    lit[rim(falls, alpha)] = True
    lit = lit.reshape(alpha.shape)
    assert (alpha[lit] == 255).all()
    assert lit[(alpha == 255) & (disc(38) < 0.5)].all()
    assert not lit[disc(20) == 1].any()
    assert not rim(0 * falls, alpha).size


def test_the_far_pass_at_half_the_size_gives_the_same_colours(monkeypatch):
    picture, alpha = astronaut()
    at = between(alpha)
    fast = foreground(picture, alpha, *layers(picture, alpha), at)
    monkeypatch.setattr("video.foreground.WIDE", 10_000)
    slow = foreground(picture, alpha, *layers(picture, alpha), at)
    # A colour counts as far as it covers its pixel.
    off = 255 * take(alpha, at)[:, None] * np.abs(fast - slow)
    assert off.max() > 0
    assert np.quantile(off, 0.99) < 1


@pytest.mark.parametrize("size", [(720, 1280), (1080, 1920), (722, 1282), (90, 120)])
def test_small_copies_are_the_same_of_a_coarse_one(size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    coarse = coarse_copy(picture)
    assert min(coarse.shape[:2]) >= min(360, min(size))
    assert (small_copy(coarse) == small_copy(picture)).all()


@pytest.mark.parametrize("effect", [replacing(still(np.full((720, 1280, 3), 90, np.uint8))), blurring(), cutting_out])
def test_an_effect_is_the_same_with_the_coarse_copy_given(effect):
    picture = cv2.resize(astronaut()[0], (1280, 720), interpolation=cv2.INTER_CUBIC)
    alpha = to_bytes(cv2.resize(disc(40), (1280, 720), interpolation=cv2.INTER_LINEAR))
    assert (effect(picture, alpha, 0, coarse_copy(picture)) == effect(picture, alpha, 0)).all()


# Recolouring.


@pytest.mark.parametrize(
    "colour", [(0.9, 0.1, 0.1), (0.1, 0.2, 0.9), (0.5, 0.5, 0.5), (1.0, 0.8, 0.0), (0.0, 0.0, 0.0)]
)
def test_recolouring_keeps_the_luminance_and_takes_the_hue(colour):
    picture, _ = astronaut()
    made = recoloured(picture, tones(colour))
    light = made @ LUMINANCE
    assert np.abs(light - picture @ LUMINANCE).max() <= 1.1
    chroma = made - light[..., None]
    wanted = np.array(colour, np.float32) - np.array(colour, np.float32) @ LUMINANCE
    strength = np.linalg.norm(chroma, axis=-1)
    if np.linalg.norm(wanted) < 1e-6:
        assert strength.max() < 1
    else:
        cosine = chroma[strength > 25] @ wanted / strength[strength > 25] / np.linalg.norm(wanted)
        assert cosine.min() > 0.998
        assert strength.mean() > 25
