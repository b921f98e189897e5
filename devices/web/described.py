"""What a browser is told about a model that is not this project's own."""

from __future__ import annotations

from typing import Any

from devices.contract import Job

FIELDS = (
    "layout",
    "colour",
    "mean",
    "std",
    "input_name",
    "output_name",
    "output",
    "output_layout",
    "channel",
    "person_classes",
    "inverted",
)
"""Of a description, what page/described.js obeys."""
UNKNOWN = ("previous_mask", "stacked_mask", "states", "constants")
"""And what it does not: the model gets more than a picture."""


def told(job: Job) -> dict[str, Any] | None:
    """The description for the page; None for one of our own networks. `refused` says why a browser cannot obey it."""
    model = job.reference
    if model is None:
        return None
    refused = next((field for field in UNKNOWN if getattr(model, field)), None)
    why = f"a browser gives a model one picture and nothing else; {model.name} has {refused}" if refused else None
    if model.label_classes:
        why = f"a browser takes labels of our own networks alone, not those of {model.name}"
    fields = {name: getattr(model, name) for name in FIELDS}
    return {**fields, "output_layout": model.output_layout or model.layout, "refused": why}
