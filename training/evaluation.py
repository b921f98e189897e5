"""How good a network is, judged by the suite's own protocol (`frames.score`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from evaluation.clip import Clip, Dataset, Label, Picture
from evaluation.evaluate import evaluate
from evaluation.interval import bootstrap
from evaluation.iou import iou
from evaluation.score import Score
from models.hourglass import Hourglass
from models.labels import person
from models.segmenter import ResizeMode, Step, enlarge, stretch, to_input
from models.variant import Resolution
from training import datasets, prior

Mode = Literal["empty", "recurrent", "perturbed", "adversarial"]
EVERY = 4
"""Of a clip, each so many-th frame is tried with a perturbed and with a wrong mask: neighbours tell the same."""

SMALL, DARK = 0.2, 70
GROUPS = (
    "the person fills under a fifth of the picture",
    "the picture is dark",
    "several figures",
    "none of these",
)
"""What may make a picture hard, as far as its pixels and its label tell."""


def step_of(network: Hourglass) -> Step:
    """The network as the suite calls every model: NHWC float in and out, one frame a call; a mask, or nine labels."""

    @torch.inference_mode()
    def step(frame: NDArray[np.float32], previous: NDArray[np.float32]) -> NDArray[np.float32]:
        picture = torch.from_numpy(frame).permute(0, 3, 1, 2)
        mask = network(picture, torch.from_numpy(previous).permute(0, 3, 1, 2))
        return np.ascontiguousarray(mask.permute(0, 2, 3, 1).numpy())

    return step


def person_of(step: Step) -> Step:
    """A step that gives nine labels as one that gives the person's mask."""
    return lambda frame, previous: person(np.asarray(step(frame, previous)))


def held_out(root: Path, sources: Iterable[str] = ("portraits", "ccp-upper")) -> list[Dataset]:
    """The photos of a development folder that are never trained on, whole, one data set of stills a source.

    They are those of `training.split`: the tenth that the hash of the group's name picks.
    """
    found = []
    for source in sources:
        photos = [p for p in datasets.development(root, (source,)) if datasets.held_out(p.group)]
        clips = [Clip(photo.name, (photo.name,), _reader(photo)) for photo in photos]
        found.append(Dataset(f"{source}, a tenth", f"the {len(clips)} held-out photos of {source}", clips))
    return found


def _reader(photo: datasets.Photo) -> Callable[[int], tuple[Picture, Label]]:
    def read(_: int) -> tuple[Picture, Label]:
        picture, label = photo.read()
        assert label is not None
        return picture, (label > 127).astype(np.uint8)

    return read


def sets(footage: Dataset) -> list[Dataset]:
    """A data set's stills as one set under its name, and each clip as one under the clip's."""
    stills = [clip for clip in footage.clips if clip.still]
    parts = [replace(footage, clips=stills)] if stills else []
    return parts + [replace(footage, name=clip.name, clips=[clip]) for clip in footage.clips if not clip.still]


def with_previous(
    step: Step, resolution: Resolution, footage: Dataset, previous: Callable[[int, Label], NDArray[np.float32]]
) -> list[float]:
    """IOU of stills and each `EVERY`-th frame of clips, the previous mask being `previous(number, its label)`: (H, W)
    float in [0, 1], stretched to the resolution; the numbers count those frames."""
    import cv2

    results = []
    for number, (clip, i) in enumerate(_tried(footage)):
        picture, label = clip.read(i)
        given = previous(number, label)
        if given.shape != resolution:
            given = np.asarray(cv2.resize(given, resolution[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        mask = step(to_input(stretch(picture, resolution)), given[None, :, :, None])
        results.append(iou(enlarge(mask[0, :, :, 0], label.shape), label))
    return results


def _tried(footage: Dataset) -> list[tuple[Clip, int]]:
    return [(clip, i) for clip in footage.clips for i in range(0, len(clip), EVERY)]


def judge(
    step: Step,
    resolution: Resolution,
    data: Iterable[Dataset],
    resize_mode: ResizeMode = "stretch",
    previous_mask: bool = True,
) -> dict[str, Any]:
    """{"metrics": {set: {mode: figures}}, "groups": {group: figures}} of one model; see `four_modes` and `by_group`.

    Without a previous mask every mode would be the empty one, so that is the only one.
    """
    metrics: dict[str, Any] = {}
    stills: list[tuple[Clip, float]] = []
    for footage in data:
        empty = evaluate(step, resolution, footage, "empty", resize_mode=resize_mode)
        metrics[footage.name] = {"empty": figures(empty)}
        if previous_mask:
            metrics[footage.name] |= four_modes(step, resolution, footage)
        ious = (value for _, value, _ in empty.per_image)
        stills += [(clip, value) for clip, value in zip(footage.clips, ious, strict=False) if clip.still]
    return {"metrics": metrics, "groups": by_group(stills)}


def four_modes(step: Step, resolution: Resolution, footage: Dataset, seed: int = 0) -> dict[Mode, dict[str, float]]:
    """What other previous masks than an empty one make: the network's own (clips only: on stills that is the empty
    one); the truth perturbed by the training law; another image's truth. The last two have an IOU alone.

    A network that leans on the mask shows it as a gap between empty and perturbed, one that believes anything as a
    loss under adversarial.
    """
    # The training law knows squares.
    side = max(resolution)
    truths = [_shrunk_truth(clip.label(i), (side, side)) for clip, i in _tried(footage)]
    rng = np.random.default_rng(seed)
    others = np.roll(np.arange(len(truths)), max(1, len(truths) // 2))

    def perturbed(number: int, _: Label) -> NDArray[np.float32]:
        make = prior.minor if rng.random() < 0.7 else prior.major
        return prior.soften(make(truths[number], rng), rng).astype(np.float32) / np.float32(255)

    def another(number: int, _: Label) -> NDArray[np.float32]:
        return truths[int(others[number])].astype(np.float32) / np.float32(255)

    told: dict[Mode, dict[str, float]] = {}
    if not all(clip.still for clip in footage.clips):
        told["recurrent"] = figures(evaluate(step, resolution, footage))
    ways: dict[Mode, Callable[[int, Label], NDArray[np.float32]]] = {"perturbed": perturbed, "adversarial": another}
    for mode, previous in ways.items():
        values = with_previous(step, resolution, footage, previous)
        told[mode] = dict(zip(("iou", "low", "high"), bootstrap(values), strict=True))
    return told


def figures(judged: Score) -> dict[str, float]:
    """IOU and boundary F in 0..1, dtSSD where there are clips, each with its interval, and the number of pictures."""
    told: dict[str, float] = {"iou": judged.iou, "low": judged.iou_ci[0], "high": judged.iou_ci[1]}
    told |= {"boundary_f": judged.boundary_f, "boundary_low": judged.boundary_f_ci[0]}
    told |= {"boundary_high": judged.boundary_f_ci[1], "images": judged.images}
    told["poor"] = float(np.mean([value < 0.8 for _, value, _ in judged.per_image]))
    if judged.dtssd is not None and judged.dtssd_ci:
        told |= {"dtssd": judged.dtssd, "dtssd_low": judged.dtssd_ci[0], "dtssd_high": judged.dtssd_ci[1]}
    return told


def by_group(judged: Iterable[tuple[Clip, float]]) -> dict[str, Any]:
    """{group: {iou, low, high, images}} over (still, IOU); a picture may be in several of GROUPS."""
    values: dict[str, list[float]] = defaultdict(list)
    for still, value in judged:
        for group in groups(*still.read(0)):
            values[group].append(value)
    return {
        group: {
            **dict(zip(("iou", "low", "high"), bootstrap(values[group]), strict=True)),
            "images": len(values[group]),
        }
        for group in GROUPS
        if values[group]
    }


def groups(picture: Picture, label: Label) -> list[str]:
    """Which of GROUPS a picture belongs to. Figures are parts of the label that are at least a tenth of the largest."""
    import cv2

    person = (label == 1).astype(np.uint8)
    _, _, parts, _ = cv2.connectedComponentsWithStats(person)
    areas = np.sort(parts[1:, cv2.CC_STAT_AREA])
    true = (
        person.mean() < SMALL,
        cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).mean() < DARK,
        len(areas) > 1 and areas[-2] >= areas[-1] / 10,
    )
    return [group for group, holds in zip(GROUPS, true, strict=False) if holds] or [GROUPS[-1]]


def _shrunk_truth(label: Label, resolution: Resolution) -> NDArray[np.uint8]:
    import cv2

    height, width = resolution
    whole = np.where(label == 1, 255, 0).astype(np.uint8)
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
