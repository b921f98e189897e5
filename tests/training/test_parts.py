"""Labels that are known in part: what a code allows, how it moves, and what the loss asks for."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from models import checkpoint
from models.hourglass import Hourglass
from models.labels import ANY_SKIN, LABELS, NOT_JUDGED
from models.variant import get
from training import partly, parts, parts_pack
from training.datasets import PHOTO, SCENE, Photo
from training.parts import LabelSampler, Lesson, begin
from training.prior import MIXED
from training.sampler import Law
from training.store import LONGEST_SIDE, Store, build, in_memory

HAIR, CLOTHES = LABELS.index("hair"), LABELS.index("clothes")


def test_a_code_allows_the_labels_that_it_leaves_open():
    allowed = {code: [LABELS[i] for i in np.flatnonzero(row)] for code, row in enumerate(partly.ALLOWED)}
    assert allowed[HAIR] == ["hair"]
    assert allowed[ANY_SKIN] == ["face", "lips", "neck", "body"]
    assert set(allowed[partly.PERSON]) == set(LABELS) - {"background"}
    assert set(allowed[partly.PERSON_NOT_HAIR]) == set(LABELS) - {"background", "hair"}
    assert allowed[NOT_JUDGED] == list(LABELS)


def test_skin_below_the_head_is_the_bodys():
    mask = np.zeros((60, 20), np.uint8)
    mask[2:10, 5:15], mask[10:20, 5:15], mask[20:40, 5:15], mask[45:55, 5:15] = 19, 41, 54, 41
    label = partly.clothing(mask)
    body = LABELS.index("body")
    expected = [HAIR, partly.HEAD_SKIN, ANY_SKIN, CLOTHES, body, 0]
    assert [int(label[y, 10]) for y in (5, 11, 18, 30, 50, 58)] == expected


def test_a_store_keeps_codes_as_they_are(tmp_path):
    label = np.kron(np.array([[0, CLOTHES, ANY_SKIN]], np.uint8), np.ones((500, 167), np.uint8))
    large = Photo("portraits", "a", "a", PHOTO, "any", lambda: (np.repeat(label[..., None], 3, 2), label))
    kept = build(tmp_path, [partly.small(large)])[0]
    assert max(kept.shape) == LONGEST_SIDE
    assert set(np.unique(kept[..., 3])) == {0, CLOTHES, ANY_SKIN}


def test_codes_are_moved_and_never_mixed():
    codes = np.array([0, HAIR, CLOTHES, ANY_SKIN, partly.PERSON], np.uint8)
    # Large enough to be halved on the way.
    label = np.kron(codes.reshape(1, -1), np.ones((300, 60), np.uint8))
    picture = np.repeat(label[..., None] * np.uint8(20), 3, 2)
    scene = np.full((300, 300, 3), 77, np.uint8)
    photos = [
        Photo("portraits", "a", "a", PHOTO, "any", lambda: (picture, label)),
        Photo("scenes", "b", "b", SCENE, "any", lambda: (scene, np.zeros((300, 300), np.uint8))),
    ]
    store = in_memory(photos)
    sampler = LabelSampler(store, (0, 1), Law(size=64, prior=MIXED), seed=3)
    samples = [sampler(i) for i in range(12)]
    assert set(np.unique([sample.targets for sample in samples])) == set(codes.tolist())
    assert all(sample.previous.shape == (64, 64) for sample in samples)
    assert any(sample.previous.any() for sample in samples)


def logits_of(codes: torch.Tensor) -> torch.Tensor:
    """Sure of the label of each code below 9; (N, 2h, 2w) to (N, 9, h, w)."""
    return 20 * F.one_hot(codes[:, ::2, ::2], len(LABELS)).permute(0, 3, 1, 2).float()


def test_the_loss_of_the_truth_is_least_and_a_union_asks_for_no_part_of_it():
    lesson = Lesson(person=0.5)
    codes = torch.zeros(2, 32, 32, dtype=torch.long)
    codes[:, 8:24, 8:16], codes[:, 8:24, 16:24] = HAIR, LABELS.index("neck")
    right = lesson(logits_of(codes), codes, (0, 0))
    wrong = lesson(logits_of(codes.roll(8, 2)), codes, (0, 0))
    assert right < 0.3
    assert wrong > right + 1
    loose = codes.clone()
    loose[codes == LABELS.index("neck")] = ANY_SKIN
    logits = logits_of(codes).requires_grad_()
    lesson(logits, loose, (1, 1)).backward()
    assert logits.grad is not None
    inside = logits.grad[:, :, 6, 10]
    assert inside.abs().max() < 1e-6, "neck is one of the skins"


def test_what_is_not_judged_has_no_gradient():
    codes = torch.full((1, 16, 16), NOT_JUDGED)
    codes[:, :, :8] = HAIR
    logits = torch.randn(1, 9, 8, 8, requires_grad=True)
    Lesson(person=0.0)(logits, codes, (0, 0)).backward()
    assert logits.grad is not None
    assert not logits.grad[..., 4:].any()
    assert logits.grad[..., :4].any()


@pytest.fixture(scope="module")
def live() -> Path:
    path = checkpoint.find("live")
    assert path
    return path


def test_a_network_begins_with_the_person_of_a_mask_network(live: Path):
    torch.manual_seed(0)
    network = Hourglass(get("live-parts")).eval()
    begin(network, live)
    parent = checkpoint.load(live).network()
    frame, prev = torch.rand(1, 3, 64, 96), torch.rand(1, 1, 64, 96)
    with torch.inference_mode():
        person = 1 - F.softmax(network.logits(frame, prev), 1)[:, :1]
        wanted = torch.sigmoid(F.avg_pool2d(parent.logits(frame, prev), 2))
    torch.testing.assert_close(person, wanted, rtol=1e-4, atol=1e-5)


def test_drawn_eyewear_covers_its_frames():
    for seed in range(5):
        picture, shape, cover = partly.drawn(256, np.random.default_rng(seed))
        assert picture.shape == (256, 256, 3)
        assert 1000 < np.count_nonzero(shape) < 12_000
        assert (shape[cover > 0] > 0).all()


@pytest.fixture(scope="module")
def striped(tmp_path_factory) -> Path:
    """A store of six pictures, half of hair and half of clothes."""
    folder = tmp_path_factory.mktemp("striped") / "store"
    label = np.kron(np.array([[HAIR, 0], [CLOTHES, partly.PERSON]], np.uint8), np.ones((96, 64), np.uint8))
    rng = np.random.default_rng(0)
    pictures = [cv2.resize(rng.integers(0, 255, (6, 4, 3), np.uint8), (128, 192)) for _ in range(6)]
    build(
        folder,
        [Photo("portraits", str(i), str(i), PHOTO, "any", partial(_pair, p, label)) for i, p in enumerate(pictures)],
    )
    return folder


def _pair(picture, label):
    return picture, label


def test_a_pack_keeps_every_code_and_nearly_every_colour(striped: Path, tmp_path, capsys):
    assert parts_pack.main([str(striped), "--out", str(tmp_path / "x.pack"), "--side", "96", "--quality", "90"]) == 0
    original, packed = Store.open(striped), in_memory(parts_pack.photos(tmp_path / "x.pack"))
    trained = parts.chosen(original, striped)
    assert f"{len(trained)} pictures" in capsys.readouterr().out
    assert [entry.name for entry in packed.entries] == [original.entries[number].name for number in trained]
    for place, number in enumerate(trained):
        small, large = packed[place], original[number]
        assert small.shape == (96, 64, 4)
        assert np.array_equal(small[..., 3], large[::2, ::2, 3])
        shrunk = cv2.resize(large[..., :3], (64, 96), interpolation=cv2.INTER_AREA).astype(int)
        assert abs(small[..., :3] - shrunk).mean() < 6


def test_what_is_no_pack_is_refused(tmp_path):
    (tmp_path / "x.pack").write_bytes(b"no")
    with pytest.raises(ValueError, match="not a pack that can be read"):
        list(parts_pack.photos(tmp_path / "x.pack"))


def test_a_run_from_a_pack_with_a_teacher_goes_on_where_it_was(striped: Path, tmp_path, live: Path, capsys):
    pack = tmp_path / "x.pack"
    parts_pack.main([str(striped), "--out", str(pack)])
    words = [
        "--pack",
        str(pack),
        "--out",
        str(tmp_path / "run"),
        "--teacher",
        str(live),
        "--batch",
        "2",
        "--size",
        "64",
    ]
    assert parts.main([*words, "--samples", "4"]) == 0
    first = checkpoint.load(tmp_path / "run" / "checkpoint.safetensors")
    assert first.card["training"][-1]["samples"] == 4
    assert parts.main([*words, "--samples", "8"]) == 64, "the rate of another number of samples is another run"
    assert "another run" in capsys.readouterr().err
    assert parts.main([*words, "--samples", "4"]) == 0
    assert "going on at step 2 of 2" in capsys.readouterr().err


def test_a_teachers_answer_is_the_truth_where_no_label_says_who_is_there():
    codes = torch.full((1, 16, 16), NOT_JUDGED)
    codes[:, :2] = 0
    answer = torch.ones(1, 1, 16, 16)
    answer[:, :, :2] = 0
    lesson = Lesson(person=1.0)
    person = torch.zeros(1, 9, 8, 8)
    person[:, 0, :1], person[:, 1, 1:] = 20, 20
    nobody = torch.zeros(1, 9, 8, 8)
    nobody[:, 0] = 20
    assert lesson(person, codes, (0, 0), answer) < 1 < lesson(nobody, codes, (0, 0), answer)
    assert lesson(nobody, codes, (0, 0)) < 0.5


def test_a_teacher_that_contradicts_the_label_counts_only_when_all_of_it_is_trusted():
    codes = torch.zeros(1, 16, 16, dtype=torch.long)
    codes[:, :8] = HAIR
    contrary = (codes == 0).float()[:, None]
    logits = logits_of(codes)
    own = Lesson(person=1.0)(logits, codes, (0, 0))
    assert Lesson(person=1.0)(logits, codes, (0, 0), contrary) == pytest.approx(own.item())
    half, most = (
        Lesson(person=1.0, share=share, trust_all=True)(logits, codes, (0, 0), contrary) for share in (0.5, 0.9)
    )
    assert own + 1 < half < most
