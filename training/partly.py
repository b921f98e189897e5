"""Readers of label maps, whole or partial: photos whose label says for each pixel which of the nine labels it may have.

A label map is (H, W) uint8 of codes: the ids of models/labels.py, its `ANY_SKIN` and `NOT_JUDGED`, and the four of
here. `ALLOWED` says which labels a code allows; what is known of a pixel is that one of these is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from models.labels import ANY_SKIN, BACKGROUND, LABELS, NOT_JUDGED, SKIN
from training import datasets
from training.datasets import PHOTO, UNLABELLED, Photo, Pixels, read_grey, read_rgb
from training.store import shrink

PERSON, NOT_HAIR, PERSON_NOT_HAIR, HEAD_SKIN = 10, 11, 12, 13
HAIR, EYEWEAR, BODY, CLOTHES, ACCESSORY = (
    LABELS.index(name) for name in ("hair", "eyewear", "body", "clothes", "accessory")
)
ALLOWED = np.zeros((256, len(LABELS)), bool)
"""[code, label]: whether a pixel of that code may have that label."""
ALLOWED[: len(LABELS)] = np.eye(len(LABELS), dtype=bool)
ALLOWED[ANY_SKIN, SKIN] = True
ALLOWED[HEAD_SKIN, [LABELS.index(name) for name in ("face", "lips", "neck")]] = True
ALLOWED[PERSON, 1:] = True
ALLOWED[NOT_HAIR] = ~ALLOWED[HAIR]
ALLOWED[PERSON_NOT_HAIR] = ALLOWED[PERSON] & ALLOWED[NOT_HAIR]
ALLOWED[NOT_JUDGED] = True

NINE_CELEB, NINE_UPPER, NINE_CCP = "nine-celeb", "nine-upper", "nine-ccp"
WORN = "eyewear"
"""The source of faces with eyewear, their own or another's."""
SKIN_OF_CCP = 41
OF_CCP = {BACKGROUND: (0,), HAIR: (19,), EYEWEAR: (17, 47), ACCESSORY: (1, 2, 9, 15, 20, 29, 33, 34, 56, 57)}
"""Label -> class ids of Clothing Co-Parsing; skin aside, the others are clothes. As in 95 % of the pixels of the nine
labels of the same photos."""


def development(root: Path, teach: Callable[[Pixels], Pixels]) -> Iterator[Photo]:
    """Everything under a folder of development data, label maps and masks, with codes for labels.

    `teach` gives the person's soft mask (H, W) uint8 of a picture, for those that have none: photos of hair take from
    it what is surely background and surely a person.
    """
    press = root / "unlabelled" / "press-portraits"
    faces = list(_pairs(root / NINE_CELEB, NINE_CELEB, partial(_as_it_is)))
    yield from faces
    yield from with_eyewear([face for face in faces if not datasets.held_out(face.group)])
    whole = partial(with_head, upper=0.12)
    yield from map(small, _pairs(root / "ccp", NINE_CCP, whole, root / "nine-ccp" / "masks", group="ccp"))
    yield from map(small, _pairs(root / "ccp-upper", NINE_UPPER, clothing, group="ccp"))
    for photo in _pairs(root / "hair", "hair", hair):
        yield replace(photo, kind=UNLABELLED, read=partial(_hair_of_person, photo.read, teach))
    for photo in list(_pairs(press, "hair-press", hair, root / "hair-press" / "masks", press))[::4]:
        yield replace(photo, kind=UNLABELLED, read=partial(_hair_of_person, photo.read, teach))
    kept = ("selfies", "portraits", "voc-person", "coco-person", "cutouts", "signers", "talking-heads", "backgrounds",
            "unlabelled/selfies", "unlabelled/office-faces")  # fmt: skip
    for photo in datasets.development(root, kept):
        yield small(replace(photo, read=partial(_person, photo.read, teach)))


def small(photo: Photo) -> Photo:
    """The same not larger than a store keeps it: colours by area, codes by their nearest pixel, never mixed."""
    return replace(photo, read=partial(_small, photo.read))


def _small(read: Callable[[], tuple[Pixels, Pixels | None]]) -> tuple[Pixels, Pixels]:
    import cv2

    picture, label = read()
    assert label is not None
    picture = shrink(picture)
    return picture, np.asarray(cv2.resize(label, picture.shape[1::-1], interpolation=cv2.INTER_NEAREST), np.uint8)


def _pairs(
    folder: Path,
    source: str,
    to_label: Callable[[Pixels], Pixels],
    masks: Path | None = None,
    images: Path | None = None,
    group: str | None = None,
) -> Iterator[Photo]:
    for image in sorted((images or folder / "images").glob("*.jpg")):
        mask = (masks or folder / "masks") / f"{image.stem}.png"
        if mask.is_file():
            read = partial(_read_pair, image, mask, to_label)
            yield Photo(source, f"{source}/{image.stem}", f"{group or source}/{image.stem}", PHOTO, "main person", read)


def _read_pair(image: Path, mask: Path, to_label: Callable[[Pixels], Pixels]) -> tuple[Pixels, Pixels]:
    import cv2

    picture, label = read_rgb(image), to_label(read_grey(mask))
    size = picture.shape[1], picture.shape[0]
    return picture, np.asarray(cv2.resize(label, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _as_it_is(mask: Pixels) -> Pixels:
    return mask


def hair(mask: Pixels) -> Pixels:
    """0 not hair, 1 hair, 255 not judged."""
    return np.where(mask == 0, NOT_HAIR, mask).astype(np.uint8)


def clothing(mask: Pixels) -> Pixels:
    """Class ids of Clothing Co-Parsing. Skin that no hair or eyewear touches is that of the body."""
    codes = np.full(256, CLOTHES, np.uint8)
    for one, ids in OF_CCP.items():
        codes[list(ids)] = one
    label = codes[mask]
    label[mask == SKIN_OF_CCP] = ANY_SKIN
    heads = _at_a_head(label)
    label[(mask == SKIN_OF_CCP) & ~heads] = BODY
    return with_head(label, upper=0.22)


def with_head(label: Pixels, upper: float) -> Pixels:
    """Label maps of standing people: skin that hair or eyewear touches is not the body's in the person's upper share.

    A head is about 0.13 of a whole body's height, and twice that of a half one.
    """
    rows = np.flatnonzero(((label > 0) & (label != NOT_JUDGED)).any(axis=1))
    if not len(rows):
        return label
    heads = _at_a_head(label)
    heads[int(rows[0] + upper * (rows[-1] - rows[0])) :] = False
    return np.where(heads, HEAD_SKIN, label).astype(np.uint8)


def _at_a_head(label: Pixels) -> np.ndarray:
    """Where connected skin is that hair or eyewear touches: (H, W) bool."""
    import cv2

    head = cv2.dilate(np.isin(label, (HAIR, EYEWEAR)).astype(np.uint8), np.ones((7, 7), np.uint8))
    count, parts = cv2.connectedComponents((label == ANY_SKIN).astype(np.uint8))
    touched = np.zeros(count, bool)
    touched[np.unique(parts[head > 0])] = True
    touched[0] = False
    return touched[parts]


def _hair_of_person(
    read: Callable[[], tuple[Pixels, Pixels | None]], teach: Callable[[Pixels], Pixels]
) -> tuple[Pixels, Pixels]:
    picture, label = read()
    assert label is not None
    picture = datasets.without_black_corners(picture)
    mask = teach(picture)
    label = np.where((label == NOT_HAIR) & (mask < 25), BACKGROUND, label)
    return picture, np.where((label == NOT_HAIR) & (mask > 230), PERSON_NOT_HAIR, label).astype(np.uint8)


def _person(
    read: Callable[[], tuple[Pixels, Pixels | None]], teach: Callable[[Pixels], Pixels]
) -> tuple[Pixels, Pixels]:
    picture, mask = read()
    if mask is not None:
        return picture, np.where(mask > 127, PERSON, BACKGROUND).astype(np.uint8)
    mask = teach(picture)
    unsure = (mask > 60) & (mask < 195)
    return picture, np.where(unsure, NOT_JUDGED, np.where(mask > 127, PERSON, BACKGROUND)).astype(np.uint8)


def with_eyewear(faces: Sequence[Photo], seed: int = 0) -> Iterator[Photo]:
    """Aligned faces with eyewear: their own, or that of another face, or drawn. One in ten wears it by itself."""
    counts = [int(np.count_nonzero(face.read()[1] == EYEWEAR)) for face in faces]
    donors = [face for face, count in zip(faces, counts, strict=True) if count > 300]
    for number, (face, count) in enumerate(zip(faces, counts, strict=True)):
        name = face.name.replace(face.source, WORN)
        if count:
            for copy in range(3):
                yield replace(face, source=WORN, name=f"{name}/{copy}")
        elif donors:
            read = partial(_with_eyewear, face, donors, seed + number)
            yield replace(face, source=WORN, name=name, read=read)


def _with_eyewear(face: Photo, donors: Sequence[Photo], seed: int) -> tuple[Pixels, Pixels]:
    import cv2

    rng = np.random.default_rng(seed)
    picture, label = face.read()
    assert label is not None
    size = picture.shape[0]
    if rng.random() < 0.6:
        donor, ids = donors[int(rng.integers(len(donors)))].read()
        assert ids is not None
        worn = np.where(ids == EYEWEAR, 255, 0).astype(np.uint8)
        # The eyes behind the glasses come along.
        if rng.random() < 0.5:
            donor, worn = donor[:, ::-1], worn[:, ::-1]
        pasted, shape = np.ascontiguousarray(donor), np.ascontiguousarray(worn)
        cover = cv2.morphologyEx(shape, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    else:
        pasted, shape, cover = drawn(size, rng)
    turn = cv2.getRotationMatrix2D((size / 2, size * 0.46), float(rng.normal(0, 3)), float(np.exp(rng.normal(0, 0.06))))
    turn = turn + np.array([[0, 0, dx] for dx in rng.normal(0, 0.012 * size, 2)])
    pasted, shape, cover = (cv2.warpAffine(layer, turn, (size, size)) for layer in (pasted, shape, cover))  # type: ignore
    alpha = cv2.GaussianBlur(cover, (3, 3), 0)[..., None].astype(np.float32) / 255
    mixed = picture * (1 - alpha) + pasted * alpha
    # Where hair falls over the face, it falls over the eyewear too.
    over = (label == HAIR) & (rng.random() < 0.5)
    picture = np.where(over[..., None], picture, mixed).astype(np.uint8)
    return picture, np.where((shape > 127) & ~over, EYEWEAR, label).astype(np.uint8)


def drawn(size: int, rng: np.random.Generator) -> tuple[Pixels, Pixels, Pixels]:
    """Glasses at the eyes of an aligned face: picture (S, S, 3), their shape and what they cover of the face (S, S).

    Dark lenses hide the eyes; clear ones are frames, and their lenses count as eyewear as in CelebAMask-HQ.
    """
    import cv2

    scale = size / 256
    picture, shape = np.zeros((size, size, 3), np.uint8), np.zeros((size, size), np.uint8)
    frame = tuple(int(c) for c in (rng.integers(0, 60, 3) if rng.random() < 0.7 else rng.integers(20, 230, 3)))
    lens = tuple(int(c) for c in rng.integers(0, 70, 3))
    dark = rng.random() < 0.5
    width, height, apart = rng.uniform(21, 31), rng.uniform(14, 24), rng.uniform(31, 35)
    thick = max(1, round(float(rng.uniform(1.5, 6)) * scale))
    square = float(rng.uniform(2, 6))
    angle = np.linspace(0, 2 * np.pi, 40)
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / square)
    y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / square)
    cover = shape.copy()
    middle = np.array([128.0, rng.uniform(116, 122)])
    for side in (-1, 1):
        centre = middle + np.array([side * apart, 0])
        outline = np.rint((centre + np.stack([x * width, y * height], -1)) * scale).astype(np.int32)
        hinge = tuple(np.rint((centre + np.array([side * width, -height * 0.4])) * scale).astype(int).tolist())
        ear = tuple(np.rint((middle + np.array([side * rng.uniform(70, 82), -4])) * scale).astype(int).tolist())
        cv2.fillPoly(shape, [outline], 255)
        if dark:
            cv2.fillPoly(picture, [outline], lens)
            cv2.fillPoly(cover, [outline], int(rng.uniform(190, 255)))
        for canvas, colour in ((picture, frame), (shape, 255), (cover, 255)):
            cv2.polylines(canvas, [outline], True, colour, thick)
            cv2.line(canvas, hinge, ear, colour, thick)  # type: ignore[arg-type]
    left, right = ((middle + np.array([side * (apart - width), -3])) * scale for side in (-1, 1))
    for canvas, colour in ((picture, frame), (shape, 255), (cover, 255)):
        cv2.line(canvas, left.astype(int).tolist(), right.astype(int).tolist(), colour, thick)  # type: ignore[arg-type]
    return picture, shape, cover


def write_held_out(root: Path, out: Path) -> None:
    """The tenth of nine-celeb, nine-ccp and hair that is never trained on, as folders of `bench.py evaluate`."""
    import shutil

    import cv2

    sets = {
        NINE_CELEB: (root / NINE_CELEB, root / NINE_CELEB / "masks", NINE_CELEB),
        NINE_CCP: (root / "ccp", root / NINE_CCP / "masks", "ccp"),
        "hair": (root / "hair", root / "hair" / "masks", "hair"),
    }
    for source, (folder, masks, group) in sets.items():
        place = out / f"{source}-held-out"
        for part in ("images", "masks"):
            (place / part).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(masks.parent / "classes.json", place / "classes.json")
        for photo in _pairs(folder, source, _as_it_is, masks, group=group):
            if datasets.held_out(photo.group):
                image = folder / "images" / f"{Path(photo.name).name}.jpg"
                shutil.copyfile(image, place / "images" / image.name)
                cv2.imwrite(str(place / "masks" / f"{image.stem}.png"), photo.read()[1])  # type: ignore[arg-type]
