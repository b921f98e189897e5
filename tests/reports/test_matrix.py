"""Which rows are a phone's, and that measured and contributed ones have tables of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reports.matrix import EMPTY, matrices, show
from reports.rows import CONTRIBUTED_SCHEMA, Row
from tests.reports.made_up import row


def on(device: str, variant: str = "s16-skip-dense", **changes: Any) -> Row:
    return replace(row(variant), device=device, cell=f"{variant} {device} {changes}", **changes)


def sent(device: str, **changes: Any) -> Row:
    return on(device, evidence="contributed", schema=CONTRIBUTED_SCHEMA, **changes)


def test_without_a_phone_it_says_so() -> None:
    assert matrices([row(), sent("web:Linux Headless Chrome", hazards=("headless",))]) == {}
    assert show({}) == EMPTY


def test_measured_and_contributed_phones_are_apart_and_the_fastest_configuration_counts() -> None:
    slow = on("pixel2", timing={"model_ns": [50_000_000] * 30})
    fast = on("pixel2", timing={"model_ns": [10_000_000] * 30}, threads=4)
    other = sent("web:Pixel 8 Chrome 140", timing={"model_ns": [5_000_000] * 30})
    found = matrices([slow, fast, other, on("pixel2", variant="s4-skip-plain"), row()])
    assert list(found) == ["measured", "contributed"]
    assert found["measured"].phones == ["pixel2"]
    assert found["measured"].networks == ["s16-skip-dense", "s4-skip-plain"]
    entry = found["measured"].entries["pixel2", "s16-skip-dense"]
    assert (entry.fps, entry.where) == (100.0, "tflite fp32 cpu4")
    assert found["contributed"].phones == ["Pixel 8 Chrome 140"]
    assert found["contributed"].entries["Pixel 8 Chrome 140", "s16-skip-dense"].fps == 200.0
