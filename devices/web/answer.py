"""A page's answer believed only as far as it can be checked: anybody's browser may have sent it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from devices import job as jobs
from devices.contract import Environment, Job, MeasurementFailed, Result
from devices.sustained import BIN_SECONDS
from devices.web import phone
from models.labels import LABELS, person
from models.segmenter import ROUNDING

RESULT_BYTES = 4 << 20
FACTS_BYTES = 16 << 10
TEXT = 400
"""Characters of one fact: a user agent may have 300."""
FACTS = 60
LARGEST = 1e15
"""Of a fact that is a number."""
MOST_SAMPLES = 200_000
BIN = {"start", "frames", "busy"}
SHARE = 0.51 / 255 + ROUNDING
"""How far a mask may be from the person in its labels: they are whole shares of 255, which end at 0 and 255."""
CLOCKS_DIFFER, SLACK_SECONDS = 1.02, 0.5
"""How much faster than this machine's clock a page's may go, and the rounding of a coarse one."""
KEYS = {
    "evidence",
    "model_ns",
    "pipeline_ns",
    "load_ns",
    "first_ns",
    "warm_up",
    "placement",
    "environment",
    "sustained",
    "end",
}


def masks_bytes(job: Job) -> int:
    """How long the masks of `job` must be."""
    height, width = job.config.resolution
    return 4 * sum(job.sequences) * height * width


def labels_bytes(job: Job) -> int:
    """How long the labels of `job` must be, where its network gives them."""
    height, width = job.config.resolution
    return len(LABELS) * sum(job.sequences) * height * width


def read(folder: Path, job: Job, phone_facts: Mapping[str, Any], retries: int, elapsed: float) -> Result:
    """The answer in `folder`: result.json, masks.f32 and, of a network with labels, labels.u8.

    MeasurementFailed, one sentence, when it is invalid.

    `elapsed`: the seconds of this machine's clock since the page was given the job.
    """
    check(jobs.read_ended(folder / "result.json"), job, elapsed)
    result = jobs.read_result(folder)
    if jobs.gives_labels(job):
        _check_labels(result)
    everything = {**phone_facts, **result.environment.facts}
    median = statistics.median(result.model_ns)
    return replace(
        result,
        environment=Environment(everything, phone.hazards(everything, median, job.config.unit)),
        retries=retries,
    )


def check(values: Mapping[str, Any], job: Job, elapsed: float) -> None:
    """MeasurementFailed unless a page that measured `job` for at most `elapsed` seconds may have sent `values`."""
    if unknown := sorted(set(values) - KEYS):
        raise MeasurementFailed(f"the answer has fields that no page sends: {', '.join(unknown)[:TEXT]}")
    if values.get("evidence") != "measured":
        raise MeasurementFailed("the answer does not say that it was measured")
    total = sum(sum(_samples(name, values.get(name, []))) for name in ("model_ns", "pipeline_ns"))
    for name in ("load_ns", "first_ns"):
        if not _nanoseconds(values.get(name)):
            raise MeasurementFailed(f"the answer's {name} is not whole nanoseconds")
        total += values[name]
    total += _load(values.get("sustained", []), job)
    if (count := len(values.get("model_ns", []))) < job.counts.samples:
        raise MeasurementFailed(f"the answer has {count} samples where {job.counts.samples} were asked for")
    if total > 1e9 * (CLOCKS_DIFFER * elapsed + SLACK_SECONDS):
        raise MeasurementFailed(
            f"the answer's times add up to {total / 1e9:.1f} s, and it came {elapsed:.1f} s after the page began"
        )
    environment = values.get("environment", {})
    if not isinstance(environment, dict) or set(environment) - {"facts"}:
        raise MeasurementFailed("the answer's environment holds more than facts")
    told = {"placement": values.get("placement", {}), "warm_up": values.get("warm_up", {})}
    for name, facts in {**told, "facts": environment.get("facts", {})}.items():
        flat(name, facts)
    counts = [told["placement"].get(name) for name in ("ops", "delegated")]
    if not all(count is None or _nanoseconds(count) for count in counts):
        raise MeasurementFailed("the answer's numbers of operators are not whole numbers")


def _check_labels(result: Result) -> None:
    """MeasurementFailed unless the labels are there, and the masks are the person in them."""
    if result.labels is None:
        raise MeasurementFailed("the page left no labels")
    for mask, labels in zip(result.masks, result.labels, strict=True):
        if np.abs(mask - person(labels / np.float32(255))[..., 0]).max() > SHARE:
            raise MeasurementFailed("the answer's masks are not the person in its labels")


def _samples(name: str, samples: Any) -> list[int]:
    if not isinstance(samples, list):
        raise MeasurementFailed(f"the answer's {name} are no list of samples")
    if len(samples) > MOST_SAMPLES:
        raise MeasurementFailed(f"the answer has {len(samples)} {name}, and {MOST_SAMPLES} are the most")
    if not all(map(_nanoseconds, samples)):
        raise MeasurementFailed(f"the answer's {name} are not whole nanoseconds")
    if 0 in samples:
        raise MeasurementFailed("the browser's clock is too coarse: a sample took no time at all")
    return samples


def _load(bins: Any, job: Job) -> int:
    """Nanoseconds of frames in bins of load, which must follow one another for the minutes that were asked for."""
    minutes = job.counts.sustained
    if not isinstance(bins, list) or bool(bins) != bool(minutes):
        raise MeasurementFailed(f"the answer has no bins of load as {minutes:g} minutes give them")
    busy, next_start = 0.0, 0.0
    for one in bins:
        if not isinstance(one, dict) or set(one) != BIN or not all(type(v) in (int, float) for v in one.values()):
            raise MeasurementFailed("a bin of load is not its start, frames and busy seconds")
        in_time = next_start <= one["start"] < 60 * minutes
        if not (in_time and type(one["frames"]) is int and one["frames"] > 0 and 0 < one["busy"] < job.time_limit):
            raise MeasurementFailed("a bin of load has times that cannot be")
        busy, next_start = busy + one["busy"], one["start"] + max(BIN_SECONDS, one["busy"]) - SLACK_SECONDS
    if bins and next_start < 60 * minutes - SLACK_SECONDS:
        raise MeasurementFailed(f"the answer's load ends before {minutes:g} minutes")
    return round(1e9 * busy)


def _nanoseconds(value: Any) -> bool:
    """Whether it is a whole number of nanoseconds, of less than three hours."""
    return type(value) is int and 0 <= value < 10**13


def flat(what: str, facts: Any) -> dict[str, Any]:
    """`facts` as they are. MeasurementFailed unless short names with short texts, numbers, booleans or null."""
    if not isinstance(facts, dict) or len(facts) > FACTS:
        raise MeasurementFailed(f"the answer's {what} are no short list of facts")
    for key, value in facts.items():
        text = value if isinstance(value, str) else ""
        if not (isinstance(value, str | int | float | bool | None) and f"{key}{text}".isprintable()):
            raise MeasurementFailed(f"the answer's {what} hold more than plain text and numbers")
        if len(key) > TEXT or len(text) > TEXT:
            raise MeasurementFailed(f"the answer's {what} hold a text of more than {TEXT} characters")
        if isinstance(value, int | float) and not -LARGEST <= value <= LARGEST:
            raise MeasurementFailed(f"the answer's {what} hold a number that is not finite, or too large")
    return facts
