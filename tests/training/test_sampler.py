from dataclasses import replace

import numpy as np
import pytest

from training.geometry import about, affine_grid, sample, spline_basis, spline_offsets
from training.prior import MIXED, PriorLaw
from training.sampler import Law, Sampler
from training.show import contact_sheet
from training.split import split

LAW = Law(size=64, prior=MIXED)


def sampler(store, law=LAW, seed=0):
    return Sampler(store, split(store).train, law, seed)


def test_a_sample_depends_on_seed_and_index_alone(store):
    one, two = sampler(store), sampler(store)
    for index in (7, 3, 7):
        a, b = one(index), two(index)
        assert all(
            np.array_equal(x, y) for x, y in [(a.frames, b.frames), (a.targets, b.targets), (a.previous, b.previous)]
        )
    assert not np.array_equal(one(3).frames, sampler(store, seed=1)(3).frames)


def test_shapes_types_and_empty_previous_masks(store):
    one = sampler(store, replace(LAW, frames=3, prior=PriorLaw()))(0)
    assert (one.frames.shape, one.targets.shape, one.previous.shape) == ((3, 64, 64, 3), (3, 64, 64), (64, 64))
    assert {one.frames.dtype, one.targets.dtype, one.previous.dtype} == {np.dtype(np.uint8)}
    assert not one.previous.any()


def test_a_picture_turned_by_any_angle_is_told_from_an_upright_one(store):
    assert all(sampler(store)(i).upright for i in range(8))
    turned = [sampler(store, replace(LAW, turned=0.5))(i).upright for i in range(40)]
    assert 8 < sum(turned) < 32
    # The very pictures that the teacher is not asked about are those that look otherwise.
    upright, any_angle = sampler(store, LAW), sampler(store, replace(LAW, turned=1.0))
    assert not any_angle(5).upright
    assert not np.array_equal(any_angle(5).frames, upright(5).frames)


def test_picture_and_truth_move_together(store):
    """The drawn people are of one flat colour: inside the truth the picture must vary less than outside."""
    law = replace(
        LAW,
        composite=0.0,
        weights={"selfies": 1.0, "portraits": 0.0, "ccp": 0, "ccp-upper": 0, "cutouts": 0, "scenes": 0},
    )
    make = sampler(store, law)
    flatter = 0
    for index in range(40):
        one = make(index)
        inside, outside = one.targets[0] > 250, one.targets[0] < 5
        picture = one.frames[0].astype(float)
        flatter += picture[inside].std(0).mean() < picture[outside].std(0).mean()
    assert flatter >= 36


def green(picture):
    """Where the chairs of conftest.py are, whatever the light."""
    red, middle, blue = picture.astype(int).transpose(2, 0, 1)
    return (middle > 140) & (red < 80) & (blue < 80)


ALONE = replace(LAW, composite=0.0, prior=PriorLaw(), weights={"selfies": 1.0, "portraits": 0.0, "voc-person": 0.0,
                "ccp": 0.0, "ccp-upper": 0.0, "cutouts": 0.0, "scenes": 0.0, "talking-heads": 0.0})  # fmt: skip
"""Selfies as they were taken: a chair in one was pasted."""


def test_a_pasted_thing_is_seen_behind_the_person_and_is_none(store):
    with_things, without = sampler(store, replace(ALONE, things=1.0)), sampler(store, replace(ALONE, things=0.0))
    seen = 0
    for index in range(40):
        one, two = with_things(index), without(index)
        np.testing.assert_array_equal(one.targets, two.targets)
        pasted = green(one.frames[0]) & ~green(two.frames[0])
        seen += pasted.mean() > 0.02
        assert not (pasted & (one.targets[0] > 250)).mean() > 0.002
    assert seen > 8


def test_a_sequence_moves_a_little_from_frame_to_frame(store):
    make = sampler(store, replace(LAW, frames=3, prior=PriorLaw()))
    ious = []
    for index in range(30):
        a, _, c = make(index).targets > 127
        if a.sum() > 100:
            ious.append((a & c).sum() / (a | c).sum())
    assert 0.5 < np.median(ious) < 0.999


def test_a_clip_goes_on_where_a_photo_is_held(store):
    """conftest.py's speaker walks a third of the body's width from one kept frame to the next, two frames long."""
    law = replace(ALONE, frames=3, motion=0.0)
    overlaps = {}
    for source in ("talking-heads", "selfies"):
        make = sampler(store, replace(law, weights={**ALONE.weights, "selfies": 0.0, source: 1.0}))
        kept = [one.targets > 127 for one in map(make, range(30)) if (one.targets[0] > 127).mean() > 0.05]
        overlaps[source] = np.median([(a & b).sum() / (a | b).sum() for a, b, _ in kept])
        held = np.median([(b & c).sum() / (b | c).sum() for _, b, c in kept])
    assert overlaps["selfies"] > 0.9 < held
    assert overlaps["talking-heads"] < 0.75


def test_the_warped_way_leaves_the_unmoved_truth_as_previous_mask(store):
    make = sampler(store, replace(LAW, prior=PriorLaw(warped=1.0)))
    overlaps = []
    for index in range(30):
        one = make(index)
        a, b = one.previous > 127, one.targets[0] > 127
        if b.sum() > 100:
            overlaps.append((a & b).sum() / (a | b).sum())
    assert 0.55 < np.median(overlaps) < 0.995


def test_an_identity_grid_reads_the_picture_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 255, (16, 16, 3), np.uint8)
    matrix = about((8, 8), (8, 8), 1, 1, 0)
    assert np.array_equal(sample(pixels, affine_grid(matrix, 16)), pixels)


def test_an_affine_puts_a_point_where_it_says():
    matrix = about((40, 10), (5, 6), 2.0, 3.0, 90)
    assert matrix @ [40, 10, 1] == pytest.approx([5, 6])


def test_the_spline_passes_through_its_knots():
    size, knots = 64, 4
    moves = np.random.default_rng(0).normal(size=(knots * knots, 2)).astype(np.float32)
    field = (spline_basis(size, knots) @ moves).reshape(size, size, 2)
    at = [round(i * (size - 1) / (knots - 1)) for i in range(knots)]
    assert field[np.ix_(at, at)].reshape(-1, 2) == pytest.approx(moves, abs=1e-2)
    assert not spline_offsets(np.random.default_rng(0), size, 0.0).any()


def test_a_contact_sheet_has_every_sample(store):
    make = sampler(store, replace(LAW, frames=2))
    assert contact_sheet([make(i) for i in range(4)], columns=2).shape == (2 * 64, 2 * 3 * 64, 3)


def test_small_whole_bodies_are_small_and_nobody_asks_a_teacher_about_them(store):
    make = sampler(store, replace(LAW, crowded=1.0))
    some = [make(i) for i in range(40)]
    shares = [(one.targets[0] > 127).mean() for one in some]
    assert not any(one.upright for one in some)
    assert max(shares) < 0.5
    assert np.median(shares) < 0.15
    assert sum(share > 0 for share in shares) > 30
