import pytest

from evaluation.truth import (
    ANY_SKIN,
    MEMBERS,
    NAMES,
    NOT_HAIR,
    PERSON,
    UNJUDGED,
    UnknownLabel,
    classes,
    code,
    codes_of,
    mapped,
    parse,
    tells_labels,
)
from models.labels import LABELS

HAIR, BODY, CLOTHES = LABELS.index("hair"), LABELS.index("body"), LABELS.index("clothes")


def sets(*codes: int) -> list[set[str]]:
    """The classes of a picture with these truths, by the names of their labels."""
    return [{LABELS[label] for label in MEMBERS[one]} for one in classes(frozenset(codes))]


def test_a_picture_with_nine_labels_is_judged_by_each():
    assert sets(*range(9), UNJUDGED) == [{name} for name in LABELS]


def test_what_a_truth_leaves_open_is_one_class():
    assert {"face", "lips", "neck", "body"} in sets(0, HAIR, BODY, CLOTHES, ANY_SKIN)
    assert {"hair"} in sets(0, HAIR, ANY_SKIN)
    assert sets(NOT_HAIR, HAIR) == [{"hair"}, set(LABELS) - {"hair"}]
    assert sets(0, PERSON) == [{"background"}, set(LABELS) - {"background"}]
    assert sets(ANY_SKIN, NOT_HAIR) == sets(NOT_HAIR)
    assert sets(PERSON, NOT_HAIR) == []


@pytest.mark.parametrize("first", range(len(NAMES)))
@pytest.mark.parametrize("second", range(len(NAMES)))
def test_the_classes_of_any_truths_hold_each_label_once_or_nothing_is_judged(first, second):
    found = classes(frozenset({first, second}))
    assert not found or sorted(label for one in found for label in MEMBERS[one]) == list(range(len(LABELS)))


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("hair (beard included)", "hair"),
        ("face skin", "face"),
        ("Face-Skin", "face"),
        ("lips and mouth", "lips"),
        ("headwear, jewellery, accessory", "accessory"),
        ("any skin (face, lips, neck or body)", "skin"),
        ("not hair", "not hair"),
        ("null", "background"),
    ],
)
def test_names_of_data_sets_are_known(name, ours):
    assert code(name) == NAMES.index(ours)


def test_what_is_not_judged_and_what_is_unknown():
    assert code("ignore (black alignment corner)") == UNJUDGED
    assert code("blazer") is None
    assert code("hair, face") is None
    assert code("()") is None


def test_a_map_comes_before_names_and_a_star_takes_the_rest():
    found, unknown = codes_of({0: "null", 4: "Blazer", 7: "hair", 9: "bag"}, parse("blazer=clothes,7=ignore"))
    assert found == {0: 0, 4: CLOTHES, 7: UNJUDGED}
    assert unknown == {9: "bag"}
    found, unknown = codes_of({4: "blazer", 7: "hair"}, parse("*=clothes"))
    assert found == {4: CLOTHES, 7: HAIR}
    assert unknown == {}


@pytest.mark.parametrize("text", ["", "shirt", "=hair", "shirt="])
def test_a_text_that_is_no_map_is_refused(text):
    with pytest.raises(ValueError, match="is no map of labels"):
        parse(text)


@pytest.mark.parametrize("ours", ["hairs", 3, ["hair"]])
def test_a_name_that_is_not_ours_is_refused(ours):
    with pytest.raises(UnknownLabel, match=r"and there are: background, hair.*ignore"):
        mapped({"shirt": ours})


def test_a_list_of_a_person_tells_no_labels():
    assert not tells_labels([0, PERSON, UNJUDGED])
    assert tells_labels([0, HAIR])
    assert tells_labels([NOT_HAIR])
