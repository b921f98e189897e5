"""A row seen by the reader of a report: the figures that may be shown of it, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from devices.ratio import Ratio, ratio
from devices.sustained import Bin, Kept, from_json, kept
from models.variant import VARIANTS
from reports.rows import Row
from reports.statistics import FEWEST, Interval, Latency, latency, round_effect

RUNTIMES = {
    "pytorch": "PyTorch",
    "onnx": "ONNX Runtime",
    "tflite": "LiteRT",
    "openvino": "OpenVINO",
    "coreml": "Core ML",
}
"""The usual runtime of a format, where a row that failed before it started names none."""

# Order of first mention, on every page and in every table.
_FORMATS = list(RUNTIMES)
_PRECISIONS = ["fp32", "fp16", "int8"]
EVIDENCE = ["measured", "contributed", "emulated", "estimated"]


@dataclass(frozen=True)
class Scope:
    """What two rows must share before one can be called better: where and how they ran, and on which pictures."""

    device: str
    unit: str
    threads: int
    data: str
    processor: str = ""

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        processor = f", {self.processor}" if self.processor else ""
        return f"{self.device}{processor}, {self.unit.upper()}, {threads}"


@dataclass(frozen=True)
class Summary:
    """One row's figures. Speed is None unless a real device ran it, whatever the row holds."""

    row: Row

    @property
    def ok(self) -> bool:
        return self.row.status == "ok"

    @property
    def measured(self) -> bool:
        return self.ok and self.row.evidence == "measured"

    @property
    def name(self) -> str:
        """The artifact in words: `s16-skip-dense, OpenVINO fp32`."""
        return f"{self.row.variant}, {self.runtime} {self.row.precision}"

    @property
    def labels(self) -> dict[str, Any] | None:
        """The figures of a network with labels, as the row has them; None where there are none."""
        return self.row.accuracy.get("labels") if self.ok else None

    @property
    def runtime(self) -> str:
        return RUNTIMES.get(self.row.format, self.row.runtime or self.row.format)

    @property
    def scope(self) -> Scope:
        row = self.row
        return Scope(row.device, row.unit, row.threads, row.accuracy.get("data", ""), self.processor)

    @property
    def processor(self) -> str:
        """Such as "AMD EPYC (AVX2)", of what ran the row itself; "" where the row does not tell."""
        facts = self.row.environment
        extensions = facts.get("cpu_extensions")
        return f"{facts['cpu']} ({extensions})" if extensions and "cpu" in facts else facts.get("cpu", "")

    @cached_property
    def model(self) -> Latency | None:
        return self._latency("model")

    @cached_property
    def pipeline(self) -> Latency | None:
        return self._latency("pipeline")

    def _latency(self, what: str) -> Latency | None:
        """Of the samples that were not switched out, or of all where these are too few."""
        ns = self.row.timing.get(f"{what}_ns") or ()
        return latency(_clean(ns, self.row.timing.get(f"{what}_switched"))) if self.measured else None

    @property
    def _paired(self) -> dict[str, Any]:
        """In turns with the reference; empty where that was not measured."""
        found = (self.row.timing.get("paired") or {}) if self.measured else {}
        return found if "takes" in found else {}

    @property
    def paired(self) -> bool:
        """Whether it was measured in turns with the reference."""
        return bool(self._paired)

    @property
    def no_reference(self) -> str:
        """Why there was no reference to take turns with, in words; empty where there was one or none was wanted."""
        return ((self.row.timing.get("paired") or {}).get("reason") or "") if self.measured else ""

    @property
    def disturbed(self) -> bool:
        """Whether other work kept the processor so busy that nothing can be claimed of its speed."""
        return bool(self._paired.get("disturbed"))

    @property
    def ratio(self) -> Ratio | None:
        """How many times as fast as the reference; None where it was not measured or cannot be claimed.

        With several processes the interval reaches over all of their ratios.
        """
        times, interval = self._paired.get("times_as_fast"), self._paired.get("interval")
        if not (times and interval) or self.disturbed:
            return None
        ends = [*interval, *(self.times_spread or ())]
        return Ratio(times, min(ends), max(ends))

    @property
    def processes(self) -> list[dict[str, Any]]:
        """Of several fresh processes, those that were measured; empty where there was one."""
        told = (self.row.timing.get("repeats") or ()) if self.measured else ()
        return [one for one in told if one.get("model_ns")]

    @cached_property
    def fps_spread(self) -> Interval | None:
        """Frames a second of the slowest and the fastest process; None with fewer than two."""
        found = [1e9 / median(_clean(one["model_ns"], one.get("model_switched"))) for one in self.processes]
        return (min(found), max(found)) if len(found) > 1 else None

    @property
    def times_spread(self) -> Interval | None:
        """The ratios of the slowest and the fastest process that was not disturbed; None with fewer than two."""
        paired = [one.get("paired") or {} for one in self.processes]
        found = [one["times_as_fast"] for one in paired if one.get("times_as_fast") and not one.get("disturbed")]
        return (min(found), max(found)) if len(found) > 1 else None

    @property
    def switched_share(self) -> float | None:
        """Of the samples in turns the share that lost the processor; None where the system does not tell."""
        return self._paired.get("switched_share")

    @property
    def reference_fps(self) -> float | None:
        """Frames a second of the reference meanwhile."""
        return self._paired.get("reference_fps")

    @property
    def contributed(self) -> bool:
        """Whether somebody else sent it, or its failure: no figure of it mixes with those that were measured here."""
        return self.row.evidence == "contributed"

    @cached_property
    def contributed_model(self) -> Latency | None:
        """The network alone, as the sender measured it."""
        return latency(self.row.timing.get("model_ns") or ()) if self.ok and self.contributed else None

    @cached_property
    def contributed_pipeline(self) -> Latency | None:
        return latency(self.row.timing.get("pipeline_ns") or ()) if self.ok and self.contributed else None

    @cached_property
    def contributed_ratio(self) -> Ratio | None:
        """How many times as fast as its reference model, from the sender's rounds; None of too few."""
        compared = self.row.timing.get("compared") if self.ok and self.contributed else None
        return ratio([round_effect(one["own"], one["reference"]) for one in compared["rounds"]]) if compared else None

    @property
    def contributed_kept(self) -> Kept | None:
        """The first and the last minute under load, as the sender measured them."""
        return kept(from_json(self.row.timing.get("sustained") or ())) if self.ok and self.contributed else None

    def _timing(self, name: str, scale: float) -> float | None:
        value = self.row.timing.get(name)
        return None if value is None or not self.measured else value / scale

    @property
    def load_ms(self) -> float | None:
        return self._timing("load_ns", 1e6)

    @property
    def first_ms(self) -> float | None:
        return self._timing("first_ns", 1e6)

    @property
    def peak_mb(self) -> float | None:
        return self._timing("peak_memory_bytes", 1e6)

    @cached_property
    def sustained(self) -> tuple[Bin, ...]:
        """Bins of ten seconds under load; none where minutes of load were not asked for."""
        return from_json(self.row.timing.get("sustained") or ()) if self.measured else ()

    @property
    def kept(self) -> Kept | None:
        """The first and the last minute under load."""
        return kept(self.sustained)

    @property
    def energy(self) -> dict[str, Any]:
        """{"millijoules" a frame, "watts", "frames", "source"}; empty where the device has no counter."""
        return (self.row.timing.get("energy") or {}) if self.measured else {}

    @property
    def instructions(self) -> int | None:
        """What an emulator counted for one frame: exact, and no time."""
        return self.row.timing.get("instructions_per_frame")

    def arm(self, core: str) -> float | None:
        """Millions of ARM instructions of one inference of the artifact on `core`: a property of it, and no time."""
        counted = (self.row.artifact.get("instructions") or {}).get(core)
        return counted / 1e6 if counted else None

    @property
    def counted_as(self) -> str:
        """What was changed in the artifact before it was counted, in words; empty when nothing was."""
        return (self.row.artifact.get("instructions") or {}).get("changed", "")

    @property
    def from_host(self) -> float | None:
        """The largest difference of an emulated mask's pixel from that of this machine's runtime."""
        return (self.row.accuracy.get("from_host") or {}).get("max_difference")

    @property
    def estimate(self) -> dict[str, Any] | None:
        """What an estimate says and what it follows from; no speed of anything that was measured.

        None for those of rows from before estimates were made of instructions.
        """
        found = self.row.timing.get("estimate") if self.ok and self.row.evidence == "estimated" else None
        return found if found and "instructions" in found else None

    @property
    def estimated_fps(self) -> Interval | None:
        """Frames a second, network alone, from the slow end of the estimate to the fast one."""
        return (1000 / self.estimate["high"], 1000 / self.estimate["low"]) if self.estimate else None

    def _points(self, name: str) -> float | None:
        value = self.row.accuracy.get(name)
        return None if value is None or not self.ok else 100 * value

    def _interval(self, name: str) -> Interval | None:
        value = self.row.accuracy.get(name)
        return (100 * value[0], 100 * value[1]) if value and None not in value and self.ok else None

    @property
    def iou(self) -> float | None:
        """Percent."""
        return self._points("iou")

    @property
    def iou_ci(self) -> Interval | None:
        return self._interval("iou_ci")

    @property
    def boundary(self) -> float | None:
        """Percent."""
        return self._points("boundary_f")

    @property
    def dtssd(self) -> float | None:
        return self.row.accuracy.get("dtssd") if self.ok else None

    @cached_property
    def ious(self) -> dict[str, float]:
        """Picture -> IOU in percent, in the order in which they were scored."""
        return {name: 100 * iou for name, iou, *_ in self.row.accuracy.get("per_image") or ()}

    @property
    def baseline(self) -> bool:
        """The checkpoint itself, in PyTorch: what the artifacts are compared with."""
        return self.row.format == "pytorch"

    @property
    def is_reference(self) -> bool:
        """Whether it is a reference model: a published model to compare ours with, never recommended."""
        return bool(self.row.network.get("peer"))

    @property
    def speed_only(self) -> bool:
        """A reference model with untrained weights: it has a speed and no accuracy, so it is on no Pareto chart."""
        return bool(self.row.network.get("speed_only"))

    @property
    def assumed(self) -> list[str]:
        """What an inspection of the model found out about its use, a sentence each without its full stop."""
        return [str(sentence) for sentence in self.row.network.get("assumed") or ()]

    @property
    def unsure(self) -> list[str]:
        """What of that may be wrong."""
        return [str(sentence) for sentence in self.row.network.get("unsure") or ()]

    @property
    def size_mb(self) -> float | None:
        size = self.row.artifact.get("bytes")
        return size / 1e6 if size else None

    @property
    def ops(self) -> int | None:
        ops = (self.row.artifact.get("graph") or {}).get("ops")
        return sum(ops.values()) if ops else None

    @property
    def layout_operators(self) -> dict[str, int]:
        """TRANSPOSE, PAD, RESHAPE still in the graph, those that are none left out."""
        left = (self.row.artifact.get("graph") or {}).get("leftovers") or {}
        return {name: count for name, count in left.items() if count}

    @property
    def placement(self) -> str:
        """What ran it, and how much of the graph that took."""
        placement = self.row.placement
        actual = str(placement.get("actual") or placement.get("runtime") or "")
        ops, delegated = placement.get("ops"), placement.get("delegated")
        return f"{actual} {delegated}/{ops}".strip() if ops and delegated is not None else actual

    @property
    def partial(self) -> bool:
        """Whether the accelerator took only a part of the graph."""
        ops, delegated = self.row.placement.get("ops"), self.row.placement.get("delegated")
        return bool(ops) and delegated is not None and delegated < ops

    @property
    def attributes(self) -> dict[str, str]:
        """What the page's filters look at: data attributes of everything that shows this configuration."""
        row = self.row
        return {
            "data-variant": row.variant,
            "data-format": self.runtime,
            "data-precision": row.precision,
            "data-device": row.device,
            "data-evidence": row.evidence,
            "data-status": row.status,
        }

    @property
    def order(self) -> tuple[object, ...]:
        row = self.row
        return (
            row.device,
            _rank(EVIDENCE, row.evidence),
            _rank(list(VARIANTS), row.variant),
            row.variant,
            _rank(_FORMATS, row.format),
            _rank(_PRECISIONS, row.precision),
            row.resolution,
            row.threads,
            row.run,
        )


def summaries(rows: Iterable[Row]) -> list[Summary]:
    """One a row, in the order of every table."""
    return sorted((Summary(row) for row in rows), key=lambda s: s.order)


def sound(summaries: Iterable[Summary]) -> tuple[list[Summary], list[str]]:
    """Those whose every figure can be had, and a sentence for each other one, which then costs itself alone."""
    figures = [name for name, of in vars(Summary).items() if isinstance(of, property | cached_property)]
    kept, words = [], []
    for s in summaries:
        name = ""
        try:
            for name in figures:
                getattr(s, name)
        except (ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError) as error:
            words.append(f"{s.row.cell} of run {s.row.run} is left out: its {name} cannot be had ({error!r})")
        else:
            kept.append(s)
    return kept, words


def newest(summaries: Sequence[Summary]) -> list[Summary]:
    """Of a configuration measured in several runs the last, in the order given."""
    kept: dict[object, Summary] = {}
    for s in summaries:
        key = s.scope, s.row.cell, s.ok
        if key not in kept or kept[key].row.time < s.row.time:
            kept[key] = s
    chosen = {id(s) for s in kept.values()}
    return [s for s in summaries if id(s) in chosen]


def _clean(ns: Sequence[int], switched: Sequence[int] | None) -> Sequence[int]:
    """The samples that were not switched out, or all where these are too few."""
    out = set(switched or ())
    clean = [sample for index, sample in enumerate(ns) if index not in out]
    return clean if len(clean) >= FEWEST else ns


def _rank(known: list[str], name: str) -> int:
    return known.index(name) if name in known else len(known)
