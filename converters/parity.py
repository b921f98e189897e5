"""How far an artifact's masks deviate from its checkpoint's on the same real frames, each feeding back its own mask."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from converters import processor
from converters.artifact import Parity, Precision
from evaluation.iou import iou
from evaluation.score import predict
from models.labels import person
from models.segmenter import Floats, Segmenter, Step

if TYPE_CHECKING:
    from models.hourglass import Hourglass

TOLERANCE: dict[Precision, dict[str, float]] = {
    "fp32": {"max_difference": 1e-3, "mean_difference": 1e-5, "iou_loss_points": 0.01},
    "fp16": {"max_difference": 0.1, "mean_difference": 1e-3, "iou_loss_points": 0.1},
    "int8": {"max_difference": 0.95, "mean_difference": 0.02, "iou_loss_points": 1.0},
}
"""Limits of the largest and mean difference of masks in [0, 1], and of the points of IOU lost, by precision.

Set after converting the first twelve networks, whose largest values were: fp32 2.4e-5, 2e-7 and 0.0002; fp16 0.07, 4e-4
and 0.03; int8 0.94, 0.013 and 1.4, of which the last exceeds its limit. In int8 single uncertain pixels at an edge
flip, so the largest difference detects little that the other two do not.
"""

LABEL_TOLERANCE: dict[Precision, float] = {"fp32": 0.1, "fp16": 2.0, "int8": 15.0}
"""Limits of `label_loss_points`, set after live-parts, whose largest values were 0.001, 0.5 and 9.7 (ONNX)."""
SEEN = 0.01
"""The share of the checkpoint's pixels from which on a label counts: of fewer, single pixels decide."""

WORDS = {
    "max_difference": "its mask differs from the checkpoint's by up to {:.2g}",
    "mean_difference": "its mask differs from the checkpoint's by {:.2g} on average",
    "iou_loss_points": "it loses {:.2f} points of IOU",
    "label_loss_points": "its label maps are {:.2f} points of mean IOU from the checkpoint's",
}


def eager(network: Hourglass) -> Step:
    """The network itself under PyTorch: the reference."""
    import torch

    def step(frame: Floats, prev_mask: Floats) -> Floats:
        nchw = (torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2))) for x in (frame, prev_mask))
        with torch.inference_mode():
            return network(*nchw).numpy().transpose(0, 2, 3, 1)

    return step


def masks(step: Step, clip: NDArray[np.uint8], labelled: bool = False) -> Floats:
    """(N, H, W) masks of one sequence (N, H, W, 3) uint8, the mask fed back from an empty one.

    `labelled`: of a network with labels, the probabilities (N, H, W, 9).
    """
    if not labelled:
        return predict(step, clip, [len(clip)])
    segmenter = Segmenter(step, (clip.shape[1], clip.shape[2]))
    return np.stack([segmenter.labels(frame) for frame in clip])


def compare(ours: Floats, reference: Floats, labels: NDArray[np.uint8], precision: Precision) -> Parity:
    """The parity of an artifact's masks with the checkpoint's, all (N, H, W), judged by `precision`'s tolerance.

    IOU is the mean over frames against the labels at the network's resolution; 255 is not judged. Of label
    probabilities (N, H, W, 9) the differences are over all channels, the IOU is the person's, and `label_loss_points`
    is 100 less the mean IOU of the two label maps: the frames' truth is the person alone.
    """
    difference = np.abs(ours - reference)
    measured = {"max_difference": float(difference.max()), "mean_difference": float(difference.mean())}
    tolerance = TOLERANCE[precision]
    if labelled := ours.ndim == 4:
        apart = label_loss(ours.argmax(axis=-1), reference.argmax(axis=-1))
        tolerance = tolerance | {"label_loss_points": LABEL_TOLERANCE[precision]}
        ours, reference = person(ours)[..., 0], person(reference)[..., 0]
    lost = 100 * float(
        np.mean([iou(r, label) - iou(o, label) for o, r, label in zip(ours, reference, labels, strict=True)])
    )
    measured |= {"iou_loss_points": lost} | ({"label_loss_points": apart} if labelled else {})
    tolerance_exceeded = _exceeded(measured, tolerance, precision)
    return Parity(
        len(ours), **measured, tolerance=tolerance, tolerance_exceeded=tolerance_exceeded, processor=processor.here()
    )


def label_loss(ours: NDArray[np.integer], reference: NDArray[np.integer]) -> float:
    """100 less the mean IOU, in per cent, of two label maps of one shape, over the labels that take at least `SEEN` of
    `reference`."""
    found = []
    for label in np.flatnonzero(np.bincount(reference.ravel()) >= SEEN * reference.size):
        mine, theirs = ours == label, reference == label
        found.append(np.count_nonzero(mine & theirs) / np.count_nonzero(mine | theirs))
    return 100 * (1 - float(np.mean(found)))


def _exceeded(measured: dict[str, float], tolerance: dict[str, float], precision: Precision) -> str | None:
    # Written so that a NaN is over every tolerance.
    over = [name for name in tolerance if not measured[name] <= tolerance[name]]
    if not over:
        return None
    said = " and ".join(
        f"{WORDS[name].format(measured[name])}, where the limit of {precision} is {tolerance[name]:g}" for name in over
    )
    return f"the artifact exceeds the parity tolerance: {said}"
