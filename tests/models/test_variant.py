import json
from dataclasses import replace

import pytest

from models.variant import (
    CANDIDATES,
    LIVE,
    REFERENCE,
    TRUNK,
    VARIANTS,
    Variant,
    get,
    match,
    parse_resolution,
)


def test_twelve_reference_variants_are_all_different():
    assert len(REFERENCE) == len(set(REFERENCE.values())) == 12
    assert {v.squeeze for v in REFERENCE.values()} == {4, 16, 32}


def test_names_say_what_the_variant_is_and_nothing_else_differs():
    heads = {"dense": "dense-separable", "plain": "subpixel"}
    for name, variant in REFERENCE.items():
        squeeze, skips, head = name.split("-")
        assert (f"s{variant.squeeze}", variant.skips, variant.head) == (squeeze, skips == "skip", heads[head])
        assert replace(variant, squeeze=4, skips=True, head="subpixel") == TRUNK


def test_candidates_are_matched_by_their_own_pattern_alone():
    assert match("try/*") == list(CANDIDATES)
    assert not any(name.startswith("try/") for name in match("*,s*,l*"))


def test_a_checkpoint_without_the_trunks_shape_has_that_of_today():
    old = {k: v for k, v in LIVE.to_dict().items() if k not in ("stem2", "middles", "kernel16")}
    assert Variant.from_dict(old) == LIVE


def test_no_field_of_a_mask_network_speaks_of_labels():
    assert "outputs" not in LIVE.to_dict()
    assert get("live-parts").to_dict()["outputs"] == 9


def test_a_network_with_labels_is_chosen_by_its_whole_name_alone():
    assert "live-parts" not in match("live*")
    assert match("live,live-parts") == ["live", "live-parts"]
    with pytest.raises(ValueError, match="no variant matches 'live-p\\*'"):
        match("live-p*")


@pytest.mark.parametrize("name", [*VARIANTS, *CANDIDATES])
def test_a_variant_survives_json(name):
    variant = get(name)
    assert Variant.from_dict(json.loads(json.dumps(variant.to_dict()))) == variant


def test_an_unknown_field_is_refused():
    with pytest.raises(ValueError, match="colour"):
        Variant.from_dict({"colour": 3})


def test_globs_choose_in_listed_order_and_star_means_the_reference_set():
    assert match("*") == list(REFERENCE)
    assert match("s32-*-plain,s4-skip-dense") == ["s4-skip-dense", "s32-skip-plain", "s32-noskip-plain"]
    with pytest.raises(ValueError, match="s16-skip-dense"):
        match("absent-*")


@pytest.mark.parametrize(
    "bad",
    [
        {"head": "wide"},
        {"stem": 10},
        {"kernel": 6},
        {"kernel16": 4},
        {"middles": ((16,), (72, 88))},
        {"middles": ((16,), (72, 90), (96,))},
        {"depths": (1, -1, 1)},
        {"squeeze": 0},
        {"narrowest": 6},
        {"trunk": "deep"},
        {"refine": "finely"},
        {"outputs": 2},
        {"outputs": 9, "head": "dense"},
        {"outputs": 9, "head": "subpixel"},
    ],
)
def test_impossible_variants_are_refused(bad):
    with pytest.raises(ValueError, match=r"must be|start at"):
        Variant(**bad)


def test_a_middle_is_never_narrower_than_asked_for():
    assert [Variant(squeeze=16).middle(width) for width in (32, 64, 128, 256)] == [4, 4, 8, 16]
    assert [Variant(squeeze=8, narrowest=16).middle(width) for width in (64, 128, 256)] == [16, 16, 32]


@pytest.mark.parametrize("resolution", [(250, 256), (0, 32), (256, -32)])
def test_resolutions_are_multiples_of_the_stride(resolution):
    with pytest.raises(ValueError, match="multiples of 32"):
        Variant().check_resolution(resolution)
    with pytest.raises(ValueError, match="multiples of 16"):
        replace(LIVE, resolution=resolution)


def test_the_inverted_trunk_takes_multiples_of_16():
    assert replace(LIVE, resolution=(144, 208)).stride == 16
    assert parse_resolution("144x208") == (144, 208)
    with pytest.raises(ValueError, match="144x208: both sides must be multiples of 32"):
        Variant(resolution=(144, 208))
