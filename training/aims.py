"""The aims of the networks beside what each reached: a part of the model card.

An aim is of one figure of one network, or of the best or the worst of several. What is reached is read from the metrics
of the card and from docs/measured.json; nothing is typed but the aims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from models.variant import REFERENCE

Metrics = Mapping[str, Mapping[str, Mapping[str, Mapping[str, Any]]]]
"""{network: {set: {mode: figures}}}"""
Lost = Mapping[str, Mapping[str, Mapping[str, float]]]
"""{network: {format: {set: points of IOU lost by int8}}}"""
Count = Callable[[str], float | None]
"""A figure of the network of that name; None where it was not measured."""

TWELVE = tuple(REFERENCE)
SKIP = tuple(name for name, variant in REFERENCE.items() if variant.skips)
NOSKIP = tuple(name for name in TWELVE if name not in SKIP)
BESIDE = "mediapipe-selfie"
"""The network that cost and accuracy are compared with."""
STILLS = ("selfie-val", "selfie-val2", "ccp-upper, a tenth", "portraits, a tenth")
CLIPS = ("parkour", "breakdance-flare", "office-man")
EMBEDDED = "embedded sample"
PARITY_CLIP = "parity clip"
"""The name under which `training.quantise` notes what int8 loses there."""

INTRODUCTION = f"""\
IOU in per cent: stills from an empty previous mask, clips with the network's own. `live` is to equal {BESIDE} on
stills, `live-best` to be 0.3 points ahead, `live-fast` at most 0.8 behind. Instructions are of a frame in float32 on an
AArch64 core without dot products (`make docs-measure`); x86 time is the median over rounds in turn
(`python -m training.compare`). Shares are of {BESIDE}'s. What int8 loses is the worst of LiteRT, ONNX Runtime and
OpenVINO, on the worst of the sets named, and on the clip of the parity test with its tolerance (`python -m
training.quantise CHECKPOINT --validation DIR ... --note`).
"""


@dataclass(frozen=True)
class Accuracy:
    """IOU on a set of the best, or the worst, of `networks`: at least `least`, or `BESIDE`'s and `beyond` points."""

    networks: tuple[str, ...]
    data: str
    least: float | None = None
    beyond: float | None = None
    worst: bool = False


@dataclass(frozen=True)
class Steadiness:
    """dtSSD of a network on a clip, with its own mask fed back: no higher than `BESIDE`'s."""

    network: str
    data: str


@dataclass(frozen=True)
class Cost:
    """At most so many million ARM instructions, or so large a share of `BESIDE`'s instructions or x86 time."""

    network: str
    of: Literal["millions of ARM instructions", "share of ARM instructions", "share of x86 time"]
    most: float


@dataclass(frozen=True)
class Int8:
    """At most so many points of IOU lost by int8 in any format on any set of stills, or on the parity clip alone."""

    network: str
    most: float
    parity_clip: bool = False


ACCURACIES: tuple[Accuracy, ...] = (
    *(Accuracy(TWELVE, data, least) for data, least in zip(STILLS, (97.0, 94.8, 95.3, 87.0), strict=True)),
    Accuracy(("s16-skip-dense",), "selfie-val", 96.3),
    Accuracy(("s16-skip-dense",), "selfie-val2", 93.8),
    Accuracy(SKIP, "selfie-val", 95.5, worst=True),
    Accuracy(SKIP, "selfie-val2", 92.5, worst=True),
    Accuracy(NOSKIP, "selfie-val", 94.0, worst=True),
    Accuracy(NOSKIP, "selfie-val2", 91.0, worst=True),
    Accuracy(SKIP, EMBEDDED, 85.0, worst=True),
    *(Accuracy(("live",), data, beyond=0.0) for data in STILLS),
    *(Accuracy(("live",), data, least) for data, least in zip(CLIPS, (86.0, 75.0, 98.5), strict=True)),
    *(Accuracy(("live-best",), data, beyond=0.3) for data in STILLS),
    *(Accuracy(("live-fast",), data, beyond=-0.8) for data in STILLS),
)
STEADINESS: tuple[Steadiness, ...] = tuple(Steadiness("live", data) for data in CLIPS)
COSTS: tuple[Cost, ...] = (
    Cost("s16-skip-plain", "millions of ARM instructions", 20.0),
    Cost("s16-skip-dense", "millions of ARM instructions", 39.0),
    *(
        cost
        for name, arm, x86 in (("live", 0.50, 0.45), ("live-best", 0.75, 0.65), ("live-fast", 0.24, 0.20))
        for cost in (Cost(name, "share of ARM instructions", arm), Cost(name, "share of x86 time", x86))
    ),
)
INT8: tuple[Int8, ...] = tuple(
    aim for name in ("live", "live-best", "live-fast") for aim in (Int8(name, 0.3), Int8(name, 1.0, parity_clip=True))
)


def section(metrics: Metrics, instructions: Count, x86_share: Count, int8: Lost) -> list[str]:
    """The lines of the card's part; none where no figure is known."""
    rows = [
        *(_accuracy(aim, metrics) for aim in ACCURACIES),
        *(_steadiness(aim, metrics) for aim in STEADINESS),
        *(_cost(aim, instructions, x86_share) for aim in COSTS),
        *(_int8(aim, int8) for aim in INT8),
    ]
    known = [f"| {' | '.join(row)} |" for row in rows if row]
    if not known:
        return []
    return ["## Aims\n", INTRODUCTION, "| network | figure | aim | reached | |", "|---|---|---|---|---|", *known, ""]


def _accuracy(aim: Accuracy, metrics: Metrics) -> tuple[str, ...] | None:
    found = {name: iou for name in aim.networks if (iou := _iou(metrics, name, aim.data)) is not None}
    theirs, least = _iou(metrics, BESIDE, aim.data), aim.least
    if least is None and theirs is not None and aim.beyond is not None:
        least = theirs + aim.beyond
    if len(found) < len(aim.networks) or least is None:
        return None
    name = (min if aim.worst else max)(found, key=lambda name: found[name])
    who = name if len(found) == 1 else f"{name}, the {'worst' if aim.worst else 'best'} of {len(found)}"
    # As shown: what rounds to its aim has reached it.
    short = round(round(least, 1) - round(found[name], 1), 1)
    return who, f"IOU, {aim.data}", f"{least:.1f}", f"{found[name]:.1f}", _short(short)


def _steadiness(aim: Steadiness, metrics: Metrics) -> tuple[str, ...] | None:
    ours, theirs = (_figure(metrics, name, aim.data, "dtssd") for name in (aim.network, BESIDE))
    if ours is None or theirs is None:
        return None
    most, reached = round(theirs, 1), round(ours, 1)
    short = _short(round(reached - most, 1))
    return aim.network, f"dtSSD, {aim.data}", f"at most {most:.1f}", f"{reached:.1f}", short


def _cost(aim: Cost, instructions: Count, x86_share: Count) -> tuple[str, ...] | None:
    if aim.of == "share of x86 time":
        reached = x86_share(aim.network)
    else:
        count, unit = instructions(aim.network), instructions(BESIDE) if "share" in aim.of else 1e6
        reached = count / unit if count and unit else None
    if reached is None:
        return None
    digits = 2 if "share" in aim.of else 1
    short = round(round(reached, digits) - aim.most, digits)
    return aim.network, aim.of, f"at most {aim.most:.{digits}f}", f"{reached:.{digits}f}", _short(short)


def _int8(aim: Int8, lost: Lost) -> tuple[str, ...] | None:
    found = [
        (points, name)
        for sets in lost.get(aim.network, {}).values()
        for name, points in sets.items()
        if (name == PARITY_CLIP) == aim.parity_clip
    ]
    if not found:
        return None
    reached = round(max(found)[0], 2)
    where = ", ".join(dict.fromkeys(name for _, name in found))
    short = _short(round(reached - aim.most, 2))
    return aim.network, f"points that int8 loses, {where}", f"at most {aim.most:.1f}", f"{reached:.2f}", short


def _short(by: float) -> str:
    return "reached" if by <= 0 else f"short by {by:g}"


def _iou(metrics: Metrics, name: str, data: str) -> float | None:
    share = _figure(metrics, name, data, "iou")
    return None if share is None else 100 * share


def _figure(metrics: Metrics, name: str, data: str, figure: str) -> float | None:
    """With the network's own mask fed back on a clip, from an empty one on stills and without such an input."""
    modes = metrics.get(name, {}).get(data, {})
    value = modes.get("recurrent", modes.get("empty", {})).get(figure)
    return None if value is None else float(value)
