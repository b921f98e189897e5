"""How good a network is, judged by the suite's own protocol (`frames.score`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from frames import folder
from frames.clip import Footage, Label
from frames.score import predict, prepare, score
from metrics.interval import bootstrap
from metrics.iou import iou
from models.hourglass import Hourglass
from models.segmenter import Step, enlarge, stretch, to_input
from training import prior


def step_of(network: Hourglass) -> Step:
    """The network as the suite calls every model: NHWC float in and out, one frame a call."""

    @torch.inference_mode()
    def step(frame: NDArray[np.float32], previous: NDArray[np.float32]) -> NDArray[np.float32]:
        picture = torch.from_numpy(frame).permute(0, 3, 1, 2)
        mask = network(picture, torch.from_numpy(previous).permute(0, 3, 1, 2))
        return np.ascontiguousarray(mask.permute(0, 2, 3, 1).numpy())

    return step


def quick(
    network: Hourglass, folders: Sequence[Path], size: int, prev: Literal["empty", "recurrent"] = "empty"
) -> dict[str, float]:
    """{folder name: IOU in 0..1} at size x size; `network` is in eval mode."""
    results = {}
    for path in folders:
        footage = folder.read(path)
        frames, sequences = prepare(footage, (size, size))
        masks = predict(step_of(network), frames, sequences, prev)
        results[path.name] = score(masks, footage).iou
    return results


def with_previous(
    network: Hourglass, footage: Footage, size: int, previous: Callable[[int, Label], NDArray[np.float32]]
) -> list[float]:
    """IOU of every frame when the previous mask is `previous(number, its label)`: (size, size) float in [0, 1]."""
    step = step_of(network)
    results = []
    labels = [(clip, i) for clip in footage.clips for i in range(len(clip))]
    for number, (clip, i) in enumerate(labels):
        picture, label = clip.read(i)
        mask = step(to_input(stretch(picture, (size, size))), previous(number, label)[None, :, :, None])
        results.append(iou(enlarge(mask[0, :, :, 0], label.shape), label))
    return results


def four_modes(network: Hourglass, footage: Footage, size: int, seed: int = 0) -> dict[str, dict[str, float]]:
    """IOU in 0..1 with its interval, four ways: the previous mask empty; the truth perturbed by the training law;
    the network's own (clips only: stills then equal empty); another image's truth.

    A network that leans on the mask shows it as a gap between empty and perturbed, one that believes anything as a
    loss under adversarial.
    """
    truths = [_shrunk_truth(clip.read(i)[1], size) for clip in footage.clips for i in range(len(clip))]
    rng = np.random.default_rng(seed)
    others = np.roll(np.arange(len(truths)), max(1, len(truths) // 2))

    def perturbed(number: int, _: Label) -> NDArray[np.float32]:
        make = prior.minor if rng.random() < 0.7 else prior.major
        return prior.soften(make(truths[number], rng), rng).astype(np.float32) / np.float32(255)

    def another(number: int, _: Label) -> NDArray[np.float32]:
        return truths[int(others[number])].astype(np.float32) / np.float32(255)

    frames, sequences = prepare(footage, (size, size))
    values: dict[str, list[float]] = {}
    modes: tuple[Literal["empty", "recurrent"], ...] = ("empty", "recurrent")
    for mode in modes:
        masks = predict(step_of(network), frames, sequences, mode)
        values[mode] = [row[1] for row in score(masks, footage).per_image]
    values["perturbed"] = with_previous(network, footage, size, perturbed)
    values["adversarial"] = with_previous(network, footage, size, another)
    return {mode: dict(zip(("iou", "low", "high"), bootstrap(v), strict=True)) for mode, v in values.items()}


def _shrunk_truth(label: Label, size: int) -> NDArray[np.uint8]:
    import cv2

    return cv2.resize(np.where(label == 1, 255, 0).astype(np.uint8), (size, size), interpolation=cv2.INTER_AREA)  # type: ignore
