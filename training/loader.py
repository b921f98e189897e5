"""From a folder of data, or a pack of it, to batches of tensors, prepared beside the training step."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training import datasets, split, store
from training.sampler import Sample, Sampler
from training.validation import Judged, of_store

Say = Callable[[str], None]
HELD_OUT = ("portraits", "ccp-upper")
"""Sources whose held-out tenth is judged along the way."""


@dataclass(frozen=True)
class Data:
    """What there is to train on, and what judges it."""

    store: store.Store
    split: split.Split
    validation: tuple[Judged, ...]

    def judged(self) -> tuple[Judged, ...]:
        """The validation sets, and the held-out pictures of sources that have none elsewhere."""
        return (*self.validation, *of_store(self.store, self.split.validation, HELD_OUT))


@dataclass(frozen=True)
class Batch:
    """Samples as they were drawn: frames (N, T, S, S, 3), targets (N, T, S, S) and previous (N, S, S) uint8.

    `asked` (N,) says which a teacher may answer; `answers` (N, T, S, S) uint8 are there when one did.
    """

    frames: Tensor
    targets: Tensor
    previous: Tensor
    asked: Tensor
    answers: Tensor | None = None

    def pin_memory(self) -> Batch:
        """Called by the DataLoader's thread beside CUDA."""
        parts = (self.frames, self.targets, self.previous, self.asked, self.answers)
        return Batch(*(None if part is None else part.pin_memory() for part in parts))  # type: ignore[arg-type]


def open_data(
    root: Path,
    teacher: str | None,
    foreign: tuple[Judged, ...],
    say: Say,
    labels: datasets.Labels = "as they are",
) -> Data:
    """The store of a data folder, built in the cache directory at first use, and its split.

    Pictures that look like one of `foreign`, validation sets from elsewhere, are kept out of training. `labels`
    settles whether bystanders count.
    """
    import platformdirs

    about = f"{root.resolve()} {teacher} {_listing(root)} {datasets.VERSION}"
    about += "" if labels == "as they are" else f" {labels}"
    name = hashlib.sha256(about.encode()).hexdigest()[:16]
    folder = Path(platformdirs.user_cache_dir("hourglass-bench")) / "training" / name
    if (folder / "index.json").exists():
        opened = store.Store.open(folder)
    else:
        say(f"decoding {root} once into {folder}")
        teach = None
        if teacher:
            from training.teacher import teacher as teacher_of

            teach = teacher_of(teacher)
        photos = chain(datasets.settle(datasets.development(root), labels), datasets.voc_things(root / "voc-person"))
        opened = store.build(folder, photos, teach, say)
    chosen = split.split(opened, [picture for judged in foreign for picture in judged.pictures])
    train, held, alike = len(chosen.train), len(chosen.validation), len(chosen.duplicates)
    say(f"{train} pictures train, {held} are held out, {alike} look too much like those")
    return Data(opened, chosen, foreign)


def _listing(root: Path) -> str:
    files = sorted((str(p.relative_to(root)), p.stat().st_size) for p in root.rglob("*") if p.is_file())
    return hashlib.sha256(repr(files).encode()).hexdigest()


@dataclass(frozen=True)
class Answering:
    """Which teacher answers the samples, a name or path that `training.teacher` opens; and the side of its second look,
    None for one look (`training.teacher.looking_twice`)."""

    teacher: str
    second_look: int | None = None


class _Batches(Dataset[Batch]):
    def __init__(self, sampler: Sampler, batch: int, rank: int, world: int, teacher: Answering | None) -> None:
        self._sampler, self._batch, self._rank, self._world = sampler, batch, rank, world
        self._teacher = teacher

    def __getitem__(self, step: int) -> Batch:
        start = (step * self._world + self._rank) * self._batch
        samples = [self._sampler(start + i) for i in range(self._batch)]
        asked = [sample.upright and bool(sample.targets.any()) for sample in samples]
        return Batch(
            torch.from_numpy(np.stack([s.frames for s in samples])),
            torch.from_numpy(np.stack([s.targets for s in samples])),
            torch.from_numpy(np.stack([s.previous for s in samples])),
            torch.tensor(asked),
            torch.from_numpy(self._answers(samples, asked)) if self._teacher else None,
        )

    def _answers(self, samples: list[Sample], asked: list[bool]) -> datasets.Pixels:
        return np.stack(
            [
                np.stack([self._teach(frame) for frame in sample.frames]) if ask else sample.targets
                for sample, ask in zip(samples, asked, strict=True)
            ]
        )

    @cached_property
    def _teach(self) -> Callable[[datasets.Pixels], datasets.Pixels]:
        """Opened in the process that asks first: a model does not travel to another."""
        from training.teacher import looking_twice, teacher

        assert self._teacher
        once = teacher(self._teacher.teacher, mirrored=False)
        return looking_twice(once, self._teacher.second_look) if self._teacher.second_look else once


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
    teacher: Answering | None = None,
    workers: int = 1,
    pinned: bool = False,
) -> Iterator[Batch]:
    """A batch for each step from `first`, prepared by so many `workers`.

    What a step sees depends on its number alone, so a resumed run sees what it would have seen, whatever the number of
    workers. With a `teacher` they answer the samples too.
    """
    return iter(
        DataLoader(
            _Batches(sampler, batch, rank, world, teacher),
            batch_size=None,
            sampler=range(first, steps),
            num_workers=workers,
            prefetch_factor=6 if workers == 1 else 3,
            worker_init_fn=_single_threaded,
            pin_memory=pinned,
        )
    )


def to_network(values: Tensor, device: torch.device) -> Tensor:
    """uint8 (N, S, S, 3) or (N, S, S) to float in [0, 1], (N, C, S, S) in channels-last memory."""
    values = values.to(device, non_blocking=True).float().mul_(1 / 255)
    return values.permute(0, 3, 1, 2) if values.ndim == 4 else values[:, None]
