import json

import numpy as np
import pytest

from evaluation.labels import count, likeliest, overlap, shares, summarise
from evaluation.truth import ANY_SKIN, NAMES, NOT_HAIR, PERSON, UNJUDGED
from models.labels import LABELS

BACKGROUND, HAIR, FACE, LIPS, EYEWEAR, NECK, BODY, CLOTHES, ACCESSORY = range(9)


def sure(ids: list[list[int]] | np.ndarray) -> np.ndarray:
    """(h, w, 9) shares of an answer that is sure of a label at each pixel."""
    return shares(np.eye(9, dtype=np.float32)[np.asarray(ids)])


def truth(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)


def score(pairs, **how):
    """The score of (answer's ids, truth) pairs, a picture each."""
    return summarise([count(sure(found), true) for found, true in pairs], range(len(pairs)), **how)


def test_shares_are_probabilities_to_one_part_in_255():
    assert shares(np.array([0, 1, 0.5, -0.01, 1.01], np.float32)).tolist() == [0, 255, 128, 0, 255]


def test_iou_is_summed_over_pictures_and_not_a_mean_of_theirs():
    found = score([([[HAIR] * 6 + [FACE] * 2], truth([HAIR] * 8)), ([[FACE, HAIR]], truth([FACE, FACE]))])
    assert found.labels["hair"].iou == pytest.approx(6 / 9)
    assert found.labels["face"].iou == pytest.approx(1 / 4)
    assert found.mean == pytest.approx((6 / 9 + 1 / 4) / 2)
    assert found.worst == "face"
    assert (found.labels["hair"].pixels, found.labels["hair"].pictures) == (8, 1)


def test_background_has_a_figure_and_is_not_in_the_mean():
    found = score([([[HAIR, HAIR, BACKGROUND]], truth([HAIR, BACKGROUND, BACKGROUND]))])
    assert found.labels["background"].iou == pytest.approx(1 / 2)
    assert found.mean == found.labels["hair"].iou == pytest.approx(1 / 2)
    assert set(found.labels) == {"background", "hair"}


def test_a_label_without_a_true_pixel_has_no_figure_though_it_was_found():
    found = score([([[LIPS, HAIR]], truth([FACE, HAIR]))])
    assert "lips" not in found.labels
    assert found.labels["face"].iou == 0
    assert found.confusion == {"hair": {"hair": 1}, "face": {"lips": 1}}


def test_pixels_that_are_not_judged_count_nowhere():
    found = score([([[HAIR, CLOTHES, HAIR]], truth([HAIR, UNJUDGED, UNJUDGED]))])
    assert found.labels["hair"].iou == 1
    assert found.confusion == {"hair": {"hair": 1}}


def test_any_skin_is_right_whichever_of_the_four_is_found_and_tells_nothing_of_them():
    found = score([([[FACE, LIPS, NECK, BODY, HAIR, HAIR]], truth([ANY_SKIN] * 5 + [HAIR]))])
    assert found.labels["skin"].iou == pytest.approx(4 / 5)
    assert found.labels["hair"].iou == pytest.approx(1 / 2)
    assert set(found.labels) == {"hair", "skin"}
    assert found.mean == found.labels["hair"].iou


def test_skin_is_the_sum_of_its_labels():
    """Four labels of 0.2 each are more than hair's 0.25, though each is less."""
    split = np.full((1, 2, 9), 0, np.float32)
    split[..., [FACE, LIPS, NECK, BODY]] = 0.1875
    split[..., HAIR] = 0.25
    counts = count(shares(split), truth([ANY_SKIN, HAIR]))
    assert overlap(counts, ANY_SKIN) == (1, 2, 1)
    assert overlap(counts, HAIR) == (0, 1, 1)
    counts = count(shares(split), truth([FACE, HAIR]))
    assert overlap(counts, HAIR) == (1, 2, 1)


def test_a_label_that_is_sure_elsewhere_in_the_picture_is_judged_there():
    """Beside any skin, body is sure: wrong on hair, right once, and nothing is known where any skin is."""
    found = score([([[BODY, BODY, FACE, BODY]], truth([BODY, HAIR, BODY, ANY_SKIN]))])
    assert found.labels["body"].iou == pytest.approx(1 / 3)
    assert found.labels["skin"].iou == pytest.approx(3 / 4)
    assert found.confusion["body"] == {"face": 1, "body": 1}
    assert found.confusion["skin"] == {"skin": 3}
    assert "face" not in found.labels


def test_hair_alone_is_judged_against_all_the_rest():
    split = np.zeros((1, 3, 9), np.float32)
    split[0, :2, HAIR], split[0, :2, FACE], split[0, :2, BACKGROUND] = 0.4, 0.3, 0.3
    split[0, 2, HAIR] = 1
    counts = count(shares(split), truth([HAIR, NOT_HAIR, HAIR]))
    found = summarise([counts], [0])
    assert set(found.labels) == {"hair"}
    assert found.labels["hair"].iou == pytest.approx(1 / 2)
    assert found.confusion == {"hair": {"hair": 1, "not hair": 1}, "not hair": {"not hair": 1}}


def test_a_truth_of_the_person_alone_judges_no_label():
    assert score([([[HAIR, BACKGROUND]], truth([PERSON, BACKGROUND]))]) is None
    assert score([([[HAIR, BACKGROUND]], truth([PERSON, NOT_HAIR]))]) is None
    assert score([([[HAIR]], truth([UNJUDGED]))]) is None
    assert summarise([], []) is None


def test_a_label_that_the_network_does_not_have_is_named_and_not_in_the_mean():
    found = score([([[FACE, FACE]], truth([FACE, LIPS]))], has=("background", "face"))
    assert found.lacking == ("lips",)
    assert found.mean == found.labels["face"].iou == pytest.approx(1 / 2)
    assert found.worst == "face"


def test_the_confusion_table_has_each_judged_pixel_once():
    generator = np.random.default_rng(0)
    drawn = generator.integers(9, size=(3, 2, 5, 7))
    pairs = [(answer, true.astype(np.uint8)) for answer, true in drawn]
    found = score(pairs)
    assert sum(n for row in found.confusion.values() for n in row.values()) == 3 * 35
    for label, name in enumerate(LABELS):
        both = sum(int(((a == label) & (t == label)).sum()) for a, t in pairs)
        either = sum(int(((a == label) | (t == label)).sum()) for a, t in pairs)
        assert found.labels[name].iou == pytest.approx(both / either)
        assert found.confusion[name].get(name, 0) == both


def test_the_interval_is_over_pictures_and_one_picture_has_none():
    good, bad = ([[HAIR] * 10], truth([HAIR] * 10)), ([[FACE] * 10], truth([HAIR] * 10))
    assert score([good]).labels["hair"].ci == (1, 1)
    found = score([good, bad] * 20)
    low, high = found.labels["hair"].ci
    assert low == pytest.approx(0.5 - 1.96 * 0.5 / 40**0.5, abs=0.03)
    assert high == pytest.approx(0.5 + 1.96 * 0.5 / 40**0.5, abs=0.03)
    assert found.mean_ci == found.labels["hair"].ci
    assert score([good, bad] * 20) == found
    blocks = summarise([count(sure(a), t) for a, t in [good, good, bad, bad]], [0, 0, 1, 1])
    assert blocks.labels["hair"].ci == (0, 1)


def test_a_rare_label_has_an_interval_of_the_draws_that_have_it():
    common = ([[HAIR]], truth([HAIR]))
    found = score([common] * 9 + [([[EYEWEAR]], truth([EYEWEAR]))])
    assert found.labels["eyewear"].ci == (1, 1)
    assert found.mean_ci == (1, 1)


def test_an_answer_of_another_size_is_enlarged_and_a_letterbox_taken_off():
    small = sure([[HAIR, FACE]])
    assert overlap(count(small, np.repeat(truth([HAIR, FACE]), 4, axis=1)), HAIR) == (4, 4, 4)
    boxed = sure([[BACKGROUND] * 4, [HAIR] * 4, [HAIR] * 4, [BACKGROUND] * 4])
    wide = np.full((2, 4), HAIR, np.uint8)
    assert overlap(count(boxed, wide, "letterbox"), HAIR) == (8, 8, 8)
    assert overlap(count(boxed, wide), HAIR)[0] < 8


def test_of_equal_labels_the_first_is_found():
    assert likeliest(np.zeros((1, 1, 9), np.uint8), (1, 1)).tolist() == [[BACKGROUND]]


def test_an_answer_of_other_channels_is_refused():
    with pytest.raises(ValueError, match="has not 9 labels"):
        count(np.zeros((1, 1, 6), np.uint8), truth([HAIR]))


def test_the_report_is_plain_json():
    found = score([([[FACE, BODY, HAIR]], truth([ANY_SKIN, BODY, HAIR]))])
    told = json.loads(json.dumps(found.to_dict()))
    assert told["labels"]["hair"] == {"iou": 1, "iou_ci": [1, 1], "pixels": 1, "pictures": 1}
    assert told["mean_iou"] == 1
    assert told["worst"] in ("hair", "body")
    assert set(told["confusion"]) <= set(NAMES)
