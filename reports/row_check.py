"""What the figures of a row must be before anything is computed from them: one wrong row then costs itself alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

MOST_SAMPLES = 1_000_000
LARGEST = 1e18
"""Of any number: beyond it a figure means nothing, and some of its uses overflow."""

Check = Callable[[Any], bool]


def number(low: float = -LARGEST, high: float = LARGEST) -> Check:
    """A finite number from `low` to `high`; true and false are none."""
    return lambda value: isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def text(value: Any) -> bool:
    return isinstance(value, str)


def each(check: Check) -> Check:
    """A list of values that pass."""
    return lambda value: isinstance(value, list | tuple) and all(map(check, value))


def table(check: Check) -> Check:
    """An object whose values pass."""
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def interval(check: Check) -> Check:
    """[low, high], either of which may be null."""
    return lambda value: each(lambda end: end is None or check(end))(value) and len(value) == 2


def samples(value: Any) -> bool:
    """Whole nanoseconds of a monotonic clock, each more than none."""
    return (
        isinstance(value, list)
        and len(value) <= MOST_SAMPLES
        and all(type(ns) is int and 0 < ns < 1e16 for ns in value)
    )


def scored(value: Any) -> bool:
    """[picture, IOU, boundary F]."""
    return each(lambda one: isinstance(one, list) and len(one) == 3 and text(one[0]) and all(map(SHARE, one[1:])))(
        value
    )


def example(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and SHARE(value.get("iou"))
        and all(text(value.get(k)) for k in ("kind", "frame", "jpeg"))
        and text(value.get("labels_jpeg", ""))
    )


def labels(value: Any) -> bool:
    """The figures of a network with labels."""
    return (
        isinstance(value, dict)
        and SHARE(value.get("mean_iou"))
        and whole(value.get("mean_iou_ci"))
        and table(figure)(value.get("labels"))
        and text(value.get("worst"))
        and value["worst"] in value["labels"]
        and each(text)(value.get("lacking"))
        and table(table(COUNT))(value.get("confusion"))
    )


def figure(value: Any) -> bool:
    """One label's."""
    return (
        isinstance(value, dict)
        and SHARE(value.get("iou"))
        and whole(value.get("iou_ci"))
        and all(COUNT(value.get(name)) for name in ("pixels", "pictures"))
    )


def whole(value: Any) -> bool:
    """An interval with both ends."""
    return interval(SHARE)(value) and None not in value


def with_all(*names: str) -> Check:
    """An object that has all these values, none of them null."""
    return lambda value: isinstance(value, dict) and all(value.get(name) is not None for name in names)


def fact(value: Any) -> bool:
    """Flat: a text, a number, a boolean, null, or a list of these."""
    one = value if isinstance(value, list) else [value]
    return all(item is None or isinstance(item, str | bool) or number()(item) for item in one)


def facts(value: Any) -> bool:
    """Facts by name. An Android phone's clocks, before and after, are a table by processor."""
    clock = table(lambda khz: khz is None or COUNT(khz))
    return isinstance(value, dict) and all(
        clock(found) if name.endswith(("max_khz", "current_khz")) else fact(found) for name, found in value.items()
    )


def process(value: Any) -> bool:
    """One of several processes: its samples and its ratio, or why it failed."""
    if not isinstance(value, dict):
        return False
    if "failed" in value:
        return text(value["failed"])
    times = (value.get("paired") or {}).get("times_as_fast")
    return samples(value.get("model_ns")) and (times is None or POSITIVE(times))


def moment(value: Any) -> bool:
    """A time as ISO 8601 writes it."""
    try:
        return isinstance(value, str) and bool(datetime.fromisoformat(value))
    except ValueError:
        return False


def bin_of_load(value: Any) -> bool:
    """One of devices.sustained: frames ran, and took time."""
    checks = {"start": COUNT, "frames": number(1), "busy": POSITIVE}
    return table(fact)(value) and all(check(value.get(name)) for name, check in checks.items())


def compared(value: Any) -> bool:
    """One round beside a reference model."""
    return (
        isinstance(value, dict)
        and value.get("first") in ("own", "reference")
        and all(samples(value.get(name)) and len(value[name]) > 1 for name in ("own", "reference"))
    )


def described(value: Any) -> bool:
    """A network; one that is a reference model has a licence, which is shown."""
    return isinstance(value, dict) and (not value.get("peer") or text(value.get("licence")))


SHARE, COUNT, POSITIVE = number(0, 1), number(0), number(1e-9)
CHECKS: Mapping[str, Check] = {
    "time": moment,
    "resolution": each(number(1, 1e6)),
    "threads": number(1, 1e6),
    "timing.model_ns": samples,
    "timing.pipeline_ns": samples,
    **dict.fromkeys(("timing.model_switched", "timing.pipeline_switched"), each(COUNT)),
    **dict.fromkeys(("timing.paired.times_as_fast", "timing.paired.reference_fps"), POSITIVE),
    "timing.paired.interval": lambda value: interval(POSITIVE)(value) and None not in value,
    "timing.paired.switched_share": SHARE,
    "timing.paired.reason": text,
    "timing.counts": table(number()),
    "timing.compared": with_all("rounds"),
    "timing.compared.rounds": each(compared),
    "timing.sustained": each(bin_of_load),
    "timing.energy.millijoules": COUNT,
    "timing.energy.source": text,
    **dict.fromkeys(("timing.load_ns", "timing.first_ns", "timing.peak_memory_bytes"), COUNT),
    "timing.instructions_per_frame": COUNT,
    "timing.repeats": each(process),
    **{f"timing.estimate.{name}": POSITIVE for name in ("milliseconds", "low", "high")},
    "timing.estimate.error": number(),
    **{f"accuracy.{name}": SHARE for name in ("iou", "boundary_f")},
    **{f"accuracy.{name}": interval(SHARE) for name in ("iou_ci", "boundary_f_ci")},
    "accuracy.dtssd": COUNT,
    "accuracy.images": COUNT,
    "accuracy.data": text,
    "accuracy.data_sha256": text,
    "accuracy.description": text,
    "accuracy.credits": each(text),
    "accuracy.per_image": scored,
    "accuracy.labels": labels,
    "accuracy.from_host.max_difference": number(),
    "artifact.key": text,
    "artifact.sha256": text,
    "artifact.bytes": COUNT,
    "artifact.graph.ops": table(COUNT),
    "artifact.graph.leftovers": table(COUNT),
    "artifact.parity": with_all("max_difference", "mean_difference", "iou_loss_points"),
    **{f"artifact.parity.{name}": number() for name in ("max_difference", "mean_difference", "iou_loss_points")},
    "artifact.parity.label_loss_points": number(),
    "artifact.parity.breach": text,
    "artifact.parity.processor.model": text,
    "artifact.parity.processor.extensions": each(text),
    "artifact.instructions": table(lambda value: text(value) or COUNT(value)),
    "artifact.instructions.cortex-a57": COUNT,
    "artifact.instructions.cortex-a76": COUNT,
    "artifact.instructions.changed": text,
    "network": described,
    "network.resize_mode": text,
    "network.macs": COUNT,
    "network.parameters": COUNT,
    "placement.ops": COUNT,
    "placement.delegated": COUNT,
    **dict.fromkeys(
        ("environment.cpu", "environment.model", "environment.cpu_extensions", "environment.revision"), text
    ),
    "environment": facts,
    "hazards": each(text),
    "examples": each(example),
}
"""Path in a row -> what a value there must be. An absent value or null passes; what no path names is not used."""


def problem(values: Mapping[str, Any]) -> str | None:
    """What is wrong with a row as JSON gives it, in words; None when nothing is."""
    for path, check in CHECKS.items():
        value: Any = values
        for name in path.split("."):
            if value is not None and not isinstance(value, dict):
                return f"its {path} is inside of something that is no object"
            value = (value or {}).get(name)
        if value is not None and not check(value):
            return f"its {path} is {json.dumps(value)[:60]}"
    return None
