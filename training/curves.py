"""A run's log as a picture: loss, and IOU on each validation set, against samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

NOT_SETS = ("samples", "seconds", "loss")


def save(path: Path, log: Sequence[dict[str, float]]) -> None:
    """Draw `log` (one dict an evaluation: samples, seconds, loss, and IOU in 0..1 by set) into a PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    samples = [entry["samples"] for entry in log]
    left.plot(samples, [entry["loss"] for entry in log], ".-", color="0.3")
    left.set_ylabel("loss, mean since the last evaluation")
    for name in dict.fromkeys(key for entry in log for key in entry if key not in NOT_SETS):
        judged = [(entry["samples"], 100 * entry[name]) for entry in log if name in entry]
        right.plot(*zip(*judged, strict=True), ".-", label=f"{name} {judged[-1][1]:.1f}")
    right.set_ylabel("IOU, %")
    if right.lines:
        right.legend(frameon=False)
    for axes in (left, right):
        axes.set_xlabel("samples")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
