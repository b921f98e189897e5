import json

import cv2
import numpy as np
import pytest

from training import datasets, split
from training.datasets import held_out, settle_ignored, voc_person


def test_every_layout_is_read(store):
    from collections import Counter

    counts = Counter(e.source for e in store.entries)
    clothes = {"ccp": 4, "ccp-upper": 4}
    assert counts == {
        "selfies": 12,
        "portraits": 30,
        **clothes,
        "voc-person": 3,
        "cutouts": 3,
        "scenes": 4,
        "talking-heads": 3,
        "things": 3,
    }


def test_labels_are_foreground_whatever_the_layouts_habit(store):
    for number, entry in enumerate(store.entries):
        label = store[number][..., 3]
        share = (label > 127).mean()
        least, most = {"scenes": (0, 0), "things": (1, 1)}.get(entry.source, (0.1, 0.6))
        assert least <= share <= most, entry.name


def test_a_stored_picture_is_what_was_on_disk(store, data):
    entry = store.entries[0]
    number = store.entries.index(entry)
    on_disk = datasets.read_rgb(data / "selfies" / "images" / f"{entry.name.split('/')[1]}.jpg")
    assert np.array_equal(store[number][..., :3], on_disk)


def test_ignored_borders_are_split_in_the_middle():
    ids = np.full((1, 12), 0, np.uint8)
    ids[0, 8:] = 15
    ids[0, 4:8] = 255
    assert voc_person(ids).tolist() == [[0] * 6 + [255] * 6]
    assert settle_ignored(ids, np.ones_like(ids, bool)) is ids


def test_corners_left_black_by_alignment_are_filled_and_dark_hair_is_not():
    picture = np.full((80, 80, 3), 120, np.uint8)
    cv2.fillPoly(picture, [np.array([[0, 0], [30, 0], [0, 30]])], (0, 0, 0))
    picture[40:60, 40:60] = 5
    filled = datasets.without_black_corners(picture)
    assert filled[:28, :28].min() > 90
    assert np.array_equal(filled[40:60, 40:60], picture[40:60, 40:60])


def test_a_thing_is_cut_out_of_its_photo_whose_people_are_left_out(store):
    for number, entry in enumerate(store.entries):
        if entry.source == "things":
            assert store[number].shape == (50, 18, 4)
            assert np.abs(store[number][..., :3].astype(int) - (0, 255, 0)).max() < 2


def test_little_things_and_photos_without_any_are_left_out(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for name, side in (("none", 0), ("little", 9), ("large", 15)):
        mask = np.zeros((100, 100), np.uint8)
        mask[:40, :40], mask[50 : 50 + side, 50 : 50 + side], mask[90:, 90:] = 15, 9, 255
        cv2.imwrite(str(tmp_path / "images" / f"{name}.png"), np.zeros((100, 100, 3), np.uint8))
        cv2.imwrite(str(tmp_path / "masks" / f"{name}.png"), mask)
    (photo,) = datasets.voc_things(tmp_path)
    assert photo.read()[0].shape == (15, 15, 3)
    assert photo.group == f"{tmp_path.name}/large"


def test_things_of_a_held_out_photo_are_held_back(store):
    """Their cut-outs look like nothing in particular: only the photo's name tells."""
    kept = {store.entries[i].group for i in split.split(store).train if store.entries[i].source == "things"}
    there = {e.group for e in store.entries if e.source == "things"}
    assert there - kept == {group for group in there if held_out(group)} != set()


def test_ccp_is_split_by_photo_number_across_both_folders(store):
    groups = {e.source: {x.group for x in store.entries if x.source == e.source} for e in store.entries}
    assert groups["ccp"] == groups["ccp-upper"]


def test_no_validation_photo_nor_its_near_duplicate_is_trained_on(store):
    chosen = split.split(store)
    assert chosen.validation
    assert not set(chosen.train) & set(chosen.validation)
    groups = {store.entries[i].group for i in chosen.validation}
    assert not groups & {store.entries[i].group for i in chosen.train}
    against = np.stack([split.thumbnail(store[i]) for i in chosen.validation])
    trained = np.stack([split.thumbnail(store[i]) for i in chosen.train])
    assert not split.near(trained, against).any()


@pytest.mark.parametrize("change", ["same", "mirrored", "smaller", "jpeg", "lighter"])
def test_a_near_duplicate_of_a_foreign_validation_photo_is_kept_out(store, change):
    number = next(i for i, e in enumerate(store.entries) if e.source == "selfies")
    picture = np.ascontiguousarray(store[number][..., :3])
    if change == "mirrored":
        picture = np.ascontiguousarray(picture[:, ::-1])
    if change == "smaller":
        picture = cv2.resize(picture, (41, 52), interpolation=cv2.INTER_AREA)
    if change == "jpeg":
        picture = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1)
    if change == "lighter":
        picture = cv2.convertScaleAbs(picture, alpha=0.8, beta=40)
    chosen = split.split(store, [picture])
    assert number not in chosen.train
    assert number in chosen.duplicates


def test_a_tenth_of_groups_is_held_out_for_ever():
    held = [i for i in range(2000) if held_out(f"ccp/{i:04d}")]
    assert 150 < len(held) < 250
    assert held[:3] == [i for i in range(held[2] + 1) if held_out(f"ccp/{i:04d}")]


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), values)


GREY, MASK = np.full((20, 30, 3), 90, np.uint8), np.zeros((20, 30), np.uint8)
MASK[5:15, 5:15] = 255


def one(photos):
    (photo,) = photos
    picture, label = photo.read()
    assert picture.shape == (20, 30, 3)
    assert np.array_equal(label > 127, MASK > 127)
    return photo


def test_supervisely(tmp_path):
    save(tmp_path / "ds1" / "img" / "a.png", GREY)
    save(tmp_path / "ds1" / "masks_machine" / "a.png", MASK // 255)
    assert one(datasets.supervisely(tmp_path)).policy == "all people"


def test_aisegment(tmp_path):
    save(tmp_path / "clip_img" / "1803" / "clip_00000" / "1803-1.jpg", GREY)
    save(tmp_path / "matting" / "1803" / "matting_00000" / "1803-1.png", np.dstack([GREY, MASK]))
    assert one(datasets.aisegment(tmp_path)).group == "aisegment/1803"


def test_p3m(tmp_path):
    save(tmp_path / "train" / "blurred_image" / "p_1.jpg", GREY)
    save(tmp_path / "train" / "mask" / "p_1.png", MASK)
    assert one(datasets.p3m(tmp_path)).source == "p3m"


def test_davis_reads_only_the_clips_it_is_told_hold_people(tmp_path):
    for clip in ("parkour", "bear"):
        save(tmp_path / "JPEGImages" / "480p" / clip / "00000.jpg", GREY)
        save(tmp_path / "Annotations" / "480p" / clip / "00000.png", MASK // 255)
    assert one(datasets.davis(tmp_path, frozenset({"parkour"}))).group == "davis/parkour"


def test_coco(tmp_path):
    save(tmp_path / "train2017" / "1.jpg", GREY)
    box = [5, 5, 15, 5, 15, 15, 5, 15]
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "segmentation": [box], "iscrowd": 0, "area": 100}
    instances = {
        "images": [{"id": 1, "file_name": "1.jpg", "height": 20, "width": 30}],
        "annotations": [annotation],
        "categories": [{"id": 1, "name": "person"}],
    }
    save(tmp_path / "annotations" / "x.png", GREY)
    (tmp_path / "annotations" / "instances_train2017.json").write_text(json.dumps(instances))
    one(datasets.coco_person(tmp_path))


def test_a_mask_of_another_size_is_named_and_left_out(tmp_path):
    from training import store as stores

    save(tmp_path / "selfies" / "images" / "a.jpg", GREY)
    save(tmp_path / "selfies" / "masks" / "a.png", MASK[:10])
    words = []
    with pytest.raises(ValueError, match="nothing to train on"):
        stores.build(tmp_path / "store", datasets.development(tmp_path), report=words.append)
    assert "a.png" in words[0]
    assert "does not fit" in words[0]


def two_figures():
    """A large figure in two parts, an arm's width apart, and a small bystander."""
    label = np.zeros((100, 100), np.uint8)
    label[20:90, 10:40] = label[40:60, 41:50] = 255
    label[60:90, 75:90] = 200
    return label


def test_the_main_person_is_the_largest_figure_with_its_parts():
    main = datasets.largest_person(two_figures())
    assert main[20:90, 10:40].min() == main[40:60, 41:50].min() == 255
    assert main[:, 75:].max() == 0


def test_bystanders_are_settled_by_the_label_policy(data):
    def photo(policy, kind=datasets.PHOTO):
        def read():
            return np.zeros((100, 100, 3), np.uint8), two_figures()

        return datasets.Photo("source", f"{policy} {kind}", "group", kind, policy, read)

    everyone, one, keyed = photo("all people"), photo("main person"), photo("main person", datasets.KEYED)
    photos = [everyone, one, keyed]
    assert list(datasets.settle(photos, "as they are")) == photos
    assert list(datasets.settle(photos, "all people")) == [everyone, keyed]
    settled = list(datasets.settle(photos, "main person"))
    assert [p.name for p in settled] == [p.name for p in photos]
    assert settled[0].read()[1][:, 75:].max() == 0
    assert settled[1] is one
