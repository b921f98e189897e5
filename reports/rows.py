"""Rows: one measured or failed configuration each, with raw samples, so that every figure can be recomputed."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_type_hints

from filelock import FileLock

from devices.contract import Config
from models.fits import fits
from reports.row_check import problem

SCHEMA, CONTRIBUTED_SCHEMA = 1, 2
"""What a row is written with. The second has evidence `contributed`, which the first does not know."""
NEWEST_SCHEMA = 2


class NewerSchema(ValueError):
    """Rows written by a later version of this suite: to read them as if they were ours would be guessing."""


@dataclass(frozen=True)
class Row:
    """One line of rows.jsonl. Plain JSON types only; a later schema adds fields and never changes a meaning."""

    cell: str
    run: str
    time: str
    status: Literal["ok", "failed"]
    variant: str
    format: str
    precision: str
    resolution: tuple[int, int]
    device: str
    unit: str
    threads: int
    evidence: Literal["measured", "emulated", "estimated", "contributed"]
    reason: str | None = None
    runtime: str = ""
    checkpoint: str = ""
    artifact: dict[str, Any] = field(default_factory=dict)
    """key, sha256, bytes, graph, versions,
    parity {frames, max_difference, mean_difference, iou_loss_points, label_loss_points (of labels), tolerance,
    processor {model, extensions} on which it was measured; absent or null in older rows},
    instructions {cortex-a57: n, cortex-a76: n, changed: words} of one inference, of TFLite, where they were counted."""
    network: dict[str, Any] = field(default_factory=dict)
    """parameters, macs, squeeze, skips, head, labels [name, ...] where it gives any; of reference models `peer: true`
    and their entry of references.toml."""
    accuracy: dict[str, Any] = field(default_factory=dict)
    """data, description, images, iou, iou_ci, boundary_f, boundary_f_ci, dtssd,
    per_image [[name, iou, boundary_f], ...], from_host {runtime, max_difference, mean_difference},
    labels {mean_iou, mean_iou_ci, worst, labels {name: {iou, iou_ci, pixels, pictures}}, lacking [name, ...],
    confusion {true: {found: pixels}}} of a network with labels, where the data tell them; absent in older rows."""
    timing: dict[str, Any] = field(default_factory=dict)
    """model_ns [...], pipeline_ns [...], load_ns, first_ns, warm_up, peak_memory_bytes, instructions_per_frame,
    model_switched [i, ...] and pipeline_switched: indices of samples during which a thread was switched out,
    paired {reference {name, file, sha256, ...}, times_as_fast, interval, rounds, rounds_taken, takes, switched_share,
    disturbed, reference_fps, reference_ns, reference_switched, order, samples} or {reason},
    compared {reference, rounds [{first, own [...], reference [...]}, ...]} in nanoseconds, of contributed rows,
    sustained [bins of devices.sustained], energy {millijoules, watts, frames, source},
    estimate {milliseconds, low, high, instructions, core, rates, error, errors, runtime, faster_since, source}."""
    placement: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    hazards: tuple[str, ...] = ()
    examples: tuple[dict[str, Any], ...] = ()
    """{"kind": "shared" | "worst", "frame": name, "iou": x, "jpeg": base64 of an overlay, 200 px wide at most,
    "labels_jpeg": the same in the labels' colours, of a network with labels}.

    Rows of before have "typical" in place of "shared".
    """
    retries: int = 0
    schema: int = SCHEMA

    @property
    def config(self) -> Config:
        return Config(**{f.name: getattr(self, f.name) for f in fields(Config)})


def to_json(row: Row) -> str:
    """One line without its end, keys sorted. What JSON has no word for, NaN and the infinities, becomes null."""
    return json.dumps(_finite(asdict(row)), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def from_json(line: str) -> Row:
    """The inverse of `to_json`. ValueError says what is wrong with the line, NewerSchema that it is not ours."""
    try:
        values = json.loads(line, parse_constant=_no_number)
    except json.JSONDecodeError:
        raise ValueError("it is not whole JSON") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    if "\\ud" in line.lower() and not _is_text(values):
        raise ValueError("it holds half a character")
    schema = values.get("schema")
    if isinstance(schema, int) and schema > NEWEST_SCHEMA:
        raise NewerSchema(f"it has schema {schema} and this version reads up to {NEWEST_SCHEMA}; update the checkout")
    known = {f.name: f for f in fields(Row)}
    if missing := sorted(name for name, f in known.items() if _required(f) and name not in values):
        raise ValueError(f"it lacks {', '.join(missing)}")
    if unknown := sorted(set(values) - set(known)):
        raise ValueError(f"it has fields that schema {NEWEST_SCHEMA} does not: {', '.join(unknown)}")
    for name, value in values.items():
        if not fits(value, _TYPES[name]):
            raise ValueError(f"its {name} is {json.dumps(value)[:60]}")
    if wrong := problem(values):
        raise ValueError(wrong)
    restored: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return Row(**restored)


def _is_text(values: Any) -> bool:
    """Whether every text can be written: JSON can hold one half of a pair of surrogates."""
    try:
        return bool(json.dumps(values, ensure_ascii=False).encode())
    except UnicodeEncodeError:
        return False


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")


def append(path: Path, row: Row) -> None:
    """Add `row` to the file whole or not at all: one write of one line, on disk when this returns.

    A file whose last line was cut short by a crash gets that line's end first, so that the damage stays one line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    line = to_json(row).encode() + b"\n"
    with _lock(path):
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            size = os.fstat(file).st_size
            if size and _last_byte(file, size) != b"\n":
                line = b"\n" + line
            written = os.write(file, line)
            if written != len(line):  # a full disk takes a part: take it back rather than leave half a row
                os.ftruncate(file, size)
                raise OSError(f"{path}: only {written} of {len(line)} bytes of a row fit; nothing was added")
            os.fsync(file)
        finally:
            os.close(file)


def read(path: Path) -> tuple[list[Row], list[str]]:
    """The rows of a file, and a sentence for each damaged line. See `stream`."""
    words: list[str] = []
    return list(stream(path, words)), words


def stream(path: Path, words: list[str]) -> Iterator[Row]:
    """The rows of a file one after the other; after the last, `words` has a sentence for each damaged line.

    No more than a line is held in memory. A damaged line is moved, byte for byte, to NAME.damaged.jsonl beside the
    file, where it can be looked at; a later read then finds the file whole. NewerSchema, a ValueError, when a line was
    written by a later version; nothing is moved then.
    """
    damaged = False
    for _, _, row in _lines(path):
        if isinstance(row, Row):
            yield row
        else:
            damaged = True
    if damaged:
        words += _set_aside(path)


def _set_aside(path: Path) -> list[str]:
    """Move damaged lines out of the file; a sentence for each."""
    aside, fresh = path.with_suffix(".damaged.jsonl"), path.with_suffix(".fresh.jsonl")
    words = []
    with _lock(path):  # read again, under the lock: a line may have been half written before
        with fresh.open("wb") as whole, aside.open("ab") as damaged:
            for number, line, row in _lines(path):
                (whole if isinstance(row, Row) else damaged).write(line + b"\n")
                if isinstance(row, str):
                    words.append(f"{path.name}, line {number}: {row}; set aside in {aside.name}")
            for file in (whole, damaged):
                file.flush()
                os.fsync(file.fileno())
        os.replace(fresh, path)
    return words


def latest(rows: Iterable[Row]) -> list[Row]:
    """One row a configuration and run: the last one written, in the order in which the configurations first appeared.

    A configuration that failed and then succeeded when the run was resumed is a success.
    """
    return list({(row.run, row.cell): row for row in rows}.values())


def _lines(path: Path) -> Iterator[tuple[int, bytes, Row | str]]:
    """(line number, line, its row or why it is damaged). An empty line is nothing at all."""
    with path.open("rb") as file:
        for number, ended in enumerate(file, start=1):
            line = ended.removesuffix(b"\n")
            if not line.strip():
                continue
            try:
                yield number, line, from_json(line.decode())
            except NewerSchema as newer:
                raise NewerSchema(f"{path}, line {number}: {newer}") from None
            except UnicodeDecodeError:
                yield number, line, "it is not text"
            except ValueError as why:
                yield number, line, str(why)


def _lock(path: Path) -> FileLock:
    return FileLock(path.with_suffix(".lock"))


def _last_byte(file: int, size: int) -> bytes:
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _required(f: Any) -> bool:
    return f.default is MISSING and f.default_factory is MISSING


_TYPES = get_type_hints(Row)
