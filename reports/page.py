"""The page: one self-contained HTML file, made from rows alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devices.android import probe as android
from devices.desktop.environment import HAZARDS
from devices.desktop.reference import NAME as REFERENCE_NAME
from devices.instructions import CORES, Core
from devices.ios import probe as ios
from devices.ratio import Ratio
from devices.web import phone
from evaluation.sample import NAME
from models.variant import REFERENCE, VARIANTS
from reports import labels, plots, whole
from reports.ablation import CHANGES, Change, Effect, Grid, ablation
from reports.arm import tallies
from reports.bound import bounded
from reports.pareto import (
    FIT_IOU,
    TOLERABLE_LOSS,
    Choice,
    Point,
    ReferenceComparison,
    choose,
    fronts,
    overlooked,
    points,
    quiet_fps,
    reference_comparisons,
    scopes,
    times_as_fast,
)
from reports.rows import Row, stream
from reports.statistics import FRAME_MS, Interval
from reports.summary import EVIDENCE, RUNTIMES, Scope, Summary, newest, sound, summaries
from reports.unmeasured import unmeasured
from reports.wording import loss, standing

if TYPE_CHECKING:
    from jinja2 import Environment

TITLE = "Segmentation benchmark"
TEMPLATES = Path(__file__).parent / "templates"


def build(
    dirs: Sequence[Path],
    out: Path,
    title: str = TITLE,
    now: datetime | None = None,
    words: Sequence[str] = (),
    gates: Inserted | None = None,
) -> list[str]:
    """Make the page of all rows found in `dirs`; returned are `words` and a sentence for each damaged line.

    `gates` as of `render`; ValueError as of `gather`.
    """
    damaged: list[str] = []
    rows, left_out = bounded(_stream(dirs, damaged))
    write(rows, out, title, now, [*words, *damaged, *left_out], gates)
    return [*words, *damaged, *left_out]


def gather(dirs: Sequence[Path]) -> tuple[list[Row], list[str]]:
    """All rows found in `dirs`, and a sentence for each damaged line set aside.

    A folder holds `rows.jsonl`; the file itself may be named instead. ValueError when there is none.
    """
    words: list[str] = []
    return list(_stream(dirs, words)), words


def _stream(dirs: Sequence[Path], words: list[str]) -> Iterator[Row]:
    """The rows of `gather` one after the other; `words` gets its sentences."""
    paths = [folder / "rows.jsonl" if folder.is_dir() else folder for folder in dirs]
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path}: no rows there; a run writes them")
    for path in paths:
        damaged: list[str] = []
        yield from stream(path, damaged)
        words += [f"{path.parent}: {word}" for word in damaged]


def write(
    rows: Iterable[Row],
    out: Path,
    title: str = TITLE,
    now: datetime | None = None,
    words: Sequence[str] = (),
    gates: Inserted | None = None,
) -> None:
    """Put the page at `out`, whole or not at all. OSError, one sentence, where it cannot be written."""
    page = render(rows, title, now or datetime.now(UTC), words, gates)
    whole.write(out, page)


@dataclass(frozen=True)
class Inserted:
    """What another room puts on the page, as HTML: cards at the top, and a section with the id "gate"."""

    title: str
    """Of the browser's tab."""
    cards: str
    sections: str


def render(
    rows: Iterable[Row], title: str, now: datetime, words: Sequence[str] = (), gates: Inserted | None = None
) -> str:
    """The page of `rows`, the last of each configuration and run; `words` (damaged lines) are printed at its top.

    Of very many rows it shows a part and says so: `reports.bound`.

    `gates` are put before the results, and their title is the tab's.
    """
    from markupsafe import Markup

    environment = templates(TEMPLATES)
    filters = (num, ci, signed, plural, tiny, id, standing, loss)
    environment.filters |= {filter.__name__: filter for filter in filters}
    shown, left_out = bounded(rows)
    seen, unsound = sound(summaries(shown))
    return environment.get_template("page.html.j2").render(
        view(seen),
        title=title,
        head=gates.title if gates else title,
        now=now,
        words=[*words, *left_out, *unsound],
        cards=Markup(gates.cards if gates else ""),
        gates=Markup(gates.sections if gates else ""),
    )


def templates(folder: Path) -> Environment:
    """The templates of a folder: what they are given is escaped, and a name that they are not given is an error."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True)
class Place:
    """One scope on the page: the recommended configuration, and the charts. A chart is Markup of an SVG."""

    scope: Scope
    choice: Choice
    hero: Any
    hero_narrow: Any
    facets: Mapping[str, Any]
    """Runtime -> chart."""
    latencies: Mapping[str, Any]
    verdicts: Mapping[int, Point]
    """id of a summary -> its point, with the dominator among all that could run there."""
    reference_comparisons: Sequence[ReferenceComparison]
    paces: Sequence[tuple[Summary, Ratio | None]]
    """Networks measured for their speed alone, and how many times as fast the recommended one is."""
    overlooked: str
    """That no network trained to be used is among those measured here, in a sentence; empty when one is."""
    unmeasured: str
    """What the recommendation does not rest on: `reports.unmeasured`."""


LOAD_FACTS = (("frequency_mhz", "Clock, MHz"), ("temperature_c", "Temperature, °C"), ("battery", "Battery, %"))
"""(fact, heading) of what minutes of load may change."""


@dataclass(frozen=True)
class Sustained:
    """Minutes of load on one device: the chart, the configurations, the fastest last minute first, and known facts."""

    device: str
    chart: Any
    configurations: Sequence[Summary]
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Ablations:
    """The ablation of one scope: a line a change, a column a grid, so that no column mixes evidence."""

    scope: Scope
    grids: Mapping[Grid, Sequence[Effect]]
    charts: tuple[Any, ...]

    @property
    def changes(self) -> list[Change]:
        return [c for c in CHANGES if any(e.change == c for effects in self.grids.values() for e in effects)]

    def effect(self, grid: Grid, change: Change) -> Effect | None:
        return next((e for e in self.grids[grid] if e.change == change), None)


def view(seen: Sequence[Summary]) -> dict[str, Any]:
    """All that the template shows, decided here: the template only lays it out."""
    done = [s for s in seen if s.ok]
    ours = [s for s in seen if not s.contributed]
    now = newest(ours)
    race = points(now)
    groups = fronts(race)
    verdicts = {id(p.summary): p for members in groups.values() for p in members}
    places = [_place(scope, members, groups.values(), race, now) for scope, members in scopes(race).items()]
    verdicts |= {key: point for place in places for key, point in place.verdicts.items()}
    chosen = [place.choice.recommended.summary for place in places]
    quiet = quiet_fps(s for s in now if s.model is not None and s.iou is not None and not s.disturbed)
    busy = _busy(now)
    gallery = _gallery([s for s in now if s.ok], chosen)
    return {
        "rows": seen,
        "places": places,
        "quiet": quiet,
        "busy": busy,
        "withheld": {scope: counts for scope, counts in busy.items() if scope not in {p.scope for p in places}},
        "most_accurate": _most_accurate(now),
        "paired": any(s.paired for s in seen),
        "cores": [core for core in CORES.values() if any(s.arm(core.name) for s in seen)],
        "counts": _counts(now),
        "counted_as": _counted_as(seen),
        "chosen": {id(s) for s in chosen},
        "verdicts": verdicts,
        "tables": [
            (evidence, sorted(found, key=lambda s: _best_first(s, chosen, verdicts)))
            for evidence in EVIDENCE
            if (found := [s for s in done if s.row.evidence == evidence])
        ],
        "estimates": {(s.row.device, s.row.precision): s for s in done if s.estimate},
        "failed": [s for s in seen if not s.ok],
        "ablations": _ablations(now),
        "sustained": _sustained(now),
        "costs": _costs([s for s in now if s.ok]),
        "credits": list(dict.fromkeys(credit for s in done for credit in s.row.accuracy.get("credits") or ())),
        "gallery": gallery,
        "labelled": labels.pictured(gallery),
        "label_tables": labels.tables(now),
        "label_legend": labels.LEGEND,
        "again": {id(s) for s in ours} - {id(s) for s in now},
        "between": _between(done),
        "processes": _processes(now),
        "hazards": _hazards(seen),
        "meanings": phone.MEANINGS,
        "environments": _environments(seen),
        "blanks": _blanks(ours),
        "data": list(dict.fromkeys((s.row.accuracy.get("data"), s.row.accuracy.get("description")) for s in done)),
        "facets": _facets(seen),
        "devices": list(dict.fromkeys(s.row.device for s in seen)),
        "runs": list(dict.fromkeys((s.row.run, s.row.time[:10]) for s in seen)),
        "varying": {
            name
            for name in ("device", "unit", "threads", "resolution", "run")
            if len({getattr(s.row, name) for s in seen}) > 1
        },
        "legend": _legend([s for s in ours if s.ok]),
        "race_legend": _legend([p.summary for p in race]),
        "frame_ms": FRAME_MS,
        "turns_with": REFERENCE_NAME,
        "tolerable": TOLERABLE_LOSS,
        "fit": FIT_IOU,
        "sample": NAME,
    }


def _most_accurate(seen: Sequence[Summary]) -> dict[Scope, Summary]:
    """Of each scope the network of ours with the highest IOU, which a busy machine does not change."""
    found: dict[Scope, Summary] = {}
    for s in seen:
        if s.model and s.iou is not None and not (s.is_reference or s.baseline):
            known = found.get(s.scope)
            found[s.scope] = s if known is None or (known.iou or 0) < s.iou else known
    return found


def _busy(seen: Sequence[Summary]) -> dict[Scope, tuple[int, int]]:
    """(disturbed, measured) of each scope of which most configurations were disturbed."""
    there: dict[Scope, list[bool]] = defaultdict(list)
    for s in seen:
        if s.paired:
            there[s.scope].append(s.disturbed)
    return {scope: (sum(found), len(found)) for scope, found in there.items() if 2 * sum(found) > len(found)}


def _best_first(
    s: Summary, chosen: Sequence[Summary], verdicts: Mapping[int, Point]
) -> tuple[str, bool, bool, float, float]:
    """The order of a table: a device at a time what is recommended, its Pareto front, the rest; by IOU and FPS."""
    verdict = verdicts.get(id(s))
    on_front = verdict is not None and verdict.on_front and not s.baseline
    return s.row.device, s not in chosen, not on_front, -(s.iou or 0), -(s.model.fps if s.model else 0)


def _place(
    scope: Scope,
    members: Sequence[Point],
    groups: Iterable[Sequence[Point]],
    race: Sequence[Point],
    seen: Sequence[Summary],
) -> Place:
    own: dict[str, list[Sequence[Point]]] = defaultdict(list)
    for group in groups:
        if group[0].summary.scope == scope:
            own[group[0].summary.runtime].append(group)
    flat = {runtime: [p for group in found for p in group] for runtime, found in own.items()}
    choice = choose(scope, members)
    beside = reference_comparisons(choice, race)
    references = [compared.point for compared in beside]
    shared = plots.limits([*(p for found in flat.values() for p in found), *references])
    longest = max(s.model.p99 for found in flat.values() for s in (p.summary for p in found) if s.model)
    hero = plots.limits([*members, *references])
    theirs = {runtime: [p for p in references if p.summary.runtime == runtime] for runtime in own}
    return Place(
        scope,
        choice,
        _safe(plots.pareto(f"{scope} all", [members], 1040, 470, hero, references)),
        _safe(plots.pareto(f"{scope} all narrow", [members], 480, 480, hero, references)),
        {
            r: _safe(plots.pareto(f"{scope} {r}", found, plots.WIDTH, 340, shared, theirs[r]))
            for r, found in own.items()
        },
        {r: _safe(plots.latency(f"{scope} {r} ms", [p.summary for p in ps], longest)) for r, ps in flat.items()},
        {id(p.summary): p for p in members},
        beside,
        [
            (s, times_as_fast(choice.recommended.summary, s))
            for s in seen
            if s.speed_only and s.ok and s.scope == scope and s.model
        ],
        overlooked(p.summary.row.variant for p in members),
        unmeasured(seen, scope),
    )


def _counts(seen: Sequence[Summary]) -> dict[str, list[tuple[Core, Any]]]:
    """Data set -> a chart a core, whose axes they share."""
    by_core = {core: tallies(seen, core.name) for core in CORES.values()}
    charts: dict[str, list[tuple[Core, Any]]] = {}
    for data in dict.fromkeys(data for found in by_core.values() for data in found):
        there = {core: found[data] for core, found in by_core.items() if data in found}
        limits = plots.count_limits([t for members in there.values() for t in members])
        for core, members in there.items():
            ours, references = ([t for t in members if t.summary.is_reference is theirs] for theirs in (False, True))
            drawn = plots.counted(f"{data} {core.name}", ours, references, limits, f"ARM instructions, {core.label}")
            charts.setdefault(data, []).append((core, _safe(drawn)))
    return charts


def _counted_as(seen: Sequence[Summary]) -> list[str]:
    """Of models that were changed before they were counted, how, a sentence for each change."""
    names: dict[str, list[str]] = defaultdict(list)
    for s in seen:
        if s.counted_as and s.row.variant not in names[s.counted_as]:
            names[s.counted_as].append(s.row.variant)
    return [f"Counted {how}: {', '.join(models)}." for how, models in names.items()]


def _ablations(seen: Sequence[Summary]) -> list[Ablations]:
    by_scope: dict[Scope, dict[Grid, Sequence[Effect]]] = defaultdict(dict)
    for grid, effects in ablation(seen).items():
        by_scope[grid.scope][grid] = effects
    ablations = []
    for scope, grids in by_scope.items():
        charts = [plots.effects(f"{scope} IOU", grids, "IOU")]
        if any(e.speed for effects in grids.values() for e in effects):
            charts.append(plots.effects(f"{scope} speed", grids, "speed"))
        ablations.append(Ablations(scope, grids, tuple(map(_safe, charts))))
    return ablations


def _sustained(seen: Sequence[Summary]) -> list[Sustained]:
    """One a device on which minutes of load were measured."""
    found = []
    for device in dict.fromkeys(s.row.device for s in seen):
        there = [s for s in seen if s.row.device == device and s.kept]
        if there:
            ranked = sorted(there, key=lambda s: -s.kept.last if s.kept else 0)
            told = [(name, label) for name, label in LOAD_FACTS if any(name in s.sustained[0].facts for s in there)]
            found.append(Sustained(device, _safe(plots.sustained(f"{device} sustained", there)), ranked, told))
    return found


def _costs(done: Sequence[Summary]) -> dict[str, list[Any]]:
    """Device -> charts of the size and memory of its configurations."""
    charts: dict[str, list[Any]] = {}
    for device in dict.fromkeys(s.row.device for s in done):
        there = [s for s in done if s.row.device == device]
        drawn = [plots.costs(f"{device} size", there, "size")] if any(s.size_mb for s in there) else []
        if any(s.peak_mb for s in there):
            drawn.append(plots.costs(f"{device} memory", there, "peak memory"))
        if drawn:
            charts[device] = [_safe(svg) for svg in drawn]
    return charts


def _gallery(done: Sequence[Summary], chosen: Sequence[Summary]) -> list[Summary]:
    """One configuration a variant with pictures: the recommended one, else a similar one, else any."""

    def likeness(s: Summary) -> tuple[bool, bool, bool]:
        return (
            s not in chosen,
            not any(s.runtime == c.runtime and s.row.precision == c.row.precision for c in chosen),
            s.baseline,
        )

    ranked = sorted((s for s in done if s.row.examples), key=likeness)
    first: dict[str, Summary] = {}
    for s in ranked:
        first.setdefault(s.row.variant, s)
    return sorted(first.values(), key=lambda s: (s not in chosen, s.order[2]))


def _legend(shown: Sequence[Summary]) -> tuple[list[tuple[str, int]], list[str]]:
    """(runtimes with the number of their colour, precisions) of a chart."""
    runtimes = [(name, i) for i, name in enumerate(RUNTIMES.values(), 1) if any(s.runtime == name for s in shown)]
    return runtimes, [p for p in plots.SHAPES if any(s.row.precision == p for s in shown)]


def _processes(done: Sequence[Summary]) -> str:
    """The variation of the speed over several processes of a configuration, in a sentence; empty without several."""
    apart = sorted((100 * (s.fps_spread[1] / s.fps_spread[0] - 1), len(s.processes)) for s in done if s.fps_spread)
    if not apart:
        return ""
    fewest, most = (pick(count for _, count in apart) for pick in (min, max))
    each = str(most) if fewest == most else f"{fewest} to {most}"
    return (
        f"{plural(len(apart), 'configuration')} measured in {each} fresh processes: from the slowest process to the "
        f"fastest FPS grew by {apart[len(apart) // 2][0]:.0f} % in the median configuration and {apart[-1][0]:.0f} % "
        "at most. A configuration's figures are those of its median process; the interval of its ratio reaches over "
        "all of them."
    )


def _between(done: Sequence[Summary]) -> str:
    """The variation of the medians over several runs of a configuration, in a sentence; empty without several runs."""
    medians: dict[tuple[Scope, str], list[float]] = defaultdict(list)
    for s in done:
        if s.model:
            medians[s.scope, s.row.cell].append(s.model.p50)
    apart = sorted(100 * (max(found) / min(found) - 1) for found in medians.values() if len(found) > 1)
    if not apart:
        return ""
    return (
        f"{plural(len(apart), 'configuration')} measured in several runs: from run to run the median frame time "
        f"changed by {apart[len(apart) // 2]:.0f} % in the median configuration and {apart[-1]:.0f} % at most. "
        "Do not rely on a smaller difference between two configurations."
    )


def _hazards(seen: Sequence[Summary]) -> list[tuple[str, str, str, int, int]]:
    """(device, hazard, what it means, configurations that show it, configurations measured there)."""
    measured = Counter(s.row.device for s in seen if s.measured)
    shown = Counter((s.row.device, hazard) for s in seen if s.measured for hazard in s.row.hazards)
    return [
        (device, hazard, _meaning(device, hazard), count, measured[device])
        for (device, hazard), count in sorted(shown.items())
    ]


def _meaning(device: str, hazard: str) -> str:
    if device.startswith("web:"):
        return phone.MEANINGS.get(hazard, "")
    known = HAZARDS if device == "desktop" else android.HAZARDS | ios.HAZARDS
    return known[hazard][0] if hazard in known else ""


def _environments(seen: Sequence[Summary]) -> list[tuple[str, dict[str, str]]]:
    """Device -> facts; a number that changed between configurations as its range, a text as its values."""
    facts: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for s in seen:
        for name, value in s.row.environment.items():
            facts[s.row.device][name].append(value)
        if s.row.runtime:
            facts[s.row.device][f"{s.runtime}, runtime"].append(s.row.runtime)
    return [
        (device, {name: _span(values) for name, values in sorted(found.items())}) for device, found in facts.items()
    ]


def _span(values: Sequence[Any]) -> str:
    distinct = list(dict.fromkeys(map(str, values)))
    if len(distinct) == 1:
        return distinct[0]
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return f"{min(values):g} to {max(values):g}"
    return ", ".join(distinct[:4]) + (f" and {len(distinct) - 4} more" if len(distinct) > 4 else "")


def _blanks(seen: Sequence[Summary]) -> list[str]:
    """What is not on this page, in sentences."""
    told = []
    emulated = Counter(s.runtime for s in seen if s.ok and s.row.evidence == "emulated")
    for runtime, count in emulated.items():
        told.append(
            f"Speed of {plural(count, f'{runtime} configuration')}: emulated, correct masks without times. "
            "They are on no chart of speed."
        )
    if estimated := sum(s.ok and s.row.evidence == "estimated" for s in seen):
        told.append(f"{plural(estimated, 'configuration')} that a model estimated: no device ran them.")
    if failed := sum(not s.ok for s in seen):
        told.append(f"{plural(failed, 'configuration')} that failed; the reasons are above.")
    if lame := [s.name for s in seen if s.measured and (s.model is None or s.iou is None)]:
        told.append(f"Speed or IOU of {', '.join(lame)}: without both, a configuration is not on the Pareto charts.")
    compared = quiet_fps(seen)
    if lost := [s.name for s in seen if s.model and s.scope in compared and not s.ratio]:
        told.append(f"The ratio to the reference of {', '.join(lost)}: without one, no speed is compared.")
    for device in dict.fromkeys(s.row.device for s in seen):
        there = [s.row for s in seen if s.row.device == device]
        if absent := [v for v in REFERENCE if v not in {r.variant for r in there}]:
            told.append(f"{', '.join(absent)}: no configuration on {device}.")
        if formats := [RUNTIMES[f] for f in RUNTIMES if f not in {r.format for r in there}]:
            told.append(f"{', '.join(formats)}: no configuration on {device}.")
        if units := [u.upper() for u in ("gpu", "npu") if u not in {r.unit for r in there}]:
            told.append(f"{' and '.join(units)} of {device}.")
    runs = Counter((s.row.device, s.row.cell) for s in seen if s.measured)
    if runs and max(runs.values()) == 1:
        told.append("Variation from run to run: no configuration has two runs on this page.")
    if runs and not any(s.processes for s in seen):
        told.append("Variation from process to process: --repeat N.")
    if not any(s.sustained for s in seen):
        told.append("Sustained speed, after minutes of load, when a phone is warm: --sustained MINUTES.")
    if not any(s.energy for s in seen):
        told.append("Energy.")
    told.append("Any device that is not named here. A speed, and a ranking by speed, holds for one device only.")
    return told


def _facets(seen: Sequence[Summary]) -> list[tuple[str, str, list[str]]]:
    """(attribute, label, values) of the filters; one with a single value is left out."""

    def values(get: Callable[[Summary], str]) -> list[str]:
        return list(dict.fromkeys(map(get, seen)))

    listed = sorted(values(lambda s: s.row.variant), key=lambda v: list(VARIANTS).index(v) if v in VARIANTS else 99)
    facets = [
        ("variant", "Network", listed),
        ("format", "Runtime", values(lambda s: s.runtime)),
        ("precision", "Precision", values(lambda s: s.row.precision)),
        ("device", "Device", values(lambda s: s.row.device)),
        ("evidence", "Evidence", values(lambda s: s.row.evidence)),
        ("status", "Status", values(lambda s: s.row.status)),
    ]
    return [facet for facet in facets if len(facet[2]) > 1]


def num(value: float | None, digits: int | None = None) -> str:
    """A number with three significant digits or so (or `digits` after the point), a dash for none."""
    if value is None:
        return "–"
    if digits is None:
        digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


def ci(interval: Interval | None, digits: int | None = None) -> str:
    return f"{num(interval[0], digits)}–{num(interval[1], digits)}" if interval else ""


def tiny(value: float | None) -> str:
    """One digit and a power of ten: 4e-6."""
    return "–" if value is None else f"{value:.0e}".replace("e-0", "e-").replace("e+00", "")


def signed(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:+.{digits}f}".replace("-", "−")


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _safe(svg: str) -> Any:
    from markupsafe import Markup

    return Markup(svg)  # our own chart: every text in it was escaped where it was written
