"""The one protocol by which masks are made and scored, on every device and runtime.

The whole picture is stretched to the network's input (or, for a model that was made so, put into it with black bars,
which are then taken off its mask); its mask is resized bilinearly to the label's own size and cut
at 0.5; a still starts from an empty previous mask, a clip feeds its own mask back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evaluation import labels
from evaluation.boundary import boundary_f
from evaluation.clip import Clip, Dataset
from evaluation.interval import bootstrap
from evaluation.iou import iou
from evaluation.labels import Counts, LabelScore, Shares, count, shares
from evaluation.temporal import dtssd_step
from models.labels import LABELS, person
from models.segmenter import Floats, ResizeMode, Segmenter, Step, enlarge, fitted, unfitted
from models.variant import Resolution

Previous = Literal["empty", "recurrent"]
Interval = tuple[float, float]

BLOCK = 15
"""Frames of a clip that the bootstrap draws together: half a second, as neighbours are nearly one sample."""


@dataclass(frozen=True)
class Judged:
    """One frame's figures. `dtssd` is that of the step into it, None in a clip's first frame and in stills."""

    name: str
    iou: float
    boundary_f: float
    dtssd: float | None = None


@dataclass(frozen=True)
class Score:
    """Means over images, IOU and boundary F in [0, 1], each with its 95 % bootstrap interval (low, high)."""

    iou: float
    iou_ci: Interval
    boundary_f: float
    boundary_f_ci: Interval
    dtssd: float | None
    dtssd_ci: Interval | None
    images: int
    per_image: tuple[tuple[str, float, float], ...] = field(repr=False)
    """(name, IOU, boundary F) in the dataset's order."""

    def to_dict(self) -> dict[str, Any]:
        """JSON types only, under the fields' names."""
        return asdict(self)


def prepare(
    dataset: Dataset, resolution: Resolution, resize_mode: ResizeMode = "stretch"
) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """Every frame as a network takes it, (N, H, W, 3) uint8 RGB, and the lengths of its clips in order."""
    frames = np.empty((dataset.frames, *resolution, 3), np.uint8)
    at = 0
    for clip in dataset.clips:
        frames[at : at + len(clip)] = prepare_clip(clip, resolution, resize_mode)
        at += len(clip)
    return frames, tuple(len(clip) for clip in dataset.clips)


def prepare_clip(clip: Clip, resolution: Resolution, resize_mode: ResizeMode = "stretch") -> NDArray[np.uint8]:
    """`prepare` for one clip: (len(clip), H, W, 3) uint8 RGB."""
    return np.stack([fitted(clip.read(i)[0], resolution, resize_mode) for i in range(len(clip))])


def without_bars(masks: Floats, dataset: Dataset) -> Floats:
    """Masks (N, H, W) of letterboxed frames as if the pictures had been stretched to (H, W)."""
    labels = (clip.label(i) for clip in dataset.clips for i in range(len(clip)))
    pairs = zip(masks, labels, strict=True)
    return np.stack([enlarge(unfitted(mask, label.shape, "letterbox"), mask.shape) for mask, label in pairs])


def predict(
    step: Step,
    frames: NDArray[np.uint8],
    sequences: Sequence[int],
    prev: Previous = "recurrent",
    on_frame: Callable[[], object] | None = None,
) -> Floats:
    """Masks (N, H, W) of prepared frames (N, H, W, 3); each of `sequences` (lengths) begins with an empty mask."""
    masks = np.empty(frames.shape[:3], np.float32)
    for i, (segmenter, frame) in enumerate(_played(step, frames, sequences, prev)):
        masks[i] = segmenter.mask(frame)
        if on_frame:
            on_frame()
    return masks


def predict_labels(
    step: Step,
    frames: NDArray[np.uint8],
    sequences: Sequence[int],
    prev: Previous = "recurrent",
    on_frame: Callable[[], object] | None = None,
) -> tuple[Floats, Shares]:
    """`predict` of a network with labels: the person's masks (N, H, W), and the shares (N, H, W, 9)."""
    masks = np.empty(frames.shape[:3], np.float32)
    found = np.empty((*masks.shape, len(LABELS)), np.uint8)
    for i, (segmenter, frame) in enumerate(_played(step, frames, sequences, prev)):
        given = segmenter.labels(frame)
        masks[i], found[i] = person(given)[..., 0], shares(given)
        if on_frame:
            on_frame()
    return masks, found


def _played(
    step: Step, frames: NDArray[np.uint8], sequences: Sequence[int], prev: Previous
) -> Iterator[tuple[Segmenter, NDArray[np.uint8]]]:
    """Each frame, and the segmenter that takes it next."""
    if sum(sequences) != len(frames):
        raise ValueError(f"sequences of {sum(sequences)} frames do not go with {len(frames)} frames")
    segmenter = Segmenter(step, (frames.shape[1], frames.shape[2]), feedback=prev == "recurrent")
    starts = set(np.cumsum([0, *sequences]).tolist())
    for i, frame in enumerate(frames):
        if i in starts:
            segmenter.reset()
        yield segmenter, frame


def score(masks: Floats, dataset: Dataset, seed: int = 0) -> Score:
    """Judge masks (N, H, W) of all the dataset's frames in order, at whatever size the network made them."""
    if len(masks) != dataset.frames:
        raise ValueError(f"{len(masks)} masks for {dataset.frames} frames of {dataset.name}")
    judged: list[list[Judged]] = []
    at = 0
    for clip in dataset.clips:
        judged.append(judge(masks[at : at + len(clip)], clip))
        at += len(clip)
    return summarise(judged, seed)


def judge(masks: Iterable[Floats], clip: Clip) -> list[Judged]:
    """The figures of each frame of one clip; its masks (h, w) may be of any size, the label's own included."""
    judged: list[Judged] = []
    before = None
    for i, (name, small) in enumerate(zip(clip.frame_names, masks, strict=True)):
        label = clip.label(i)
        mask = enlarge(small, label.shape)
        step = dtssd_step(*before, mask, label) if before else None
        judged.append(Judged(name, iou(mask, label), boundary_f(mask, label), step))
        before = mask, label
    return judged


def summarise(judged: Sequence[Sequence[Judged]], seed: int = 0) -> Score:
    """The score of clips that were judged; ValueError when there is no frame at all."""
    frames = [(frame, (c, i // BLOCK)) for c, clip in enumerate(judged) for i, frame in enumerate(clip)]
    numbers = {key: n for n, key in enumerate(dict.fromkeys(key for _, key in frames))}
    blocks = [numbers[key] for _, key in frames]
    mean_iou, *iou_ci = bootstrap([frame.iou for frame, _ in frames], seed, blocks=blocks)
    mean_f, *f_ci = bootstrap([frame.boundary_f for frame, _ in frames], seed, blocks=blocks)
    steps = [(frame.dtssd, numbers[key]) for frame, key in frames if frame.dtssd is not None]
    dtssd = dtssd_ci = None
    if steps:
        dtssd, *ci = bootstrap([value for value, _ in steps], seed, blocks=[block for _, block in steps])
        dtssd_ci = _pair(ci)
    return Score(
        iou=mean_iou,
        iou_ci=_pair(iou_ci),
        boundary_f=mean_f,
        boundary_f_ci=_pair(f_ci),
        dtssd=dtssd,
        dtssd_ci=dtssd_ci,
        images=len(frames),
        per_image=tuple((frame.name, frame.iou, frame.boundary_f) for frame, _ in frames),
    )


def count_clip(found: Shares, clip: Clip, resize_mode: ResizeMode = "stretch") -> list[Counts]:
    """Of each frame of a clip that tells labels, the pixels by true and found label; `found` is (N, h, w, 9)."""
    read = clip.read_truth
    return [count(one, read(i), resize_mode) for i, one in enumerate(found)] if read else []


def summarise_labels(counted: Sequence[Sequence[Counts]], has: Iterable[str], seed: int = 0) -> LabelScore | None:
    """The score of the labels of clips that were counted, with the blocks of `summarise`; None where none is judged."""
    return labels.summarise(*in_blocks(counted), has, seed)


def in_blocks(counted: Sequence[Sequence[Counts]]) -> tuple[list[Counts], list[int]]:
    """The frames of clips in their order, and the number of each one's block."""
    frames = [(frame, (c, i // BLOCK)) for c, clip in enumerate(counted) for i, frame in enumerate(clip)]
    numbers = {key: n for n, key in enumerate(dict.fromkeys(key for _, key in frames))}
    return [frame for frame, _ in frames], [numbers[key] for _, key in frames]


def count_all(found: Shares, dataset: Dataset, resize_mode: ResizeMode = "stretch") -> list[list[Counts]]:
    """`count_clip` of each clip; `found` (N, h, w, 9) is of all the dataset's frames in order."""
    parts = np.split(found, np.cumsum([len(clip) for clip in dataset.clips])[:-1])
    return [count_clip(part, clip, resize_mode) for part, clip in zip(parts, dataset.clips, strict=True)]


def score_labels(
    found: Shares, dataset: Dataset, has: Iterable[str], resize_mode: ResizeMode = "stretch", seed: int = 0
) -> LabelScore | None:
    """Judge the shares (N, h, w, 9) of all the dataset's frames in order; None where it tells no labels."""
    return summarise_labels(count_all(found, dataset, resize_mode), has, seed)


def _pair(interval: Sequence[float]) -> Interval:
    low, high = interval
    return low, high
