"""A page's answer believed only as far as it can be checked: anybody's browser may have sent it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from devices import job as jobs
from devices.contract import Environment, Job, MeasurementFailed, Result
from devices.web import phone

RESULT_BYTES = 4 << 20
FACTS_BYTES = 16 << 10
TEXT = 400
"""Characters of one fact: a user agent may have 300."""
FACTS = 60
KEYS = {"evidence", "model_ns", "pipeline_ns", "load_ns", "first_ns", "warm_up", "placement", "environment", "end"}


def masks_bytes(job: Job) -> int:
    """How long the masks of `job` must be."""
    height, width = job.config.resolution
    return 4 * sum(job.sequences) * height * width


def read(folder: Path, job: Job, phone_facts: Mapping[str, Any], retries: int) -> Result:
    """The answer in `folder`: result.json and masks.f32. MeasurementFailed when it is invalid."""
    result = jobs.read_result(folder)
    values = json.loads((folder / "result.json").read_text())
    if unknown := sorted(set(values) - KEYS):
        raise MeasurementFailed(f"the answer has fields that no page sends: {', '.join(unknown)[:TEXT]}")
    if result.evidence != "measured":
        raise MeasurementFailed("the answer does not say that it was measured")
    times = {"model_ns": result.model_ns, "pipeline_ns": result.pipeline_ns}
    singles = [result.load_ns, result.first_ns]
    for name, samples in {**times, "load_ns or first_ns": singles}.items():
        if not all(isinstance(ns, int) and not isinstance(ns, bool) and 0 <= ns < 10**13 for ns in samples):
            raise MeasurementFailed(f"the answer's {name} are not whole nanoseconds")
    if len(result.model_ns) < job.counts.samples:
        raise MeasurementFailed(
            f"the answer has {len(result.model_ns)} samples where {job.counts.samples} were asked for"
        )
    told = result.environment.facts
    for name, facts in {"placement": result.placement, "facts": told, "warm_up": result.warm_up}.items():
        flat(name, facts)
    everything = {**phone_facts, **told}
    median = statistics.median(result.model_ns)
    if median == 0:
        raise MeasurementFailed("the browser's clock is too coarse: most samples took no time at all")
    return replace(
        result,
        environment=Environment(everything, phone.hazards(everything, median, job.config.unit)),
        retries=retries,
    )


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
    return facts
