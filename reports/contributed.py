"""Rows that somebody measured on an exported page (`bench.py web export`): what of their file is believed.

Anybody can write such a file. It is taken only where it agrees with what is known here: the hashes of the models and
of the pictures, the figures that this machine gets from the same model on the same pictures, and clocks.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devices.contract import Config, Counts, Job, MeasurementFailed
from devices.sustained import BIN_SECONDS, from_json, to_json
from devices.web import phone
from devices.web.answer import TEXT, check, flat
from models.files import SpecialFile, read_json, refuse_special
from reports.record import network
from reports.rows import CONTRIBUTED_SCHEMA, Row
from reports.statistics import mean_ci

KIND, SCHEMA = "segmentation-bench web rows", 1
FILE_BYTES = 32 << 20
CONFIGURATIONS = 200
SAMPLES, ROUNDS, BINS = 1_000_000, 1000, 1000
"""More than a page takes in a day."""
EARLIEST = datetime(2026, 1, 1, tzinfo=UTC).timestamp() * 1000
"""Milliseconds; no page was exported before."""
FASTEST_MACS = 5e12
"""Multiply-accumulates a second: several times what the fastest phone's unit reaches in float32."""
IOU_TOLERANCE = {"fp32": 0.02, "fp16": 0.05, "int8": 0.05}
"""By which a frame's IOU or boundary F may differ from this machine's: kernels differ. WebGPU is as fp16."""


Key = tuple[str, str, str, tuple[int, int]]


class NotBelieved(ValueError):
    """A file or a configuration that is refused; the text says why, in one sentence."""


@dataclass(frozen=True)
class Known:
    """What is known of the networks of a page, as the manifest of an export tells it or as this checkout makes them."""

    networks: Mapping[Key, Mapping[str, Any]]
    """Each with variant, format, precision, resolution, sha256, checkpoint, bytes, data_sha256, reference, expected."""
    sample: str
    description: str
    references: Mapping[str, Mapping[str, Any]]
    """Entries of references.toml by name, as rows have them."""

    def network(self, told: Any) -> Mapping[str, Any]:
        """The network that a configuration names, its hashes compared."""
        found = self.networks.get(key_of(told))
        name = "/".join(map(str, key_of(told)[:3]))
        if found is None:
            raise NotBelieved(f"{name} is no network of this page or checkout")
        if told.get("sha256") != found["sha256"]:
            raise NotBelieved(f"the model {name} has another hash than the one known here")
        if told.get("data_sha256") != found["data_sha256"]:
            raise NotBelieved(f"{name} ran on other pictures than those known here")
        return found


def key_of(told: Any) -> Key:
    """What identifies a network in a file or a manifest. NotBelieved when it is none."""
    try:
        height, width = told["resolution"]
        return str(told["variant"]), str(told["format"]), str(told["precision"]), (int(height), int(width))
    except (KeyError, TypeError, ValueError):
        raise NotBelieved("a configuration names no network") from None


def read(path: Path) -> dict[str, Any]:
    """The file at `path`, whole. NotBelieved when no page has written it."""
    try:
        refuse_special(path)
    except SpecialFile as special:
        raise NotBelieved(f"it {special.reason}") from None
    if path.stat().st_size > FILE_BYTES:
        raise NotBelieved(f"it has more than {FILE_BYTES >> 20} MB")
    try:
        values = read_json(path)
    except ValueError:
        raise NotBelieved("it is not whole JSON") from None
    if not isinstance(values, dict) or values.get("kind") != KIND:
        raise NotBelieved("it is no file of rows that a page has saved")
    if values.get("schema") != SCHEMA:
        raise NotBelieved(f"it has schema {values.get('schema')!r} and this version reads {SCHEMA}")
    if values.get("end") != "done":
        raise NotBelieved("it has no end marker: it was cut off")
    found = values.get("configurations")
    if not isinstance(found, list) or not 0 < len(found) <= CONFIGURATIONS:
        raise NotBelieved(f"it holds no configurations, or more than {CONFIGURATIONS}")
    if not re.fullmatch(r"[0-9a-f]{16}", str(values.get("id"))):
        raise NotBelieved("it has no id")
    return values


def rows(values: Mapping[str, Any], known: Known, now: datetime) -> tuple[list[Row], list[str]]:
    """The rows of a file that `read` gave, and a sentence for each configuration that is refused."""
    facts = _flat("facts", values.get("facts"))
    page = _flat("page", values.get("page"))
    counts = _counts(values.get("counts"))
    if values.get("sample") != known.sample:
        raise NotBelieved("it was measured on another sample than the one known here; name its page with --export DIR")
    taken: list[Row] = []
    refused: list[str] = []
    for position, told in enumerate(values["configurations"]):
        try:
            taken.append(_row(told, f"web-{values['id']}", position, facts, page, counts, known, now))
        except NotBelieved as reason:
            refused.append(f"configuration {position + 1}: {reason}")
    return taken, refused


def _row(
    told: Any,
    run: str,
    position: int,
    facts: Mapping[str, Any],
    page: Mapping[str, Any],
    counts: Counts,
    known: Known,
    now: datetime,
) -> Row:
    if not isinstance(told, dict):
        raise NotBelieved("it is no object")
    about = known.network(told.get("network"))
    unit, threads = told.get("unit"), told.get("threads")
    if unit not in ("cpu", "gpu") or not _whole(threads, 1, 64):
        raise NotBelieved("its unit or its threads are none that a page has")
    if not (_whole(told.get("began"), EARLIEST) and _whole(told.get("ended"), told["began"])):
        raise NotBelieved("it has no times of its beginning and its end")
    if told["ended"] > (now.timestamp() + 86400) * 1000:
        raise NotBelieved("it was measured in the future")
    variant, format, precision, resolution = key_of(about)
    device = f"web:{phone.name(facts)}"
    config = Config(variant, format, precision, resolution, device, unit, threads)  # type: ignore[arg-type]
    common: dict[str, Any] = {
        "cell": config.name,
        "run": run,
        "time": datetime.fromtimestamp(told["began"] / 1000, UTC).isoformat(timespec="seconds"),
        **vars(config),
        "evidence": "contributed",
        "checkpoint": about["checkpoint"],
        "artifact": {"sha256": about["sha256"], "bytes": about["bytes"]},
        "network": _network(about, known),
        "schema": CONTRIBUTED_SCHEMA,
    }
    where = {f"page_{name}": value for name, value in page.items()} | {"order_position": position}
    if told.get("status") != "ok":
        return Row(status="failed", reason=_plain(told.get("reason")), environment={**facts, **where}, **common)
    result = told.get("result")
    if not isinstance(result, dict):
        raise NotBelieved("it says that it was measured and holds no result")
    timing = _timing(result, told, config, counts)
    _check_speed(timing, common["network"])
    measured, placement = result.get("environment", {}).get("facts", {}), result.get("placement", {})
    everything = {**facts, **measured}
    hazards = phone.hazards(everything, statistics.median(timing["model_ns"]), unit)
    return Row(
        status="ok",
        runtime=str(placement.get("runtime", "")),
        accuracy=_accuracy(told.get("accuracy"), about, unit, known),
        timing=timing | _compared(told.get("rounds"), known),
        placement=placement,
        environment={**everything, **where},
        hazards=(*hazards, *(("not-isolated",) if everything.get("isolated") is False else ())),
        **common,
    )


def _network(about: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """What a network is, as rows have it: one of ours, a reference model, or what the page's manifest describes."""
    variant, _, _, resolution = key_of(about)
    if described := about.get("described"):
        return {**described, "peer": about["reference"] is not None}
    return dict(known.references[variant]) if about["reference"] else network(variant, resolution)


def _timing(result: Mapping[str, Any], told: Mapping[str, Any], config: Config, counts: Counts) -> dict[str, Any]:
    """The times, checked as those of a page that is served here, and against the page's own calendar."""
    warm_up = _flat("warm_up", result.get("warm_up"))
    warm = warm_up.get("seconds")
    if not isinstance(warm, int | float) or not 0 <= warm < 1e6:
        raise NotBelieved("it does not say how long it warmed up")
    bins = _bins(result.get("sustained"))
    elapsed = (told["ended"] - told["began"]) / 1e3 - warm - sum(one["busy"] for one in bins)
    if elapsed <= 0:
        raise NotBelieved("its warm-up and its minutes of load took longer than the whole measurement")
    answer = {name: value for name, value in result.items() if name != "sustained"}
    try:
        check(answer, Job(config, Path(), Path(), (), counts), elapsed)
    except MeasurementFailed as reason:
        raise NotBelieved(str(reason)) from None
    model, pipeline = answer["model_ns"], answer["pipeline_ns"]
    if len(set(model)) == 1:
        raise NotBelieved("all its samples are equal, which no clock gives")
    if pipeline and statistics.median(pipeline) < 0.5 * statistics.median(model):
        raise NotBelieved("its pipeline, which contains the network, took less than half of the network's time")
    times = {name: result[name] for name in ("model_ns", "pipeline_ns", "load_ns", "first_ns")}
    return times | {"warm_up": warm_up, "counts": asdict(counts)} | ({"sustained": bins} if bins else {})


def _bins(told: Any) -> list[dict[str, Any]]:
    """Minutes of load in bins of ten seconds, as devices.sustained has them; a last frame may end after its bin."""
    if told is None:
        return []
    right = isinstance(told, list) and len(told) <= BINS
    right = right and all(isinstance(one, dict) and set(one) == {"start", "frames", "busy"} for one in told)
    if not (right and all(_whole(one["frames"], 1, SAMPLES) and all(map(_number, one.values())) for one in told)):
        raise NotBelieved("its minutes of load are no list of bins")
    if any(not 0 < one["busy"] <= 4 * BIN_SECONDS for one in told):
        raise NotBelieved("its bins of load are not of ten seconds")
    return to_json(from_json(told))


def _check_speed(timing: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    macs = about.get("macs")
    if macs and macs * 1e9 / statistics.median(timing["model_ns"]) > FASTEST_MACS:
        raise NotBelieved("it is faster than any phone computes")


def _accuracy(told: Any, about: Mapping[str, Any], unit: str, known: Known) -> dict[str, Any]:
    """The figures of the masks, which must be those of this model on these pictures."""
    expected = about["expected"]
    listed = told.get("per_image") if isinstance(told, dict) else None
    if not isinstance(listed, list) or len(listed) != len(expected["per_image"]):
        raise NotBelieved("it lacks the figures of its masks")
    tolerance = IOU_TOLERANCE["fp16" if unit == "gpu" else about["precision"]]
    for one, (name, *figures) in zip(listed, expected["per_image"], strict=True):
        if not (isinstance(one, list) and len(one) == 3 and one[0] == name and all(map(_share, one[1:]))):
            raise NotBelieved("the figures of its masks are not those of the page's pictures")
        if any(abs(theirs - ours) > tolerance for theirs, ours in zip(one[1:], figures, strict=True)):
            raise NotBelieved(f"its mask of {name} is not the one that this model gives")
    iou, iou_ci = mean_ci({name: value for name, value, _ in listed})
    boundary, boundary_ci = mean_ci({name: value for name, _, value in listed})
    if not (_near(told.get("iou"), iou) and _near(told.get("boundary_f"), boundary)):
        raise NotBelieved("its means are not those of its pictures")
    dtssd = told.get("dtssd")
    if (dtssd is None) != (expected["dtssd"] is None) or not _near(dtssd or 0.0, expected["dtssd"] or 0.0, 2.0):
        raise NotBelieved("its dtSSD is not the one that this model gives")
    return {
        "data": known.sample,
        "description": known.description,
        "data_sha256": about["data_sha256"],
        "images": len(listed),
        "iou": iou,
        "iou_ci": list(iou_ci),
        "boundary_f": boundary,
        "boundary_f_ci": list(boundary_ci),
        "dtssd": dtssd,
        "per_image": listed,
    }


def _compared(told: Any, known: Known) -> dict[str, Any]:
    """The rounds beside the reference model as rows have them; nothing where there are none."""
    if told is None:
        return {}
    try:
        reference, rounds = told["reference"], told["rounds"]
        variant, sha = str(reference["variant"]), reference["sha256"]
        right = isinstance(rounds, list) and 0 < len(rounds) <= ROUNDS
        series = [one[name] for one in rounds for name in ("own", "reference")]
        right = right and all(_times(ns, 2, 1000) and min(ns) > 0 for ns in series)
        right = right and all(one["first"] in ("own", "reference") for one in rounds)
        kept = [{name: one[name] for name in ("first", "own", "reference")} for one in rounds]
    except (KeyError, TypeError):
        right = False
    if not right:
        raise NotBelieved("its comparison with the reference model is no list of rounds")
    if sha not in {one["sha256"] for key, one in known.networks.items() if key[0] == variant and one["reference"]}:
        raise NotBelieved(f"it was compared with a model {variant} that has another hash than the one known here")
    return {"compared": {"reference": variant, "rounds": kept}}


def _counts(told: Any) -> Counts:
    try:
        counts = Counts(**told)
    except TypeError:
        raise NotBelieved("it does not say how long it measured") from None
    if not (_whole(counts.samples, 1, SAMPLES) and all(isinstance(v, int | float) for v in vars(counts).values())):
        raise NotBelieved("it does not say how long it measured")
    return counts


def _flat(what: str, facts: Any) -> dict[str, Any]:
    try:
        return flat(what, facts)
    except MeasurementFailed as reason:
        raise NotBelieved(str(reason)) from None


def _plain(reason: Any) -> str:
    return "".join(c if c.isprintable() else " " for c in str(reason or "no reason was given"))[:TEXT]


def _whole(value: Any, least: float, most: float = 1e15) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _times(values: Any, least: int, most: int) -> bool:
    return isinstance(values, list) and least <= len(values) <= most and all(_whole(ns, 0, 10**13) for ns in values)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _near(value: Any, other: float, tolerance: float = 1e-6) -> bool:
    return isinstance(value, int | float) and abs(value - other) <= tolerance
