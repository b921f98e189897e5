"""Each effect on a disc, where the answer is known, and on a portrait, where it can be measured."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from effects.blur import blurred
from effects.foreground import foreground
from effects.guided import guided, refined
from effects.recolour import luminance, recoloured
from effects.replace import light_wrap, over
from metrics.matting import gradient_error, sad
from models.segmenter import enlarge, smooth
from tests.effects.made import BLUE, GREEN, RED, astronaut, disc, mixed


def small(alpha: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(cv2.resize(alpha, size, interpolation=cv2.INTER_AREA), np.float32)


def test_a_small_mask_takes_the_edge_of_the_picture():
    true = disc(200, size=(480, 640))
    coarse = small(true, (64, 48))
    made = refined(coarse, mixed(true))
    assert made.shape == true.shape
    assert made.dtype == np.float32
    assert sad(made, true) < 0.25 * sad(enlarge(coarse, true.shape), true)
    assert gradient_error(made, true) < 0.5 * gradient_error(enlarge(coarse, true.shape), true)


def test_a_mask_that_is_a_little_off_is_drawn_to_the_edge():
    true = disc(200, size=(480, 640))
    shifted = small(np.roll(true, 5, 1), (256, 192))
    assert sad(refined(shifted, mixed(true)), true) < 0.6 * sad(enlarge(shifted, true.shape), true)


def test_where_the_picture_is_flat_the_mask_is_only_smoothed():
    coarse = small(disc(200, size=(480, 640)), (64, 48))
    made = guided(coarse, np.full((480, 640, 3), 0.4, np.float32))
    assert ((made > 0.5) != (enlarge(coarse, (480, 640)) > 0.5)).mean() < 0.005


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_mask_that_is_the_same_everywhere_stays_so(value):
    picture, _ = astronaut()
    assert np.allclose(guided(np.full((32, 32), value, np.float32), picture), np.full((512, 512), value), atol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 5), (33, 257)])
def test_any_size_will_do(size):
    generator = np.random.default_rng(0)
    picture, alpha = generator.random((*size, 3), np.float32), generator.random(size, np.float32)
    made = [guided(disc(3, size=(8, 8)), picture), foreground(picture, alpha), blurred(picture, alpha)]
    made += [light_wrap(picture, picture, alpha), over(picture, picture, alpha), recoloured(picture, (0.2, 0.5, 0.9))]
    for values in made:
        assert values.shape[:2] == size
        assert np.isfinite(values).all()
        assert values.min() >= -1e-4
        assert values.max() <= 1 + 1e-4


def test_refining_a_portrait_brings_it_nearer_to_its_alpha():
    picture, alpha = astronaut()
    coarse = small(alpha, (64, 64))
    made, plain = refined(coarse, picture), enlarge(coarse, alpha.shape)
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


def test_the_old_background_is_taken_out_of_the_edge():
    alpha = disc(40, 12)
    picture = mixed(alpha)
    edge = (alpha > 0.15) & (alpha < 0.95)
    estimated = foreground(picture, alpha)
    assert np.abs(estimated - RED)[edge].mean() < 0.2 * np.abs(picture - RED)[edge].mean()
    again = over(estimated, np.broadcast_to(GREEN, picture.shape), alpha)
    assert np.abs(again - mixed(alpha, behind=GREEN)).max() < 0.1


def test_what_is_wholly_person_keeps_its_colours():
    picture, alpha = astronaut()
    inside = alpha == 1
    assert np.allclose(foreground(picture, alpha)[inside], picture[inside], atol=1e-5)


def test_the_portrait_is_explained_by_its_two_layers():
    """On a picture made of two known ones, the estimate is far nearer the true foreground than the picture is."""
    picture, alpha = astronaut()
    true = foreground(picture, alpha)
    made = over(true, np.broadcast_to(GREEN, picture.shape), alpha)
    edge = (alpha > 0.3) & (alpha < 0.9)
    assert np.abs(foreground(made, alpha) - true)[edge].mean() < 0.5 * np.abs(made - true)[edge].mean()


def test_a_blurred_background_has_no_halo_of_the_person():
    alpha = disc(40)
    picture = mixed(alpha)
    made = blurred(picture, alpha)
    assert np.abs(made - BLUE).max() < 0.03
    smeared = cv2.GaussianBlur(picture, (0, 0), 0.03 * 120)
    assert np.abs(smeared - BLUE)[alpha == 0].max() > 0.2


def test_a_background_is_blurred_as_it_would_be_without_anybody():
    wall = np.zeros((120, 160, 3), np.float32)
    wall[:, ::8] = wall[:, 1::8] = 1
    made = blurred(wall, np.zeros((120, 160), np.float32), 0.05)
    assert np.allclose(made[20:-20, 20:-20], np.full((80, 120, 3), 0.25), atol=0.03)
    faint = blurred(wall, np.zeros((120, 160), np.float32), 0.005)
    assert faint[20:-20, 20:-20].std() > made[20:-20, 20:-20].std()


def test_a_person_who_fills_the_picture_is_no_reason_to_divide_by_nothing():
    picture, _ = astronaut()
    assert np.isfinite(blurred(picture, np.ones((512, 512), np.float32))).all()


def test_replacement_is_the_person_within_and_the_background_without():
    picture, alpha = astronaut()
    behind = np.broadcast_to(GREEN, picture.shape)
    made = over(picture, behind, alpha)
    assert np.allclose(made[alpha == 1], picture[alpha == 1], atol=1e-6)
    assert np.allclose(made[alpha == 0], np.broadcast_to(GREEN, made[alpha == 0].shape), atol=1e-6)


def test_light_wraps_around_the_edge_and_not_into_the_middle():
    alpha = disc(40)
    person, bright = mixed(alpha, RED, RED), np.ones((120, 160, 3), np.float32)
    lit = light_wrap(person, bright, alpha)
    rim, middle = (alpha > 0.5) & (disc(38) < 0.5), disc(20) == 1
    assert (lit - person)[rim].mean() > 0.03
    assert np.abs(lit - person)[middle].max() < 0.005
    assert np.allclose(light_wrap(person, np.zeros_like(person), alpha), person, atol=1e-6)
    assert np.allclose(light_wrap(person, bright, alpha, wrap=0), person, atol=1e-6)


@pytest.mark.parametrize(
    "colour", [(0.9, 0.1, 0.1), (0.1, 0.2, 0.9), (0.5, 0.5, 0.5), (1.0, 0.8, 0.0), (0.0, 0.0, 0.0)]
)
def test_recolouring_keeps_the_luminance_and_takes_the_hue(colour):
    picture, _ = astronaut()
    made = recoloured(picture, colour)
    assert np.allclose(luminance(made), luminance(picture), atol=1e-4)
    chroma = made - luminance(made)[..., None]
    wanted = np.array(colour, np.float32) - luminance(np.array(colour, np.float32))
    strength = np.linalg.norm(chroma, axis=-1)
    if np.linalg.norm(wanted) < 1e-6:
        assert strength.max() < 1e-4
    else:
        cosine = chroma[strength > 0.02] @ wanted / strength[strength > 0.02] / np.linalg.norm(wanted)
        assert cosine.min() > 0.999
        assert strength.mean() > 0.1
