"""What a run that goes on says of the rows of before."""

from __future__ import annotations

from pathlib import Path

from devices.plan import Options, Weights, make
from devices.session import SHOWN, told


def test_what_is_kept_is_named() -> None:
    weights = {name: Weights(Path(name), name) for name in ("live", "live-fast")}
    tasks = make(Options(variants="live,live-fast"), weights).tasks
    assert told(tasks[:2]) == (
        "Kept from before, not measured again: live/pytorch/fp32/256x240/desktop/cpu1,"
        " live/onnx/fp32/256x240/desktop/cpu1."
    )
    assert told(tasks).endswith(f" and {len(tasks) - SHOWN} more.")
