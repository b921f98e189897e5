"""A second teacher, for whole bodies alone: the segmentation of MediaPipe's BlazePose (heavy), once for each picture.

    python -m training.whole_bodies write --data DATA --out FOLDER     answers for train.py --whole-bodies FOLDER
    python -m training.whole_bodies judge DIR...                       its IOU on pictures and clips with labels

It sees a square around one person and says how sure it is that somebody is there, so that a body that lies or stands on
its head is found by turning the square. Of close-ups it knows less than the selfie network: only figures that end above
the bottom edge are asked about, the others keep their label. `write` goes on where it was stopped.

Masks here are (H, W) uint8, 0 background to 255 person; pictures (H, W, 3) uint8 RGB.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from models.arguments import WRONG_USAGE, ArgumentParser
from models.reference import ReferenceModel
from training.datasets import PHOTO, UNLABELLED, Pixels
from training.distill import agreement, trust
from training.store import Entry, Store

MODEL = ReferenceModel(
    name="blazepose-heavy",
    package="npm:@mediapipe/pose@0.5.1675469404",
    file="pose_landmark_heavy.tflite",
    sha256="59e42d71bcd44cbdbabc419f0ff76686595fd265419566bd4009ef703ea8e1fe",
    licence="Apache-2.0",
    source="https://google.github.io/mediapipe/solutions/pose",
    precision="fp16",
    resolution=(256, 256),
    output="logits",
    output_name="Identity_2",
    layout="NHWC",
    origin="training/whole_bodies.py",
)
"""No segmenter of whole frames, so no entry of references.toml."""
PRESENCE = "Identity_1"
"""The output (1, 1) that says how sure it is, 0 to 1, that a person is in the square."""
MARGIN = 1.35
"""Of the square, in longer sides of the person's box."""
SURE = 0.9
"""Presence from which a square is not turned any further."""
SHARE = 0.5
"""Of an answer in the truth, where it is right."""
SOURCES = frozenset({"ccp", "voc-person", "coco-person", "unlabelled-clips"})
LEAST, MOST = 0.003, 6
"""Figures asked about: the share of the picture that they fill at least, and how many of the largest."""


@dataclass(frozen=True)
class Square:
    """Pixels [left, left + side) x [top, top + side) of a picture; part of it may lie beyond the edges."""

    left: int
    top: int
    side: int


Pose = Callable[[Pixels], tuple[Pixels, float]]
"""(256, 256, 3) uint8 RGB to the mask (256, 256) and the presence."""


def open_pose(threads: int = 1) -> Pose:
    """The published network, downloaded once. BadReferenceModel when it cannot be had."""
    from converters.references import fetch
    from converters.runtimes import LiteRt

    runtime = LiteRt(fetch(MODEL), threads, {})
    (name,) = runtime.inputs

    def pose(square: Pixels) -> tuple[Pixels, float]:
        frame = square[None].astype(np.float32) / np.float32(255)
        logits, presence = runtime.infer({name: frame}, [str(MODEL.output_name), PRESENCE])
        mask = 1 / (1 + np.exp(-logits[0, :, :, 0]))
        return np.rint(mask * 255).astype(np.uint8), float(presence[0, 0])

    return pose


def figures(label: Pixels) -> list[Pixels]:
    """The label of each figure alone, the largest first; parts as near as a fiftieth of the longer side are one."""
    import cv2

    radius = max(1, max(label.shape) // 100)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    person = label > 127
    count, numbers = cv2.connectedComponents(cv2.dilate(person.astype(np.uint8), kernel))
    areas = np.bincount(numbers[person], minlength=count)[1:]
    largest = [i for i in np.argsort(-areas)[:MOST] if areas[i] >= LEAST * label.size]
    return [np.where(numbers == i + 1, label, 0).astype(np.uint8) for i in largest]


def is_whole(figure: Pixels) -> bool:
    """Whether a figure ends above the picture's bottom edge."""
    height = figure.shape[0]
    return not (figure[height - max(2, height // 100) :] > 127).any()


def square_around(figure: Pixels) -> Square:
    """`MARGIN` times the longer side of the figure's box, about its middle."""
    rows, columns = np.flatnonzero((figure > 127).any(1)), np.flatnonzero((figure > 127).any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(2, round(MARGIN * max(bottom - top, right - left)))
    return Square(round((left + right - side) / 2), round((top + bottom - side) / 2), side)


def cut(picture: Pixels, square: Square) -> Pixels:
    """(side, side, 3) of a picture, black beyond its edges."""
    out = np.zeros((square.side, square.side, *picture.shape[2:]), np.uint8)
    inside, outside = _overlap(picture.shape[:2], square)
    out[outside] = picture[inside]
    return out


def _overlap(shape: tuple[int, ...], square: Square) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """What both have, in pixels of the picture and of the square."""
    spans = [
        (max(0, start), min(length, start + square.side), start)
        for start, length in zip((square.top, square.left), shape, strict=False)
    ]
    (a, b), (c, d) = ((slice(low, max(low, high)), slice(low - at, max(low, high) - at)) for low, high, at in spans)
    return (a, c), (b, d)


def answer(pose: Pose, picture: Pixels, square: Square, sure: float = SURE) -> Pixels:
    """The mask of the person in a square, nothing outside it.

    Of four quarter turns the one of the highest presence; turning ends with the first that is `sure`.
    """
    import cv2

    height, width = MODEL.resolution
    crop = cut(picture, square)
    shrinks = square.side > width
    small = cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    best, highest = np.zeros((height, width), np.uint8), -1.0
    for turns in range(4):
        mask, presence = pose(np.ascontiguousarray(np.rot90(small, turns)))
        if presence > highest:
            best, highest = np.ascontiguousarray(np.rot90(mask, -turns)), presence
        if highest >= sure:
            break
    full = cv2.resize(best, (square.side, square.side), interpolation=cv2.INTER_LINEAR)
    out = np.zeros(picture.shape[:2], np.uint8)
    inside, outside = _overlap(picture.shape[:2], square)
    out[inside] = full[outside]
    return out


def answered(pose: Pose, picture: Pixels, label: Pixels, sure: float = SURE) -> Pixels | None:
    """The mask of everybody: whole figures as the network answers, others as the label has them.

    None when no figure is whole.
    """
    found, whole = np.zeros_like(label), False
    for figure in figures(label):
        whole |= is_whole(figure)
        found = np.maximum(found, answer(pose, picture, square_around(figure), sure) if is_whole(figure) else figure)
    return found if whole else None


def asked(entry: Entry) -> bool:
    """Whether a stored picture is one to ask about."""
    return entry.source in SOURCES and entry.kind in (PHOTO, UNLABELLED)


def write(store: Store, numbers: Iterable[int], folder: Path, pose: Pose) -> Iterator[str]:
    """Answers as FOLDER/DIGEST.png, of nobody whole an empty file; yields the source of each picture done now."""
    import cv2

    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        entry = store.entries[number]
        path = folder / f"{entry.digest}.png"
        if not asked(entry) or path.exists():
            continue
        pixels = store[number]
        mask = answered(pose, np.ascontiguousarray(pixels[..., :3]), np.ascontiguousarray(pixels[..., 3]))
        coded = b"" if mask is None else cv2.imencode(".png", mask)[1].tobytes()
        part = path.with_suffix(".part")
        part.write_bytes(coded)
        part.replace(path)
        yield entry.source


def digest(folder: Path) -> str:
    """What a run's identity says of a folder of answers."""
    files = sorted(folder.glob("*.png"))
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:12]


class Taught(Store):
    """A store with the answers of a folder in the labels of `numbers`, each as far as it agrees with its label."""

    def __init__(self, store: Store, numbers: Iterable[int], folder: Path, share: float = SHARE) -> None:
        super().__init__(store.entries, store.pixels)
        self.labels: dict[int, Pixels] = {}
        """The labels that changed, by the number of their picture."""
        for number in numbers:
            mask = _read(folder / f"{store.entries[number].digest}.png")
            if mask is not None and (label := mixed(store[number][..., 3], mask, share)) is not None:
                self.labels[number] = label

    def __getitem__(self, number: int) -> Pixels:
        pixels = super().__getitem__(number)
        if number in self.labels:
            pixels = np.dstack([pixels[..., :3], self.labels[number]])
        return pixels


def _read(path: Path) -> Pixels | None:
    """An answer; None where there is none. ValueError when the file is damaged."""
    import cv2

    if not path.is_file() or not path.stat().st_size:
        return None
    mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if mask is None:
        raise ValueError(f"{path}: not an answer that can be read")
    return mask  # type: ignore[return-value]


def mixed(label: Pixels, mask: Pixels, share: float = SHARE) -> Pixels | None:
    """A label with `share` of an answer in it, less as they disagree; None where they agree too little for any.

    ValueError when the sizes differ.
    """
    if label.shape != mask.shape:
        raise ValueError(f"an answer of {mask.shape} is not for a picture of {label.shape}")
    truth, found = (torch.from_numpy(values.astype(np.float32) / 255)[None] for values in (label, mask))
    weight = share * float(trust(agreement(found, truth)))
    return np.rint(label + weight * (mask.astype(np.float32) - label)).astype(np.uint8) if weight else None


def judge(folder: Path, pose: Pose) -> Iterator[tuple[str, list[float]]]:
    """(name, IOU of each picture in 0..1) of each clip, and of the stills together.

    Boxes are the labels'; every figure is asked about, whole or not.
    """
    from evaluation import folder as folders
    from evaluation.iou import iou
    from training.evaluation import sets

    for data in sets(folders.read(folder)):
        values = []
        for picture, label in (clip.read(i) for clip in data.clips for i in range(len(clip))):
            soft = np.where(label == 1, 255, 0).astype(np.uint8)
            masks = [answer(pose, picture, square_around(one)) for one in figures(soft)]
            values.append(iou(np.maximum.reduce([np.zeros_like(soft), *masks]) / np.float32(255), label))
        yield data.name, values


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    writing = commands.add_parser("write", help="answers for the pictures of a data folder")
    writing.add_argument("--data", type=Path, required=True, help="folder of training data (training/datasets.py)")
    writing.add_argument("--out", type=Path, required=True, help="folder of the answers")
    judging = commands.add_parser("judge", help="the IOU on pictures and clips with labels")
    judging.add_argument("folders", type=Path, nargs="+", metavar="DIR")
    options = parser.parse_args(arguments)
    try:
        return _write(options.data, options.out) if options.command == "write" else _judge(options.folders)
    except ValueError as error:
        print(f"training.whole_bodies: {error}", file=sys.stderr)
        return WRONG_USAGE


def _write(data: Path, out: Path) -> int:
    from training.loader import open_data
    from training.options import TEACHER

    if not data.is_dir():
        raise ValueError(f"--data {data}: there is no such folder")
    opened = open_data(data, TEACHER, (), _say)
    for count, _ in enumerate(write(opened.store, opened.split.train, out, open_pose()), 1):
        if count % 100 == 0:
            _say(f"{count} answers")
    return 0


def _judge(paths: Iterable[Path]) -> int:
    pose = open_pose()
    print("| data | pictures | IOU, % |\n|---|---|---|")
    for path in paths:
        for name, values in judge(path, pose):
            print(f"| {name} | {len(values)} | {100 * np.mean(values):.1f} |", flush=True)
    return 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
