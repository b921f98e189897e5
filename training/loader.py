"""From a folder of data to batches of tensors, decoded once and prepared beside the training step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training import datasets, split, store
from training.sampler import Sample, Sampler


@dataclass(frozen=True)
class Taught:
    """Truth mixed with a teacher's answer to the very sample: `share` of the answer, the rest of the truth."""

    model: Path
    share: float


def open_data(
    root: Path,
    teacher: Path | None,
    validation: Sequence[Path],
    say: Callable[[str], None],
    labels: datasets.Labels = "as they are",
) -> tuple[store.Store, split.Split]:
    """The store of a data folder, built in the cache directory at first use, and its split.

    Pictures that look like one of `validation` (folders that hold `images/`) are kept out of training. `labels` settles
    whether bystanders count.
    """
    import platformdirs

    about = f"{root.resolve()} {teacher and teacher.name} {_listing(root)} things"
    about += "" if labels == "as they are" else f" {labels}"
    name = hashlib.sha256(about.encode()).hexdigest()[:16]
    folder = Path(platformdirs.user_cache_dir("hourglass-bench")) / "training" / name
    if (folder / "index.json").exists():
        opened = store.Store(folder)
    else:
        say(f"decoding {root} once into {folder}")
        teach = None
        if teacher:
            from training.teacher import teacher as teacher_of

            teach = teacher_of(teacher)
        photos = chain(datasets.settle(datasets.development(root), labels), datasets.voc_things(root / "voc-person"))
        opened = store.build(folder, photos, teach, say)
    foreign = [datasets.read_rgb(path) for folder in validation for path in sorted(folder.rglob("images/*.*"))]
    chosen = split.split(opened, foreign)
    train, held, alike = len(chosen.train), len(chosen.validation), len(chosen.duplicates)
    say(f"{train} pictures train, {held} are held out, {alike} look too much like those")
    return opened, chosen


def _listing(root: Path) -> str:
    files = sorted((str(p.relative_to(root)), p.stat().st_size) for p in root.rglob("*") if p.is_file())
    return hashlib.sha256(repr(files).encode()).hexdigest()


class _Batches(Dataset[tuple[Tensor, Tensor, Tensor]]):
    def __init__(self, sampler: Sampler, batch: int, rank: int, world: int, taught: Taught | None = None) -> None:
        self._sampler, self._batch, self._rank, self._world = sampler, batch, rank, world
        self._taught = taught

    def __getitem__(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        start = (step * self._world + self._rank) * self._batch
        samples = [self._sampler(start + i) for i in range(self._batch)]
        return (
            torch.from_numpy(np.stack([s.frames for s in samples])),
            torch.from_numpy(np.stack([self._targets(s) for s in samples])),
            torch.from_numpy(np.stack([s.previous for s in samples])),
        )

    def _targets(self, drawn: Sample) -> NDArray[np.uint8]:
        if self._taught is None or not drawn.upright or not drawn.targets.any():
            return drawn.targets
        answers = np.stack([self._teach(frame) for frame in drawn.frames])
        share = self._taught.share
        return np.rint(answers * share + drawn.targets * (1 - share)).astype(np.uint8)

    @cached_property
    def _teach(self) -> Callable[[datasets.Pixels], datasets.Pixels]:
        """Opened in the process that asks first: a model does not travel to another."""
        from training.teacher import teacher

        assert self._taught
        return teacher(self._taught.model, mirrored=False)


def _single_threaded(_worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def batches(
    sampler: Sampler,
    batch: int,
    first: int,
    steps: int,
    rank: int = 0,
    world: int = 1,
    taught: Taught | None = None,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """(frames (N, T, S, S, 3), targets (N, T, S, S), previous (N, S, S)) uint8 for each step from `first`.

    What a step sees depends on its number alone, so a resumed run sees what it would have seen.
    """
    dataset = _Batches(sampler, batch, rank, world, taught)
    order = range(first, steps)
    return iter(
        DataLoader(
            dataset, batch_size=None, sampler=order, num_workers=1, prefetch_factor=6, worker_init_fn=_single_threaded
        )
    )


def to_network(values: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, S, S, 3) or (N, S, S) to float in [0, 1], (N, C, S, S) in channels-last memory."""
    values = values.to(device).float().mul_(1 / 255)
    return values.permute(0, 3, 1, 2) if values.ndim == 4 else values[:, None]
