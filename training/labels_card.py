"""The model card's part on networks that give labels: each label's IOU beside its aim, and how much labels flicker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evaluation.clip import Clip, Dataset
from evaluation.evaluate import evaluate_all
from evaluation.score import predict, predict_labels, prepare_clip
from evaluation.temporal import flicker
from models.labels import LABELS
from models.segmenter import Step
from models.variant import Resolution

if TYPE_CHECKING:
    from models.checkpoint import Checkpoint

AIMS = {"hair": 85, "face": 88, "lips": 70, "eyewear": 45, "neck": 70, "body": 65, "clothes": 80}
"""IOU in per cent."""
BESIDE = "live"
"""The mask network whose person, and whose flicker, a network with labels is compared with."""
NOISE = 4.0
"""Standard deviation of the sensor's noise over a still picture, of 255."""
STILL = 20

INTRODUCTION = """\
Probabilities of {labels}; the person is what is not background. IOU of each label in per cent with its 95 % interval,
on the tenth of the photos that is never trained on, summed over all their pixels (`python bench.py evaluate live-parts
--data DIR`; `training.partly.write_held_out` writes the folders). The tenth was in view when training was steered. A
label that a set leaves open has no figure there.
"""
LIMITS = """\
- The person's mask is worse than that of `live` on selfies and on bodies in fast motion (the table above): use `live`
  where only the background changes.
- int8 loses up to 0.3 points of the person's IOU on the clip of the parity test, and up to 10 of the labels' mean there
  (docs/int8.md, docs/experiments.md).
- **Whom it fails**, by looking at 96 of these photos. Hats and berets are taken for hair, or half so; earrings and
  necklaces are rarely found; bags are taken for clothes or left out. Hands before the mouth, microphones and a
  child's parent are taken for skin, clothes or hair. Bare shoulders and chests are taken for clothes, as close photos
  of people teach no skin below the neck. Backs of heads are found, but braids and buns from behind in part, and a
  back of bare or white-clad shoulders is taken for a face. The edge of a beard is taken for neck or hair. In whole
  bodies hair and eyewear are a few pixels, and weak. Dark make-up was taken for eyewear.
- The faces are of celebrities, mostly young and in good light. Nobody has measured how well labels serve different
  skin tones, ages or head coverings: it is for effects alone.
- **Licence.** Trained on CelebAMask-HQ (non-commercial research), Clothing Co-Parsing (Apache-2.0), Figaro1k
  (research) and part labels of Labeled Faces in the Wild (research), beside the sets above: the weights are for
  research and evaluation.
"""


def judge(step: Step, resolution: Resolution, data: Iterable[Dataset]) -> dict[str, Any]:
    """{set: what `LabelScore.to_dict` gives, and `images`} of the sets that tell labels."""
    found = {}
    for one in data:
        if scored := evaluate_all(step, resolution, one, "empty", has=LABELS).labels:
            found[one.name] = {**scored.to_dict(), "images": one.frames}
    return found


def steadiness(step: Step, resolution: Resolution, beside: Step, size: Resolution, clip: Clip) -> dict[str, float]:
    """Per cent of the pixels that change from frame to frame of a clip, each network fed its own mask.

    `labels`: the likeliest label of a network with labels; `person`: on which side of its person they are; `beside`:
    the same of a mask network with the input `size`; `truth`: the same of the truth. The names with `_still` are of one
    frame under a sensor's noise, once the network has settled.
    """
    truth = np.stack([clip.label(i) == 1 for i in range(len(clip))]).astype(np.float32)
    changes = {"truth": flicker(truth)}
    for suffix, frames in (("", len(clip)), ("_still", STILL)):
        ours = _still(clip, resolution) if suffix else prepare_clip(clip, resolution)
        theirs = _still(clip, size) if suffix else prepare_clip(clip, size)
        first = STILL // 2 if suffix else 0
        masks, shares = predict_labels(step, ours, [frames])
        changes["labels" + suffix] = changing(shares[first:].argmax(axis=-1))
        changes["person" + suffix] = flicker(masks[first:])
        changes["beside" + suffix] = flicker(predict(beside, theirs, [frames])[first:])
    return changes


def changing(labels: NDArray[np.integer]) -> float:
    """Of label maps (T, H, W) with T >= 2: the percentage of pixels that change their label a frame."""
    if len(labels) < 2:
        raise ValueError("what changes takes two frames and more")
    return 100.0 * float(np.mean(labels[1:] != labels[:-1]))


def _still(clip: Clip, resolution: Resolution) -> NDArray[np.uint8]:
    """A clip's first frame STILL times, each with noise of its own: (STILL, H, W, 3)."""
    from models.segmenter import stretch

    picture = stretch(clip.read(0)[0], resolution).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, NOISE, (STILL, *picture.shape)).astype(np.float32)
    return (picture + noise).clip(0, 255).astype(np.uint8)


def section(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """Lines of Markdown; none where no network was judged by labels."""
    lines = []
    beside: dict[str, Any] = next((one.card.get("metrics", {}) for one in checkpoints if one.name == BESIDE), {})
    for one in checkpoints:
        if judged := one.card.get("labels"):
            lines += [f"## Labels of {one.name}\n", INTRODUCTION.format(labels=", ".join(LABELS)), *_ious(judged)]
            lines += [*_person(one, beside), *_steadiness(one), *_training(one), LIMITS]
    return lines


def _ious(judged: Mapping[str, Mapping[str, Any]]) -> list[str]:
    heads = [f"{name} ({one['images']})" for name, one in judged.items()]
    lines = [f"| label | aim | {' | '.join(heads)} |", "|---" * (len(heads) + 2) + "|"]
    for name in (*LABELS, "skin"):
        figures = [one["labels"].get(name) for one in judged.values()]
        if any(figures):
            cells = [_percent(each["iou"], each["iou_ci"]) if each else "–" for each in figures]
            lines.append(f"| {name} | {AIMS.get(name, '–')} | {' | '.join(cells)} |")
    means = [_percent(one["mean_iou"], one["mean_iou_ci"]) for one in judged.values()]
    return [*lines, f"| mean without background | – | {' | '.join(means)} |", ""]


def _person(one: Checkpoint, beside: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[str]:
    """IOU of the person beside that of the mask network, on the sets that both were judged on."""
    lines = []
    for name, modes in one.card.get("metrics", {}).items():
        if name in beside:
            ours, theirs = (m.get("recurrent", m["empty"])["iou"] for m in (modes, beside[name]))
            lines.append(f"| {name} | {100 * ours:.1f} | {100 * theirs:.1f} | {100 * (ours - theirs):+.1f} |")
    head = [f"| person, IOU (aim: within 0.5) | {one.name} | {BESIDE} | points |", "|---|---|---|---|"]
    return [*head, *lines, ""] if lines else []


def _steadiness(one: Checkpoint) -> list[str]:
    kept = one.card.get("steadiness", {})
    if not kept:
        return []
    lines = [
        "Flicker: per cent of the pixels that change from one frame to the next, with the network's own mask fed back; "
        "in brackets of one frame under a sensor's noise, where nothing should change.",
        "",
        f"| clip | label | person | person, {BESIDE} | person, truth |",
        "|---|---|---|---|---|",
    ]
    for name, values in kept.items():
        cells = [f"{values[key]:.2f} ({values[f'{key}_still']:.2f})" for key in ("labels", "person", "beside")]
        lines.append(f"| {name} | {' | '.join(cells)} | {values['truth']:.2f} (0) |")
    return [*lines, ""]


def _training(one: Checkpoint) -> list[str]:
    data = one.card.get("data")
    if not data:
        return []
    return [
        f"Data: {', '.join(data['sources'])}; {data['pictures']} pictures, sha256 over their pixels "
        f"`{data['sha256'][:16]}`.",
        "",
    ]


def _percent(value: float, interval: Sequence[float]) -> str:
    low, high = interval
    return f"{100 * value:.1f} ({100 * low:.1f}–{100 * high:.1f})"
