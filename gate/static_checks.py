"""Comparisons that need no clock come first: they cost nothing and, accuracy aside, are never inconclusive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converters.artifact import Parity
from evaluation.labels import Change
from evaluation.score import Score
from gate.config import Tolerance
from gate.decision import Outcome
from gate.verdict import Finding, percent
from models.variant import Resolution
from reports.statistics import paired


def resolution(before: Resolution, now: Resolution) -> list[Finding]:
    """A change of the input is reported; what it costs and what it brings is judged by the other checks."""
    if before == now:
        return []
    (h0, w0), (h1, w1) = before, now
    words = f"The input is {h1}x{w1}, {h0}x{w0} before: each side is measured and judged at its own."
    return [Finding("resolution", Outcome.PASS, words)]


def size(before: int, now: int, tolerance: Tolerance) -> Finding:
    return _share("size", before, now, tolerance.size, f"{now / 1e6:.3f} MB on disk, {before / 1e6:.3f} before")


def macs(before: int | None, now: int | None, tolerance: Tolerance) -> Finding:
    if before is None or now is None:
        return Finding("macs", None, "Multiply-accumulates were not compared: a graph does not state its shapes.")
    return _share(
        "macs", before, now, tolerance.macs, f"{now / 1e6:.1f} M multiply-accumulates, {before / 1e6:.1f} M before"
    )


def instructions(before: int, now: int, tolerance: Tolerance, core: str) -> Finding:
    """`core`: what XNNPACK's kernels found there, such as "no dot products"."""
    said = f"{now / 1e6:.2f} M ARM instructions an inference ({core}), {before / 1e6:.2f} M before"
    return _share("instructions", before, now, tolerance.instructions, said)


def graph(before: Mapping[str, Any], now: Mapping[str, Any]) -> Finding:
    """More layout operators of one kind are a regression; any other change of the operators is reported and passes."""
    left_before, left_now = before.get("leftovers", {}), now.get("leftovers", {})
    grown = [f"{n - left_before.get(kind, 0)} {kind}" for kind, n in left_now.items() if n > left_before.get(kind, 0)]
    ops_before, ops_now = before.get("ops", {}), now.get("ops", {})
    changes = [
        f"{name} {ops_before.get(name, 0)} to {ops_now.get(name, 0)}"
        for name in sorted({*ops_before, *ops_now})
        if ops_before.get(name, 0) != ops_now.get(name, 0)
    ]
    listed = f"operators changed: {', '.join(changes)}" if changes else "the operators are the same"
    if grown:
        return Finding("graph", Outcome.FAIL, f"FAIL; the graph has {', '.join(grown)} more than before; {listed}.")
    return Finding("graph", Outcome.PASS, f"{listed[0].upper()}{listed[1:]}.")


def placement(before: Mapping[str, Any], now: Mapping[str, Any]) -> Finding:
    """Operators that the delegate no longer takes, or another unit, are a regression; those it takes now are none."""
    left = [p["ops"] - p["delegated"] if "delegated" in p else 0 for p in (before, now)]
    where = [str(p.get("actual", "")) for p in (before, now)]
    said = f"it runs on {where[1] or 'its runtime'}"
    if "delegated" in now:
        said += f", which took {now['delegated']} of {now['ops']} operators"
    if left[1] > left[0]:
        return Finding(
            "placement", Outcome.FAIL, f"FAIL; {left[1] - left[0]} more operators run on slow kernels: {said}."
        )
    if left[1] < left[0] and where[0].startswith(where[1]):
        return Finding("placement", Outcome.PASS, f"{said[0].upper()}{said[1:]}, {left[0] - left[1]} more than before.")
    if where[0] != where[1]:
        return Finding("placement", Outcome.FAIL, f"FAIL; {said}, and on {where[0]} before.")
    return Finding("placement", Outcome.PASS, f"{said[0].upper()}{said[1:]}, as before.")


def parity(now: Parity | None) -> Finding:
    """The candidate against its own checkpoint."""
    if now is None:
        return Finding("parity", None, "Parity was not compared: an artifact alone does not name its checkpoint.")
    if now.tolerance_exceeded:
        return Finding("parity", Outcome.FAIL, f"FAIL; {now.tolerance_exceeded}.")
    return Finding(
        "parity",
        Outcome.PASS,
        f"It deviates from its checkpoint by {now.mean_difference:.1g} on average, within the tolerance.",
    )


def accuracy(before: Score, now: Score, tolerance: Tolerance) -> list[Finding]:
    """IOU and boundary F, paired over the frames with a bootstrap: three-way, like the speed."""
    points = {"IOU": (1, tolerance.iou_points), "boundary F": (2, tolerance.boundary_points)}
    found = []
    for metric, (column, allowed) in points.items():
        pairs = [{row[0]: float(row[column]) for row in score.per_image} for score in (before, now)]
        compared = paired(*pairs)
        if compared is None:
            found.append(Finding(metric, None, f"{metric} was not compared: there are fewer than two frames."))
            continue
        change, low, high = (100 * value for value in (compared[0], *compared[1]))
        found.append(_points(metric, metric, (change, low, high), len(pairs[1]), allowed))
    return found


def labels(changed: tuple[Change, dict[str, Change]] | None, frames: int, tolerance: Tolerance) -> list[Finding]:
    """The mean IOU of the labels, and the label that lost most: three-way, by the same rule as the person's IOU."""
    if changed is None or frames < 2:
        return [
            Finding("labels", None, "Labels were not compared: the pictures tell none, or there are fewer than two.")
        ]
    mean, each = changed
    worst = min(each, key=lambda name: each[name].change)
    of_mean, of_worst = (tuple(100 * x for x in (one.change, *one.ci)) for one in (mean, each[worst]))
    return [
        _points("mean IOU of labels", f"mean IOU of {len(each)} labels", of_mean, frames, tolerance.mean_label_points),
        _points("IOU of a label", f"IOU of {worst}, the worst label,", of_worst, frames, tolerance.label_points),
    ]


def labels_of_one(candidate: bool) -> Finding:
    """Labels that one network alone gives: those that are lost are a regression."""
    if candidate:
        return Finding("labels", Outcome.PASS, "It gives labels, which the baseline does not.")
    return Finding("labels", Outcome.FAIL, "FAIL; it gives no labels, and the baseline does.")


def _points(metric: str, what: str, changed: tuple[float, ...], frames: int, allowed: float) -> Finding:
    """A change of points (change, low, high): a FAIL where all of its interval is beyond what may be lost."""
    change, low, high = changed
    said = f"{what} {change:+.2f} points, between {low:+.2f} and {high:+.2f}, over {frames} frames"
    said += f"; {allowed:g} may be lost"
    if high < -allowed:
        return Finding(metric, Outcome.FAIL, f"FAIL; {said}.")
    if low >= -allowed:
        return Finding(metric, Outcome.PASS, f"{said[0].upper()}{said[1:]}." if what != metric else f"{said}.")
    return Finding(metric, Outcome.INCONCLUSIVE, f"INCONCLUSIVE; {said}, too few frames to decide.")


def _share(metric: str, before: float, now: float, allowed: float, said: str) -> Finding:
    if now - before > allowed * before:
        growth = f": {100 * (now / before - 1):+.1f} %" if before else ""
        return Finding(metric, Outcome.FAIL, f"FAIL; {said}{growth}, and {percent(allowed)} is tolerated.")
    return Finding(metric, Outcome.PASS, f"{said[0].upper()}{said[1:]}.")
