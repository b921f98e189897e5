import numpy as np

from models.labels import ANY_SKIN, BACKGROUND, LABELS, NOT_JUDGED, SKIN, person


def test_ids_leave_room_for_what_is_not_told():
    assert len(LABELS) == len(set(LABELS)) == ANY_SKIN == 9
    assert NOT_JUDGED > ANY_SKIN
    assert [LABELS[i] for i in SKIN] == ["face", "lips", "neck", "body"]


def test_a_person_is_whatever_is_not_background():
    given = np.random.default_rng(0).dirichlet(np.ones(9), (2, 5)).astype(np.float32)
    mask = person(given)
    assert mask.shape == (2, 5, 1)
    assert mask.dtype == np.float32
    np.testing.assert_allclose(mask, given[..., 1:].sum(-1, keepdims=True), atol=1e-6)
    assert LABELS[BACKGROUND] == "background"
