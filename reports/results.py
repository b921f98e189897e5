"""The tables of results in README.md and docs/results.md: pure functions of `Facts`.

A figure whose network has changed since it was measured, or that nobody measured, is shown as "–".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from models.variant import REFERENCE, Resolution

NONE = "–"
GENERAL, LANDSCAPE = "mediapipe-selfie", "mediapipe-selfie-landscape"
TITLES = {
    GENERAL: "MediaPipe general",
    LANDSCAPE: "MediaPipe landscape",
    f"{GENERAL}-int8": "MediaPipe general in int8, by our recipe",
    f"{LANDSCAPE}-int8": "MediaPipe landscape in int8, by our recipe",
}
RECOMMENDED = ("live-fast", "live", "live-best")
SHORT = (*RECOMMENDED, "s4-skip-dense", "s16-skip-plain", GENERAL, LANDSCAPE)
"""The rows of README.md."""
OTHERS = (*RECOMMENDED, "s4-skip-light", *TITLES)
PAGE = "docs/report.png"
SETS = {
    "selfie-val": "selfie-val",
    "selfie-val2": "selfie-val2",
    "ccp-upper, a tenth": "street, half body",
    "portraits, a tenth": "portraits",
    "parkour": "parkour (clip)",
}
"""Sets by their name in the metrics, and how a column is headed."""
ARM = {"fp32": "float32", "int8_no_dot_products": "int8, no dot products", "int8_dot_products": "int8, dot products"}


@dataclass(frozen=True)
class Network:
    """What is known of one network as it is today."""

    name: str
    resolution: Resolution
    ious: Mapping[str, float] = field(default_factory=dict)
    """{set: per cent}: stills from an empty previous mask, clips with the network's own."""
    count: Mapping[str, Any] = field(default_factory=dict)
    """`parameters`, `macs`, `tflite_bytes` and `arm` ({column: instructions}), of those that are known."""
    times: tuple[Mapping[str, Any], ...] = ()
    """Entries of docs/measured.json: of these weights, and beside a reference that is today's."""

    @property
    def title(self) -> str:
        return TITLES.get(self.name, f"`{self.name}`")

    @property
    def size(self) -> str:
        return "x".join(map(str, self.resolution))


@dataclass(frozen=True)
class Facts:
    """Everything that the tables are made from."""

    networks: Mapping[str, Network]
    ablation: str = ""
    """What training.ablation has written, in Markdown."""
    pictures: Mapping[str, Any] = field(default_factory=dict)
    """The stamps of pictures, by path."""

    def of(self, names: Iterable[str]) -> list[Network]:
        return [self.networks[name] for name in names if name in self.networks]


@dataclass(frozen=True)
class Table:
    """Markdown, and the figures that it was made from, unrounded, as JSON values."""

    lines: Sequence[str]
    inputs: Any


def short(facts: Facts) -> Table:
    """README.md: accuracy, time, instructions and size of a few networks."""
    found = facts.of(SHORT)
    timed = {one.name: _times(one, "fp32", GENERAL) for one in found}
    processors = Counter(entry["processor"] for entries in timed.values() for entry in entries)
    processor = processors.most_common(1)[0][0] if processors else ""
    chosen = {name: next((e for e in entries if e["processor"] == processor), None) for name, entries in timed.items()}
    entries = [entry for entry in chosen.values() if entry]
    head = [
        "network",
        "IOU, selfie-val2",
        f"time on {processor or 'x86'}, share of MediaPipe general's",
        "ARM instructions, M a frame",
        "size, MB",
    ]

    def time(one: Network) -> str:
        if one.name == GENERAL and entries:
            return f"1 ({min(e['reference_ms'] for e in entries):.1f} ms)"
        return _ratio(chosen[one.name])

    body = [
        [f"{one.title} {one.size}", _iou(one, "selfie-val2"), time(one), _arm(one, "fp32"), _megabytes(one)]
        for one in found
    ]
    inputs = [[_inputs(one, ["selfie-val2"], ["fp32"]), chosen[one.name]] for one in found]
    return Table([*_table(head, body), "", _measured(entries)], inputs)


def accuracy(facts: Facts) -> Table:
    """IOU of the recommended networks beside MediaPipe's."""
    return _accuracy(facts.of(OTHERS))


def twelve(facts: Facts) -> Table:
    """IOU of the reference networks."""
    return _accuracy(facts.of(REFERENCE))


def _accuracy(found: Sequence[Network]) -> Table:
    body = [[one.title, one.size, *(_iou(one, name) for name in SETS)] for one in found]
    return Table(_table(["network", "input", *SETS.values()], body), [_inputs(one, SETS, []) for one in found])


def costs(facts: Facts) -> Table:
    """Parameters, multiply-accumulates, ARM instructions and size."""
    found = facts.of(dict.fromkeys((*OTHERS, *REFERENCE)))
    head = ["network", "input", "parameters", "MACs, M", *(f"ARM, M: {words}" for words in ARM.values()), "TFLite, MB"]
    body = [
        [
            one.title,
            one.size,
            f"{one.count['parameters']:,}" if "parameters" in one.count else NONE,
            _millions(one.count.get("macs"), 1),
            *(_arm(one, column) for column in ARM),
            _megabytes(one),
        ]
        for one in found
    ]
    return Table(_table(head, body), [_inputs(one, [], ARM) for one in found])


def times(facts: Facts) -> Table:
    """Time and points of IOU beside a reference, a table for each processor, precision and reference."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for one in facts.of((*RECOMMENDED, *REFERENCE, "s4-skip-light", *TITLES)):
        for entry in one.times:
            groups.setdefault((entry["processor"], entry["precision"], entry["reference"]), []).append(entry)
    lines: list[str] = []
    for (processor, precision, reference), entries in sorted(groups.items()):
        sets = list(dict.fromkeys((p["data"], p["images"]) for entry in entries for p in entry["points"]))
        head = ["network", "time", *(f"{SETS.get(data, data)} ({images})" for data, images in sets)]
        body = []
        for entry in entries:
            points = {(p["data"], p["images"]): p for p in entry["points"]}
            title = TITLES.get(entry["network"], f"`{entry['network']}`")
            body.append([title, _ratio(entry), *(_points(points.get(key)) for key in sets)])
        words = "float32" if precision == "fp32" else precision
        lines += [f"{processor}, {words}, beside {TITLES.get(reference, reference)}. {_measured(entries)}", ""]
        lines += [*_table(head, body), ""]
    known = [entry for entries in groups.values() for entry in entries]
    return Table(lines[:-1] or ["Not measured for the networks as they are today."], known)


def ablation(facts: Facts) -> Table:
    """What training.ablation found, where it is of the reference networks as they are today."""
    today = " and ".join(sorted({one.size for one in facts.of(REFERENCE)}))
    judged, _, _ = facts.ablation.partition("\n")
    current = bool(today) and f" at {today}," in judged
    lines = facts.ablation.strip().splitlines() if current else ["Not measured for the networks as they are today."]
    return Table(lines, lines)


def page(facts: Facts) -> Table:
    """The picture of the page, once it was drawn from rows."""
    if not (stamp := facts.pictures.get(PAGE)):
        return Table(["Not drawn yet: `make docs ROWS=results` draws it from the rows of a run."], None)
    return Table([f"![The beginning of the page of a run]({PAGE.removeprefix('docs/')})"], stamp)


TABLES: dict[str, Callable[[Facts], Table]] = {
    "networks": short,
    "accuracy": accuracy,
    "reference-networks": twelve,
    "costs": costs,
    "times": times,
    "ablation": ablation,
    "page": page,
}
"""By the name in the marker."""


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(cells)} |" for cells in body)]


def _inputs(one: Network, sets: Iterable[str], columns: Iterable[str]) -> list[Any]:
    """What a row is made from; the rest of the costs belongs to the columns of instructions."""
    arm = {name: one.count.get("arm", {}).get(name) for name in columns}
    cost = [one.count.get(key) for key in ("parameters", "macs", "tflite_bytes")] if arm else []
    return [one.name, one.size, [one.ious.get(name) for name in sets], arm, cost]


def _times(one: Network, precision: str, reference: str) -> list[Mapping[str, Any]]:
    return [entry for entry in one.times if (entry["precision"], entry["reference"]) == (precision, reference)]


def _measured(entries: Sequence[Mapping[str, Any]]) -> str:
    """When and how the times were taken, in a sentence."""
    if not entries:
        return "No time was taken of the networks as they are today."
    rounds = " or ".join(map(str, sorted({entry["rounds"] for entry in entries})))
    dates = " and ".join(sorted({entry["date"] for entry in entries}))
    return f"Times: LiteRT, one thread, {rounds} rounds in one process, median and 95 % interval; {dates}."


def _iou(one: Network, name: str) -> str:
    return f"{one.ious[name]:.1f}" if name in one.ious else NONE


def _arm(one: Network, column: str) -> str:
    return _millions(one.count.get("arm", {}).get(column), 2)


def _millions(value: float | None, digits: int) -> str:
    return NONE if value is None else f"{value / 1e6:.{digits}f}"


def _megabytes(one: Network) -> str:
    return _millions(one.count.get("tflite_bytes"), 2)


def _ratio(entry: Mapping[str, Any] | None) -> str:
    return f"{entry['median']:.2f} ({entry['low']:.2f} to {entry['high']:.2f})" if entry else NONE


def _points(points: Mapping[str, Any] | None) -> str:
    return f"{points['points']:+.1f} ({points['low']:+.1f} to {points['high']:+.1f})" if points else NONE
