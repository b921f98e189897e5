from __future__ import annotations

from dataclasses import replace

import pytest

from models.variant import REFERENCE, get
from reports.ablation import CHANGES, ablation, effect
from reports.rows import Row
from reports.summary import Summary
from tests.reports.made_up import PICTURES, emulated, row

HARD = {picture: 10.0 * (i % 5) for i, picture in enumerate(PICTURES)}
"""How much harder each picture is, the same for all networks."""


def known(variant: str, **changes) -> Row:
    """IOU and speed made of known effects: squeeze 16 costs 0.5 points and is twice as fast, 32 costs 2 and is four
    times as fast, skips bring 5 at nine tenths of the speed, the dense head brings 0.25 at half the speed."""
    v = get(variant)
    dense = v.head == "dense-separable"
    level = 90 - {4: 0, 16: 0.5, 32: 2}[v.squeeze] + (5 if v.skips else 0) + (0.25 if dense else 0)
    fps = 100 * {4: 1, 16: 2, 32: 4}[v.squeeze] * (0.9 if v.skips else 1) * (0.5 if dense else 1)
    made = row(variant, **changes)
    accuracy = made.accuracy | {
        "iou": level / 100,
        "per_image": [[p, (level - hard) / 100, 0.5] for p, hard in HARD.items()],
    }
    timing = {"model_ns": [int(1e9 / fps)] * 30} if made.evidence == "measured" else {}
    return replace(made, accuracy=accuracy, timing=timing)


def found(rows: list[Row]) -> dict[str, tuple[float, float | None, int]]:
    ((_, effects),) = ablation(map(Summary, rows)).items()
    return {e.change.words: (round(e.iou, 6), e.speed and round(e.speed, 3), len(e.pairs)) for e in effects}


def test_known_effects_are_found():
    assert found([known(v) for v in REFERENCE]) == {
        "squeeze 4 → 16": (-0.5, 2.0, 4),
        "squeeze 4 → 32": (-2.0, 4.0, 4),
        "with skip connections": (5.0, 0.9, 6),
        "with the dense head": (0.25, 0.5, 6),
    }


def test_the_interval_is_of_the_difference_and_not_of_the_pictures():
    """The pictures differ by 40 points, the pairs by exactly 5 in each of them."""
    e = effect(CHANGES[2], {v: Summary(known(v)) for v in REFERENCE})
    assert e is not None
    assert e.iou_ci == pytest.approx((5, 5))
    assert e.pictures == len(PICTURES)


def test_a_variant_that_failed_takes_its_pairs_with_it():
    rows = [known(v) for v in REFERENCE if v != "s4-skip-dense"]
    assert {words: pairs for words, (_, _, pairs) in found(rows).items()} == {
        "squeeze 4 → 16": 3,
        "squeeze 4 → 32": 3,
        "with skip connections": 5,
        "with the dense head": 5,
    }


def test_no_pair_no_effect():
    assert ablation([Summary(known("s16-skip-dense"))]) == {}
    assert ablation(map(Summary, [known("s4-skip-dense"), known("s16-noskip-dense")])) == {}


def test_measured_and_emulated_are_never_pooled():
    measured = [known(v) for v in REFERENCE]
    other = [replace(known(v), evidence="emulated", format="coreml", timing=emulated().timing) for v in REFERENCE]
    grids = ablation(map(Summary, measured + other))
    assert sorted(grid.evidence for grid in grids) == ["emulated", "measured"]
    for grid, effects in grids.items():
        for e in effects:
            assert (e.speed is None) == (grid.evidence == "emulated"), "an emulated time is not a speed"


@pytest.mark.parametrize("changes", [{"device": "pixel2"}, {"precision": "int8"}, {"format": "onnx"}, {"threads": 2}])
def test_a_pair_is_alike_in_all_else(changes):
    pair = [known("s16-skip-plain"), replace(known("s16-skip-dense"), **changes)]
    assert ablation(map(Summary, pair)) == {}


def test_the_joined_variants_have_effects_of_their_own():
    rows = [row(v) for v in ("s16-skip-plain", "s16-skip-half", "s16-skip-plain-noprev")]
    assert set(found(rows)) == {"with the half-resolution head", "with the previous mask"}


def test_only_pictures_that_all_pairs_share_count():
    short = known("s16-skip-dense")
    short = replace(short, accuracy=short.accuracy | {"per_image": short.accuracy["per_image"][:7]})
    e = effect(CHANGES[3], {"s16-skip-dense": Summary(short), "s16-skip-plain": Summary(known("s16-skip-plain"))})
    assert e is not None
    assert e.pictures == 7
