"""Readers: folders of other people's layouts become photos with a person mask.

Every reader yields `Photo`s lazily. The label is soft, (H, W) uint8: 0 background, 255 person; where a set marks
pixels "not judged" (VOC's 5-pixel borders) each takes the nearest judged label: the contour runs through the middle.

Sets disagree on bystanders: `main person` sets (selfies, clothing photos, keyed video) label one person, `all people`
sets (VOC, group portraits) everyone. A photo keeps its own truth and says by `policy` which habit it follows; `settle`
makes them agree.

People whose pictures the project shows are never trained on: the man of the clip office-man, which lies among the
validation clips alone, and the speakers in `SHOWN`, whom `speakers` leaves out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.files import refuse_special

Policy = Literal["all people", "main person", "any"]
Labels = Literal["as they are", "all people", "main person"]
Pixels = NDArray[np.uint8]

PHOTO, KEYED, SCENE, UNLABELLED, THING = "photo", "keyed", "scene", "unlabelled", "thing"
THINGS = "things"
"""The source of what is pasted beside people, never drawn by itself."""
SHOWN = frozenset({"sbia1a", "sbwe5n", "swiz3n"})
"""Speakers of talking-heads who are in the embedded sample: no network trains on them."""
VERSION = 3
"""Of what the readers make of a folder: a store that another version decoded is decoded anew."""
TRAIN_ONLY = frozenset({"selfies", "cutouts"})
"""Sources without a held-out tenth: selfies have validation sets of their own, cut-outs are no whole pictures."""


@dataclass(frozen=True)
class Photo:
    """One picture on disk. `group` names what must not be split: a photo number, a signer, a speaker, a clip."""

    source: str
    name: str
    group: str
    kind: str
    policy: Policy
    read: Callable[[], tuple[Pixels, Pixels | None]] = field(repr=False)
    """() -> (picture (H, W, 3) uint8 RGB, label (H, W) uint8 or None when unlabelled)."""


def held_out(group: str, share: int = 10) -> bool:
    """Whether a group belongs to validation: one in `share`, by the hash of its name, the same for ever."""
    return int(hashlib.sha1(group.encode()).hexdigest(), 16) % share == 0


def read_rgb(path: Path) -> Pixels:
    """(H, W, 3) uint8 RGB; ValueError when the file is no picture."""
    import cv2

    refuse_special(path)
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise ValueError(f"{path}: not a picture that can be read")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]


def read_grey(path: Path) -> Pixels:
    """(H, W) uint8, class ids of a palette file as they are; ValueError when the file is no picture."""
    from PIL import Image

    from evaluation.pictures import PICTURE_FORMATS

    refuse_special(path)
    try:
        with Image.open(path, formats=PICTURE_FORMATS) as image:
            return np.asarray(image if image.mode in ("L", "P") else image.convert("L"), np.uint8)
    # A damaged file makes Pillow raise nearly anything.
    except Exception:
        raise ValueError(f"{path}: not a mask that can be read") from None


def settle_ignored(label: Pixels, ignored: NDArray[np.bool_]) -> Pixels:
    """`label` with every ignored pixel given the value of the nearest judged one."""
    if not ignored.any() or ignored.all():
        return label
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(ignored, return_distances=False, return_indices=True)
    return label[tuple(nearest)]


def _pair(image: Path, mask: Path, to_label: Callable[[Pixels], Pixels]) -> Callable[[], tuple[Pixels, Pixels]]:
    def read() -> tuple[Pixels, Pixels]:
        picture, label = read_rgb(image), to_label(read_grey(mask))
        if picture.shape[:2] != label.shape:
            raise ValueError(f"{mask}: {label.shape} does not fit its photo's {picture.shape[:2]}")
        return picture, label

    return read


def binary(mask: Pixels) -> Pixels:
    """0/255 or 0/1 to 0/255."""
    return mask if mask.max(initial=0) > 1 else mask * np.uint8(255)


def any_class(mask: Pixels) -> Pixels:
    """Every class but 0 is person: for sets whose classes are clothes and skin."""
    return np.where(mask > 0, 255, 0).astype(np.uint8)


def voc_person(mask: Pixels) -> Pixels:
    """VOC ids: 15 person, 255 not judged."""
    return settle_ignored(np.where(mask == 15, 255, 0).astype(np.uint8), mask == 255)


def crowded(mask: Pixels) -> Pixels:
    """0 background, 1 person, 255 a crowd, which is not judged."""
    return settle_ignored(np.where(mask == 1, 255, 0).astype(np.uint8), mask == 255)


def pairs(
    folder: Path,
    source: str,
    policy: Policy,
    to_label: Callable[[Pixels], Pixels] = binary,
    group: str | None = None,
    kind: str = PHOTO,
) -> Iterator[Photo]:
    """`images/NAME.jpg` with `masks/NAME.png`; photos without a mask are left out. `group` prefixes the name."""
    for image in sorted((folder / "images").glob("*.*")):
        mask = folder / "masks" / f"{image.stem}.png"
        if mask.exists():
            name = f"{group or source}/{image.stem}"
            yield Photo(source, f"{source}/{image.stem}", name, kind, policy, _pair(image, mask, to_label))


def cutouts(folder: Path, source: str = "cutouts") -> Iterator[Photo]:
    """RGBA pictures: the alpha is the label, what lies behind it is replaced."""
    for path in sorted(folder.glob("*.png")):

        def read(path: Path = path) -> tuple[Pixels, Pixels]:
            import cv2

            rgba = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            if rgba is None or rgba.ndim != 3 or rgba.shape[2] != 4:
                raise ValueError(f"{path}: not an RGBA picture")
            return cv2.cvtColor(rgba[:, :, :3], cv2.COLOR_BGR2RGB), np.ascontiguousarray(rgba[:, :, 3])  # type: ignore

        yield Photo(source, f"{source}/{path.stem}", f"{source}/{path.stem.split('_')[0]}", KEYED, "main person", read)


def speakers(folder: Path, source: str = "talking-heads", every: int = 3) -> Iterator[Photo]:
    """One subfolder a speaker, each with images and masks; the speaker is the group. Those in `SHOWN` are left out."""
    for speaker in sorted(p for p in folder.iterdir() if p.is_dir() and p.name not in SHOWN):
        frames = list(pairs(speaker, source, "main person", kind=KEYED))
        for frame in frames[::every]:
            name = f"{source}/{speaker.name}/{Path(frame.name).name}"
            yield Photo(source, name, f"{source}/{speaker.name}", KEYED, frame.policy, frame.read)


def decode(path: Path, every: int) -> Iterator[tuple[int, Pixels]]:
    """(number, (H, W, 3) uint8 RGB) of each `every`-th frame of a video file."""
    import cv2

    capture = cv2.VideoCapture(str(path))
    number = 0
    while True:
        ok, frame = capture.read()
        if not ok:
            break
        if number % every == 0:
            yield number, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)  # type: ignore[misc]
        number += 1
    capture.release()


def _frames(source: str, path: Path, kind: str, masks: NDArray[np.uint8] | None, every: int) -> Iterator[Photo]:
    for number, picture in decode(path, every):
        label = None if masks is None else masks[min(number, len(masks) - 1)] * np.uint8(255)
        name = f"{source}/{path.stem}/{number:05d}"
        read = partial(_as_they_are, picture, label)
        yield Photo(source, name, f"{source}/{path.stem}", kind, "main person", read)


def _as_they_are(picture: Pixels, label: Pixels | None) -> tuple[Pixels, Pixels | None]:
    return picture, label


def signers(folder: Path, source: str = "signers", every: int = 4) -> Iterator[Photo]:
    """`clips/ID.mp4` with `masks/ID.npz` (key m: uint8 0/1, T x H x W); the clip is the group."""
    for clip in sorted((folder / "clips").glob("*.mp4")):
        masks = np.load(folder / "masks" / f"{clip.stem}.npz")["m"]
        yield from _frames(source, clip, KEYED, masks, every)


def unlabelled_photos(folder: Path, source: str) -> Iterator[Photo]:
    """Pictures for a teacher."""
    for path in sorted(folder.glob("*.jpg")):
        name = f"{source}/{path.stem}"
        yield Photo(source, name, name, UNLABELLED, "any", partial(_unlabelled, path))


def _unlabelled(path: Path) -> tuple[Pixels, None]:
    return without_black_corners(read_rgb(path)), None


def without_black_corners(picture: Pixels) -> Pixels:
    """Pure black regions that reach a corner (left by a rotation to align faces) take the nearest pixel's value."""
    import cv2
    from scipy.ndimage import distance_transform_edt

    height, width = picture.shape[:2]
    dark = np.where(picture.max(2) < 12, 0, 255).astype(np.uint8)
    for corner in ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)):
        if dark[corner[1], corner[0]] == 0:
            cv2.floodFill(dark, None, corner, 128)  # type: ignore[call-overload]
    black = cv2.dilate((dark == 128).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    if not black.any():
        return picture
    nearest = distance_transform_edt(black, return_distances=False, return_indices=True)
    filled = picture[tuple(nearest)]
    return np.where(black[..., None], cv2.GaussianBlur(filled, (0, 0), 3), picture)  # type: ignore[return-value]


def unlabelled_clips(folder: Path, source: str, every: int = 10) -> Iterator[Photo]:
    """Clips for a teacher, each `every`-th frame."""
    for path in sorted(folder.glob("*.*")):
        yield from _frames(source, path, UNLABELLED, None, every)


def voc_things(folder: Path) -> Iterator[Photo]:
    """What stands beside people in VOC's photos, cut out to be pasted elsewhere: its alpha is the label.

    Every class but background and person; photos where such things cover less than a fiftieth are left out.
    """
    for photo in voc_photos_of_things(folder):
        yield replace(photo, read=partial(_cropped, photo.read))


def voc_photos_of_things(folder: Path) -> Iterator[Photo]:
    """The whole photos that `voc_things` cuts, the label being the things."""
    for photo in pairs(folder, THINGS, "any", _things, group=folder.name, kind=THING):
        _, label = photo.read()
        if label is not None and np.count_nonzero(label) >= 0.02 * label.size:
            yield photo


def _things(mask: Pixels) -> Pixels:
    return np.where((mask > 0) & (mask != 15) & (mask != 255), 255, 0).astype(np.uint8)


def _cropped(read: Callable[[], tuple[Pixels, Pixels | None]]) -> tuple[Pixels, Pixels]:
    picture, label = read()
    assert label is not None
    return cropped(picture, label)


def cropped(picture: Pixels, label: Pixels) -> tuple[Pixels, Pixels]:
    """The part of a picture that its label covers, and of the label."""
    rows, columns = np.flatnonzero(label.any(1)), np.flatnonzero(label.any(0))
    part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return picture[part], label[part]


def scenes(folder: Path, source: str = "scenes") -> Iterator[Photo]:
    """Person-free pictures: background and empty-mask training."""
    for path in sorted(folder.rglob("*.jpg")):
        name = f"{source}/{path.relative_to(folder).with_suffix('')}"
        yield Photo(source, name, f"{source}/{path.parent.name}", SCENE, "any", partial(_empty, path))


def _empty(path: Path) -> tuple[Pixels, Pixels]:
    picture = read_rgb(path)
    return picture, np.zeros(picture.shape[:2], np.uint8)


def settle(photos: Iterable[Photo], labels: Labels) -> Iterator[Photo]:
    """The photos with one answer to whether bystanders are people.

    `main person`: sets that label everyone keep the largest person of each photo. `all people`: photos of sets that
    label one person are left out, keyed ones aside (their scenes are replaced), as nobody knows who else is in them.
    `as they are`: every photo its own truth.
    """
    for photo in photos:
        if labels == "main person" and photo.policy == "all people":
            yield replace(photo, policy="main person", read=partial(_main_person, photo.read))
        elif not (labels == "all people" and photo.policy == "main person" and photo.kind == PHOTO):
            yield photo


def _main_person(read: Callable[[], tuple[Pixels, Pixels | None]]) -> tuple[Pixels, Pixels | None]:
    picture, label = read()
    return picture, label if label is None else largest_person(label)


def largest_person(label: Pixels) -> Pixels:
    """The label without all but its largest figure; parts as near as a fiftieth of the longer side are one figure."""
    import cv2

    radius = max(1, max(label.shape) // 100)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    joined = cv2.dilate((label > 127).astype(np.uint8), kernel)
    count, figures = cv2.connectedComponents(joined)
    if count <= 2:
        return label
    areas = np.bincount(figures[label > 127], minlength=count)
    return np.where(figures == int(areas[1:].argmax()) + 1, label, 0).astype(np.uint8)


def development(root: Path, only: Container[str] | None = None) -> Iterator[Photo]:
    """Everything under a folder laid out as: selfies, ccp, ccp-upper, voc-person, portraits, coco-person, cutouts,
    signers, talking-heads, backgrounds, unlabelled; or `only` the folders named. Those not there are passed over."""
    layouts: dict[str, Callable[[Path], Iterator[Photo]]] = {
        "selfies": lambda p: pairs(p, "selfies", "main person"),
        "ccp": lambda p: pairs(p, "ccp", "main person", any_class, group="ccp"),
        "ccp-upper": lambda p: pairs(p, "ccp-upper", "main person", any_class, group="ccp"),
        "voc-person": lambda p: pairs(p, "voc-person", "all people", voc_person),
        "portraits": lambda p: pairs(p, "portraits", "all people"),
        "coco-person": lambda p: pairs(p, "coco-person", "all people", crowded),
        "cutouts": cutouts,
        "signers": signers,
        "talking-heads": speakers,
        "backgrounds": scenes,
        "unlabelled/selfies": lambda p: unlabelled_photos(p, "unlabelled-selfies"),
        "unlabelled/office-faces": lambda p: unlabelled_photos(p, "office-faces"),
        "unlabelled/press-portraits": lambda p: unlabelled_photos(p, "press-portraits"),
        "unlabelled/clips": lambda p: unlabelled_clips(p, "unlabelled-clips"),
    }
    for name, reader in layouts.items():
        if (root / name).is_dir() and (only is None or name in only):
            yield from reader(root / name)


def coco_person(root: Path, split: str = "train2017") -> Iterator[Photo]:
    """COCO: `annotations/instances_SPLIT.json`, pictures in SPLIT/."""
    from converters.extras import missing  # a bare machine with a GPU lacks what that package imports

    if reason := missing("pycocotools"):
        raise ValueError(f"{root}: {reason}")
    from pycocotools.coco import COCO

    coco = COCO(str(root / "annotations" / f"instances_{split}.json"))
    (person,) = coco.getCatIds(catNms=["person"])
    for image_id in sorted(coco.getImgIds(catIds=[person])):
        info = coco.loadImgs(image_id)[0]

        def read(image_id: int = image_id, info: dict[str, Any] = info) -> tuple[Pixels, Pixels]:
            annotations = coco.loadAnns(coco.getAnnIds(imgIds=image_id, catIds=[person]))
            label = np.zeros((info["height"], info["width"]), np.uint8)
            for annotation in annotations:
                label |= coco.annToMask(annotation).astype(np.uint8)
            return read_rgb(root / split / str(info["file_name"])), label * np.uint8(255)

        yield Photo("coco", f"coco/{image_id}", f"coco/{image_id}", PHOTO, "all people", read)


def supervisely(root: Path) -> Iterator[Photo]:
    """Supervisely persons, exported as masks: `*/img/NAME.*` with `*/masks_machine/NAME.png`, 0 background."""
    for image in sorted(root.glob("*/img/*")):
        mask = image.parent.parent / "masks_machine" / f"{image.stem}.png"
        if mask.exists():
            yield Photo("supervisely", f"supervisely/{image.stem}", f"supervisely/{image.stem}", PHOTO, "all people",
                        _pair(image, mask, any_class))  # fmt: skip


def aisegment(root: Path) -> Iterator[Photo]:
    """AISegment matting: `clip_img/G/clip_N/NAME.jpg` with the alpha of `matting/G/matting_N/NAME.png`."""
    for image in sorted((root / "clip_img").glob("*/clip_*/*.jpg")):
        group, clip = image.parts[-3], image.parts[-2]
        matting = root / "matting" / group / clip.replace("clip", "matting") / f"{image.stem}.png"

        def read(image: Path = image, matting: Path = matting) -> tuple[Pixels, Pixels]:
            from PIL import Image

            with Image.open(matting, formats=("PNG",)) as alpha:
                return read_rgb(image), np.asarray(alpha.convert("RGBA"))[:, :, 3].copy()

        if matting.exists():
            yield Photo("aisegment", f"aisegment/{image.stem}", f"aisegment/{group}", PHOTO, "main person", read)


def p3m(root: Path) -> Iterator[Photo]:
    """P3M-10k: `train/blurred_image/NAME.jpg` with the alpha `train/mask/NAME.png`."""
    for image in sorted((root / "train" / "blurred_image").glob("*.jpg")):
        mask = root / "train" / "mask" / f"{image.stem}.png"
        if mask.exists():
            yield Photo("p3m", f"p3m/{image.stem}", f"p3m/{image.stem}", PHOTO, "main person",
                        _pair(image, mask, binary))  # fmt: skip


def davis(root: Path, people: frozenset[str], every: int = 5) -> Iterator[Photo]:
    """DAVIS 2017: `JPEGImages/480p/CLIP/*.jpg`, `Annotations/480p/CLIP/*.png`; only clips named in `people`.

    The object ids do not say which object is a person: the caller names clips in which all of them are.
    """
    for clip in sorted(people):
        for image in sorted((root / "JPEGImages" / "480p" / clip).glob("*.jpg"))[::every]:
            mask = root / "Annotations" / "480p" / clip / f"{image.stem}.png"
            if mask.exists():
                yield Photo("davis", f"davis/{clip}/{image.stem}", f"davis/{clip}", PHOTO, "all people",
                            _pair(image, mask, any_class))  # fmt: skip
