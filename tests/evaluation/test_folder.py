import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluation.folder import NothingLeft, meaning, read
from evaluation.pictures import Unusable

RED = (200, 30, 30)


def put(folder: Path, name: str, mask: np.ndarray | None, size=(12, 10), ending="jpg", **how) -> None:
    """A picture of (height, width) `size` and its mask."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    height, width = size
    Image.new("RGB", (width, height), RED).save(folder / "images" / f"{name}.{ending}", **how)
    if mask is not None:
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")


def mask(*values: int, size=(12, 10)) -> np.ndarray:
    """Columns of the values in turn, of one width."""
    return np.array(values, np.uint8)[np.arange(size[1]) * len(values) // size[1]][None].repeat(size[0], 0)


def labels(path: Path) -> dict[str, list[int]]:
    """The label values of each frame, first row, by name."""
    return {
        n: list(dict.fromkeys(c.read(i)[1][0].tolist())) for c in read(path).clips for i, n in enumerate(c.frame_names)
    }


def test_stills_with_0_255_masks(tmp_path):
    put(tmp_path, "a", mask(0, 255))
    put(tmp_path, "b", mask(255, 0), ending="png")
    found = read(tmp_path)
    assert [clip.name for clip in found.clips] == ["a", "b"]
    assert found.problems == []
    assert all(clip.still for clip in found.clips)
    picture, label = found.clips[0].read(0)
    assert picture.shape == (12, 10, 3)
    assert picture.dtype == label.dtype == np.uint8
    assert np.abs(picture[5, 5].astype(int) - RED).max() < 5
    assert label[0].tolist() == [0] * 5 + [1] * 5
    assert np.array_equal(found.clips[0].label(0), label)


def test_one_subfolder_a_clip_in_natural_order(tmp_path):
    for i in (10, 9, 11):
        put(tmp_path / "take2", f"frame_{i}", mask(0, 255))
    put(tmp_path / "take10", "0", mask(0, 255))
    put(tmp_path / "take10", "1", mask(0, 255))
    (tmp_path / "notes").mkdir()
    found = read(tmp_path)
    assert [(clip.name, len(clip)) for clip in found.clips] == [("take2", 3), ("take10", 2)]
    assert found.clips[0].frame_names == ("take2/frame_9", "take2/frame_10", "take2/frame_11")
    assert found.description == f"{tmp_path.name}: 2 clips of 5 frames."


def test_every_fault_is_named_and_the_rest_is_used(tmp_path):
    put(tmp_path, "good", mask(0, 255))
    put(tmp_path, "lonely", None)
    put(tmp_path, "small", mask(0, 255, size=(6, 5)))
    put(tmp_path, "empty", mask(0, 255))
    (tmp_path / "masks/empty.png").write_bytes(b"")
    put(tmp_path, "text", mask(0, 255))
    (tmp_path / "images/text.jpg").write_text("not a picture at all")
    put(tmp_path, "torn", mask(0, 255, size=(90, 80)))
    noise = np.random.default_rng(0).integers(0, 255, (90, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "images/torn.jpg")
    whole = (tmp_path / "images/torn.jpg").read_bytes()
    (tmp_path / "images/torn.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    put(tmp_path, "tornmask", np.random.default_rng(0).choice(np.uint8([0, 255]), (12, 10)))
    whole = (tmp_path / "masks/tornmask.png").read_bytes()
    (tmp_path / "masks/tornmask.png").write_bytes(whole[: len(whole) // 2])
    put(tmp_path, "colour", np.random.default_rng(0).integers(0, 255, (12, 10, 3), dtype=np.uint8))
    put(tmp_path, "twice", mask(0, 255))
    put(tmp_path, "twice", mask(0, 255), ending="png")
    Image.fromarray(mask(0, 255)).save(tmp_path / "masks/orphan.png")
    (tmp_path / "images/movie.mp4").write_bytes(b"x")
    (tmp_path / "images/.DS_Store").write_bytes(b"x")
    found = read(tmp_path)
    assert [clip.name for clip in found.clips] == ["good", "twice"]
    told = {problem.split(": ")[0]: problem.split(": ", 1)[1] for problem in found.problems}
    assert told.keys() == {
        "images/lonely.jpg", "masks/small.png", "masks/empty.png", "images/text.jpg", "images/torn.jpg",
        "masks/tornmask.png", "masks/colour.png", "images/twice.png", "masks/orphan.png", "images/movie.mp4",
    }  # fmt: skip
    assert told["images/lonely.jpg"] == "has no mask lonely.png"
    assert told["masks/small.png"] == "is 5x6, its picture 10x12"
    assert told["masks/empty.png"] == "is an empty file"
    assert told["images/text.jpg"] == "cannot be read (not a picture of JPEG, PNG, WEBP, BMP, TIFF)"
    assert told["masks/orphan.png"] == "has no picture of its name"
    assert "truncated" in told["images/torn.jpg"]
    assert "10 problems" in found.description


def test_a_frame_of_another_size_leaves_its_clip(tmp_path):
    put(tmp_path / "run", "0", mask(0, 255))
    put(tmp_path / "run", "1", mask(0, 255, size=(6, 5)), size=(6, 5))
    put(tmp_path / "run", "2", mask(0, 255))
    found = read(tmp_path)
    assert found.clips[0].frame_names == ("run/0", "run/2")
    assert found.problems == ["run/images/1.jpg: not of the size of its clip's first frame"]


@pytest.mark.parametrize(
    ("prepare", "sentence"),
    [
        (lambda root: root.rmdir(), "there is no such folder"),
        (lambda root: None, "holds neither images/ and masks/ nor subfolders with the two"),
        (lambda root: put(root, "a", None), r"nothing left to use, 1 problem: images/a.jpg: has no mask a.png"),
        (lambda root: (root / "images").mkdir(), "masks: there is no such folder"),
        (lambda root: [(root / "run" / part).mkdir(parents=True) for part in ("images", "masks")], "masks/ are empty"),
        (lambda root: put(root, "a", mask(0, 3, 7)), "class ids need a classes.json"),
    ],
)
def test_nothing_left_says_why(tmp_path, prepare, sentence):
    root = tmp_path / "data"
    root.mkdir()
    prepare(root)
    with pytest.raises(NothingLeft, match=sentence) as caught:
        read(root)
    assert "\n" not in str(caught.value)


def test_class_ids_with_a_person(tmp_path):
    put(tmp_path, "a", mask(0, 7, 15, 255))
    put(tmp_path, "b", mask(0, 255))  # only background and the void around something small
    put(tmp_path, "c", mask(0, 15))
    (tmp_path / "classes.json").write_text(
        json.dumps({0: "background", 7: "car", 15: "Person", 255: "void/boundary (ignore)"})
    )
    assert labels(tmp_path) == {"a": [0, 1, 255], "b": [0, 255], "c": [0, 1]}


def test_class_ids_of_clothes_count_all_but_the_background(tmp_path):
    put(tmp_path, "a", mask(0, 2, 41, 1))
    (tmp_path / "classes.json").write_text(json.dumps(["null", "bag", "shirt"] + ["more"] * 39))
    assert labels(tmp_path) == {"a": [0, 1]}


def test_a_class_nobody_named_is_a_fault_of_its_mask(tmp_path):
    put(tmp_path, "a", mask(0, 1))
    put(tmp_path, "b", mask(0, 9))
    put(tmp_path, "c", mask(255, 255))
    (tmp_path / "classes.json").write_text('{"0": "background", "1": "person"}')
    found = read(tmp_path)
    assert [clip.name for clip in found.clips] == ["a"]
    assert found.problems == [
        "masks/b.png: holds 9, which classes.json does not name",
        "masks/c.png: no pixel of it is to be judged",
    ]


def test_a_damaged_class_list_is_named(tmp_path):
    put(tmp_path, "a", mask(0, 1))
    (tmp_path / "classes.json").write_text('{"person": 15}')
    with pytest.raises(NothingLeft, match=r"classes\.json is not"):
        read(tmp_path)


def test_a_clip_may_have_classes_of_its_own(tmp_path):
    put(tmp_path / "x", "0", mask(0, 1, 2))
    put(tmp_path / "y", "0", mask(0, 1, 2))
    (tmp_path / "classes.json").write_text('["background", "person", "dog"]')
    (tmp_path / "y/classes.json").write_text('["background", "dog", "person"]')
    first, second = read(tmp_path).clips
    assert first.label(0)[0, 4] == 1
    assert first.label(0)[0, 9] == 0
    assert second.label(0)[0, 4] == 0
    assert second.label(0)[0, 9] == 1


@pytest.mark.parametrize(
    ("values", "soft", "classes", "expected"),
    [
        ({0}, True, None, {0: 0}),
        ({0, 255}, True, None, {0: 0, 255: 1}),
        ({255}, True, None, {255: 1}),
        ({0, 1}, True, None, {0: 0, 1: 1}),
        ({0, 15}, True, None, {0: 0, 15: 1}),
        ({0, 1, 255}, True, None, {0: 0, 1: 1, 255: 255}),
        (set(range(256)), True, None, {0: 0, 127: 0, 128: 1, 255: 1}),
        ({0, 255}, True, {0: "background", 15: "person"}, {0: 0, 255: 1}),
        ({0, 15, 255}, True, {0: "background", 15: "person"}, {0: 0, 15: 1, 255: 255}),
        ({0, 1, 2}, True, {0: "background", 1: "person", 2: "ignored crowd"}, {1: 1, 2: 255}),
        ({0, 128, 255}, True, {0: "no", 128: "ignore", 255: "person"}, {0: 0, 128: 255, 255: 1}),
    ],
)
def test_what_values_mean(values, soft, classes, expected):
    table, _ = meaning([frozenset(values)], soft, classes)
    assert {value: table[value] for value in expected} == expected


@pytest.mark.parametrize(("values", "soft"), [({0, 1, 2}, True), ({*range(21), 255}, True), (set(range(256)), False)])
def test_class_ids_that_nobody_named_are_refused(values, soft):
    with pytest.raises(Unusable, match=r"class ids need a classes\.json"):
        meaning([frozenset(values)], soft, None)


def test_a_soft_mask_is_cut_in_its_middle(tmp_path):
    ramp = np.full((40, 100), 255, np.uint8)
    ramp[:, :30] = 0
    ramp[:, 30:42] = np.linspace(0, 255, 12)
    put(tmp_path, "a", ramp, size=(40, 100))
    assert read(tmp_path).clips[0].label(0)[0].tolist() == [0] * 36 + [1] * 64


def test_a_grey_picture_in_the_place_of_a_mask_is_refused(tmp_path):
    put(tmp_path, "a", np.tile(np.linspace(0, 255, 100).astype(np.uint8), (40, 1)), size=(40, 100))
    with pytest.raises(NothingLeft, match=r"class ids need a classes\.json"):
        read(tmp_path)


def test_other_ways_to_store_a_mask(tmp_path):
    put(tmp_path, "palette", None)
    indices = Image.fromarray(mask(0, 255), "L").convert("P")
    indices.putdata((mask(0, 255) // 255).ravel().tolist())
    indices.putpalette([9, 9, 9, 200, 0, 0])
    indices.save(tmp_path / "masks/palette.png")
    put(tmp_path, "bits", None)
    Image.fromarray(mask(0, 255)).convert("1").save(tmp_path / "masks/bits.png")
    put(tmp_path, "grey_in_rgb", (mask(0, 255) // 255)[..., None].repeat(3, -1))
    put(tmp_path, "sixteen", (mask(0, 255) // 255).astype(np.uint16))
    assert labels(tmp_path) == {name: [0, 1] for name in ("bits", "grey_in_rgb", "palette", "sixteen")}


def test_a_phones_rotation_mark_is_obeyed(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    put(tmp_path, "a", mask(0, 255, size=(10, 12)), size=(12, 10), exif=turned)
    picture, label = read(tmp_path).clips[0].read(0)
    assert picture.shape[:2] == label.shape == (10, 12)


def test_frames_are_read_when_their_turn_comes(tmp_path):
    put(tmp_path, "a", mask(0, 255))
    found = read(tmp_path)
    put(tmp_path, "a", mask(255, 0))
    assert found.clips[0].label(0)[0, 0] == 1


def save(folder, name, image):
    """A mask in its own way beside a plain picture."""
    put(folder, name, None, size=(image.height, image.width))
    image.save(folder / "masks" / f"{name}.png")


def transparent(colours, alpha):
    return Image.fromarray(np.dstack([colours, colours, colours, alpha]), "RGBA")


def test_an_indexed_mask_of_greys_is_its_greys_and_with_class_names_its_indices(tmp_path):
    white_first = Image.fromarray(mask(1, 0), "P")
    white_first.putpalette([255, 255, 255, 0, 0, 0])
    save(tmp_path, "a", white_first)
    assert labels(tmp_path) == {"a": [0, 1]}
    (tmp_path / "classes.json").write_text('{"0": "background", "1": "person"}')
    assert labels(tmp_path) == {"a": [1, 0]}


def test_the_mask_of_a_transparent_file_is_what_varies(tmp_path):
    white, solid, half = np.full_like(mask(0, 255), 255), np.full_like(mask(0, 255), 255), mask(0, 255)
    save(tmp_path, "alpha", transparent(white, half))
    save(tmp_path, "black_under_alpha", transparent(np.zeros_like(white), half))
    save(tmp_path, "colours", transparent(half, solid))
    save(tmp_path, "both", transparent(half, half))
    assert labels(tmp_path) == {name: [0, 1] for name in ("alpha", "black_under_alpha", "both", "colours")}


def test_two_masks_in_one_file_are_refused(tmp_path):
    alpha = mask(255, 255)
    alpha[:5] = 0
    save(tmp_path, "a", transparent(mask(90, 200), alpha))
    with pytest.raises(NothingLeft, match=r"colours and another in its alpha"):
        read(tmp_path)


def test_masks_of_0_and_1_beside_masks_of_0_and_255(tmp_path):
    put(tmp_path, "a", mask(0, 1))
    put(tmp_path, "b", mask(0, 255))
    assert labels(tmp_path) == {"a": [0, 1], "b": [0, 1]}


def test_a_soft_mask_among_hard_ones_is_judged_and_class_ids_among_them_are_left_out(tmp_path):
    for name in "abc":
        put(tmp_path, name, mask(0, 255, size=(40, 100)), size=(40, 100))
    put(tmp_path, "hair", np.tile(np.linspace(0, 255, 100).astype(np.uint8), (40, 1)), size=(40, 100))
    put(tmp_path, "ids", np.tile(np.arange(100, dtype=np.uint8) // 25, (40, 1)), size=(40, 100))
    found = read(tmp_path)
    assert sorted(clip.name for clip in found.clips) == ["a", "b", "c", "hair"]
    assert found.problems == ["masks/ids.png: holds 4 values among masks of 0 and 255"]


def test_16_bit_grey_pictures_keep_their_middle(tmp_path):
    put(tmp_path, "a", mask(0, 255, size=(10, 12)), size=(10, 12))
    Image.fromarray(np.full((10, 12), 128 * 257, np.uint16)).save(tmp_path / "images/a.png")
    (tmp_path / "images/a.jpg").unlink()
    picture, _ = read(tmp_path).clips[0].read(0)
    assert (picture == 128).all()


def test_names_are_the_same_however_a_system_writes_an_accent(tmp_path):
    put(tmp_path, "Jos\u00e9", mask(0, 255))
    (tmp_path / "masks/Jos\u00e9.png").rename(tmp_path / "masks/Jose\u0301.png")
    assert labels(tmp_path) == {"Jos\u00e9": [0, 1]}


def test_a_number_that_is_no_decimal_is_part_of_a_name(tmp_path):
    put(tmp_path, "1\u00b23", mask(0, 255))
    assert labels(tmp_path) == {"1\u00b23": [0, 1]}


def test_class_names_with_a_byte_order_mark_and_people_in_the_plural(tmp_path):
    put(tmp_path, "a", mask(3, 15))
    (tmp_path / "classes.json").write_bytes(b'\xef\xbb\xbf{"3": "chair",\r\n"15": "People"}')
    assert labels(tmp_path) == {"a": [0, 1]}


def said(path: Path) -> str:
    return "\n".join(read(path).masks)


def test_how_masks_are_read_and_the_persons_share_are_told(tmp_path):
    put(tmp_path / "x", "0", mask(0, 255))
    put(tmp_path / "y", "0", mask(0, 1, 2))
    (tmp_path / "y/classes.json").write_text('["background", "people", "dog"]')
    assert said(tmp_path) == (
        "Masks: 0 is background and 255 person (1 of them); class ids of classes.json, person is 1 (people) (1 of "
        "them). The person takes 40.0 % of the pixels."
    )


def test_people_beside_other_classes_are_the_person_and_a_list_without_is_told(tmp_path):
    put(tmp_path, "a", mask(0, 1, 2))
    (tmp_path / "classes.json").write_text('{"0": "sky", "1": "people", "2": "car"}')
    assert read(tmp_path).clips[0].label(0)[0, [0, 4, 9]].tolist() == [0, 1, 0]
    (tmp_path / "classes.json").write_text('{"0": "sky", "1": "shirt", "2": "hat"}')
    assert "names no person: person is every class but 0" in said(tmp_path)


@pytest.mark.parametrize(("values", "words"), [((0, 0), "is person"), ((255, 255), "is background")])
def test_a_set_without_person_or_background_is_a_warning(tmp_path, values, words):
    put(tmp_path, "a", mask(*values))
    assert f"Warning: no pixel of any mask {words}" in said(tmp_path)


def test_a_set_that_looks_inverted_is_a_warning_and_a_face_that_fills_the_picture_is_not(tmp_path):
    person = np.zeros((60, 60), np.uint8)
    person[15:, 15:45] = 255
    put(tmp_path / "right", "a", person, size=(60, 60))
    put(tmp_path / "inverted", "a", 255 - person, size=(60, 60))
    face = np.full((60, 60), 255, np.uint8)
    face[:, :5] = 0
    put(tmp_path / "face", "a", face, size=(60, 60))
    assert "inverted" not in said(tmp_path / "right")
    assert "the masks look inverted: the person takes 100 % of the top edges" in said(tmp_path / "inverted")
    assert "inverted" not in said(tmp_path / "face")


def test_a_palette_of_one_grey_is_read_by_its_indices(tmp_path):
    hidden = Image.fromarray(mask(0, 1), "P")
    hidden.putpalette([255, 255, 255, 255, 255, 255])
    save(tmp_path, "a", hidden)
    assert labels(tmp_path) == {"a": [0, 1]}


def test_a_mask_that_lies_as_its_picture_is_stored_is_turned_with_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = mask(0, 255)
    put(tmp_path, "a", stored, exif=exif)
    label = read(tmp_path).clips[0].label(0)
    assert np.array_equal(label, np.rot90(stored // 255, -1))
    assert "1 of the masks lie as their pictures are stored" in said(tmp_path)


def test_a_turn_that_the_size_does_not_show_is_a_warning(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    put(tmp_path, "a", mask(0, 255), exif=exif)
    assert "1 pictures have a rotation mark that keeps their size" in said(tmp_path)


def test_a_mask_with_a_rotation_mark_of_its_own_is_turned_by_it(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3
    put(tmp_path, "a", None)
    Image.fromarray(mask(0, 255)).save(tmp_path / "masks/a.png", exif=exif)
    assert labels(tmp_path) == {"a": [1, 0]}


def test_16_bit_masks_of_0_and_all_ones_are_read_and_what_would_lose_bits_is_refused(tmp_path):
    import cv2

    put(tmp_path, "a", mask(0, 255).astype(np.uint16) * 257)
    assert labels(tmp_path) == {"a": [0, 1]}
    put(tmp_path, "b", None)
    cv2.imwrite(str(tmp_path / "masks/b.png"), np.dstack([mask(0, 1)] * 3).astype(np.uint16))
    assert read(tmp_path).problems == ["masks/b.png: has 16 bits a channel; a mask has 8"]


def chunk(kind: bytes, content: bytes) -> bytes:
    import struct
    import zlib

    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP", b"iTXt"])
def test_a_bomb_of_text_or_profile_costs_its_file_or_nothing(tmp_path, kind):
    import io
    import zlib

    put(tmp_path, "good", mask(0, 255))
    put(tmp_path, "bomb", mask(0, 255))
    bytes_ = io.BytesIO()
    Image.fromarray(mask(0, 255)).save(bytes_, "PNG")
    whole = bytes_.getvalue()
    packed = zlib.compress(b"\0" * 100_000_000, 9)
    inside = {b"zTXt": b"k\0\0", b"iCCP": b"k\0\0", b"iTXt": b"k\0\1\0\0\0"}[kind] + packed
    (tmp_path / "masks/bomb.png").write_bytes(whole[:33] + chunk(kind, inside) + whole[33:])
    found = read(tmp_path)
    assert "good" in [clip.name for clip in found.clips]
    assert all(problem.startswith("masks/bomb.png: cannot be read") for problem in found.problems)


def test_a_picture_of_too_many_pixels_is_left_out_by_name(tmp_path):
    put(tmp_path, "good", mask(0, 255))
    put(tmp_path, "huge", None, size=(12_000, 12_000), ending="png")
    Image.new("L", (12_000, 12_000)).save(tmp_path / "masks/huge.png")
    assert read(tmp_path).problems == ["images/huge.png: has 12000x12000 pixels, more than 100 million"]


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "L", "P", "RGBA"])
def test_pictures_of_other_modes_are_rgb(tmp_path, mode):
    put(tmp_path, "a", mask(0, 255))
    ending = "png" if mode in ("P", "RGBA") else "jpg"
    (tmp_path / "images/a.jpg").unlink()
    Image.new("RGB", (10, 12), (204, 204, 204)).convert(mode).save(tmp_path / f"images/a.{ending}")
    picture, _ = read(tmp_path).clips[0].read(0)
    assert np.abs(picture.astype(int) - 204).max() <= 3


def test_what_a_name_says_is_not_believed(tmp_path):
    put(tmp_path, "good", mask(0, 255))
    put(tmp_path, "script", mask(0, 255))
    (tmp_path / "images/script.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 12\nshowpage\n")
    put(tmp_path, "lossy", mask(0, 255))
    Image.fromarray(mask(0, 255)).save(tmp_path / "masks/lossy.png", "JPEG")
    assert sorted(read(tmp_path).problems) == [
        "images/script.jpg: cannot be read (not a picture of JPEG, PNG, WEBP, BMP, TIFF)",
        "masks/lossy.png: cannot be read (not a picture of PNG)",
    ]


def test_names_that_are_not_utf_8_are_told_as_escapes(tmp_path):
    put(tmp_path, "a", mask(0, 255))
    for part, ending in (("images", "jpg"), ("masks", "png")):
        (tmp_path / part / f"a.{ending}").rename(tmp_path / part / f"Jos\udce9.{ending}")
    assert labels(tmp_path) == {"Jos\\xe9": [0, 1]}


def test_special_files_are_named_and_not_opened(tmp_path):
    import os

    put(tmp_path, "a", mask(0, 255))
    os.mkfifo(tmp_path / "masks/pipe.png")
    os.mkfifo(tmp_path / "classes.json")
    with pytest.raises(NothingLeft, match=r"classes\.json: is a named pipe, not a regular file"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"1": "person", "1": "car"}', "twice"),
        ('{"1": "person", " 1": "car"}', "no name, or two"),
        ('{"1": ["person"]}', "no name, or two"),
        ('{"256": "person"}', "outside 0..255"),
        ("3", "is not"),
    ],
)
def test_a_list_of_classes_that_is_none_is_refused_in_words(tmp_path, text, words):
    put(tmp_path, "a", mask(0, 1))
    (tmp_path / "classes.json").write_text(text)
    with pytest.raises(NothingLeft, match=words):
        read(tmp_path)


OURS = {"0": "background", "1": "hair", "2": "face skin", "9": "any skin", "255": "ignore"}


def truths(path: Path, *how) -> list[int]:
    """The codes of the first frame's first row, once each."""
    (first, *_) = read(path, *how).clips
    assert first.read_truth
    return list(dict.fromkeys(first.read_truth(0)[0].tolist()))


def test_a_list_of_our_labels_tells_them_and_the_person_as_before(tmp_path):
    put(tmp_path, "a", mask(0, 1, 2, 9, 255))
    (tmp_path / "classes.json").write_text(json.dumps(OURS))
    assert truths(tmp_path) == [0, 1, 2, 9, 255]
    assert labels(tmp_path) == {"a": [0, 1, 255]}
    found = read(tmp_path)
    assert found.labels == "label ids, 0 is background, 1 is hair, 2 is face, 9 is skin, 255 is not judged"
    assert (found.no_labels, found.own_ids, found.clips[0].tells_person) == ("", False, True)


def test_a_class_that_occurs_and_is_unknown_leaves_the_labels_out_in_one_sentence(tmp_path):
    put(tmp_path, "a", mask(0, 1, 3))
    (tmp_path / "classes.json").write_text('["null", "hair", "moustache", "blazer"]')
    found = read(tmp_path)
    assert found.no_labels.startswith("the masks hold the class 3 (blazer), which is none of our labels; --labels maps")
    assert not found.labelled
    assert labels(tmp_path) == {"a": [0, 1]}
    assert truths(tmp_path, {"blazer": 7}) == [0, 1, 7]
    with pytest.raises(NothingLeft, match=r"hold the class 3 \(blazer\), which is none of our labels and not mapped"):
        read(tmp_path, {"moustache": 2})


def test_a_set_of_hair_alone_does_not_tell_the_person(tmp_path):
    put(tmp_path, "a", mask(0, 1))
    (tmp_path / "classes.json").write_text('["not hair", "hair"]')
    assert truths(tmp_path) == [11, 1]
    assert not read(tmp_path).clips[0].tells_person


def test_a_list_with_a_person_tells_no_labels(tmp_path):
    put(tmp_path, "a", mask(0, 15))
    (tmp_path / "classes.json").write_text('{"0": "background", "15": "person", "7": "car"}')
    found = read(tmp_path, None, True)
    assert (found.labelled, found.labels, found.no_labels) == (False, "", "")


def test_ids_without_a_list_are_ours_only_where_the_caller_says_so(tmp_path):
    put(tmp_path, "a", mask(0, 1, 7, 255))
    with pytest.raises(NothingLeft, match=r"class ids need a classes\.json"):
        read(tmp_path)
    assert truths(tmp_path, None, True) == [0, 1, 7, 255]
    assert read(tmp_path, None, True).own_ids
    put(tmp_path, "b", mask(0, 10))
    with pytest.raises(NothingLeft, match=r"class ids need a classes\.json"):
        read(tmp_path, None, True)


@pytest.mark.parametrize("values", [(0, 255), (0, 1), (0, 1, 255)])
def test_masks_of_a_person_are_no_ids_of_ours(tmp_path, values):
    put(tmp_path, "a", mask(*values))
    assert not read(tmp_path, None, True).labelled
    assert read(tmp_path, None, True).masks == read(tmp_path).masks


def test_a_map_by_number_needs_no_list_and_tells_the_person_too(tmp_path):
    put(tmp_path, "a", mask(3, 5, 8, 12))
    told = {"3": 0, "5": 1, "8": 255, "*": 11}
    assert truths(tmp_path, told) == [0, 1, 255, 11]
    assert read(tmp_path, told).clips[0].label(0)[0, [0, 3, 6, 9]].tolist() == [0, 1, 255, 255]
