"""The study as Markdown and pictures: study.md, trials.csv, front.png, prediction.png, importances.png."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from training.search import space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

ENOUGH = 8
"""Trials from which on importances are drawn; fewer say nothing."""


def write(study: Study, out: Path) -> Path:
    """Write all that the study has to show into the folder `out`, and return study.md."""
    import optuna

    out.mkdir(parents=True, exist_ok=True)
    trials = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
    done = [t for t in trials if t.state == optuna.trial.TrialState.COMPLETE]
    front = sorted((t for t in study.best_trials), key=lambda t: t.values[0]) if done else []
    measured = [t for t in trials if "measured" in t.user_attrs and "predicted" in t.user_attrs]
    pictures = []
    if done:
        pictures.append(_front(done, front, study.user_attrs["settings"]["reference"], out / "front.png"))
    if measured:
        pictures.append(_prediction(measured, out / "prediction.png"))
    if len(done) >= ENOUGH:
        pictures.append(_importances(study, out / "importances.png"))
    _csv(trials, out / "trials.csv")
    path = out / "study.md"
    path.write_text(markdown(study.user_attrs["settings"], trials, front, measured, pictures))
    return path


def markdown(
    settings: dict[str, Any],
    trials: Sequence[FrozenTrial],
    front: Sequence[FrozenTrial],
    measured: Sequence[FrozenTrial],
    pictures: Sequence[Path],
) -> str:
    """The page: how it was done, the front, prediction beside outcome, and what failed with its reason."""
    states = {name: sum(t.state.name == name for t in trials) for name in ("COMPLETE", "PRUNED", "FAIL")}
    machines = sorted({t.user_attrs["machine"] for t in measured if "machine" in t.user_attrs})
    lines = [
        "# Search for the network to ship",
        "",
        f"Trials: {len(trials)}, of which {states['COMPLETE']} trained, {states['PRUNED']} measured and too slow to "
        f"be trained, {states['FAIL']} failed. Time is a multiple of {settings['reference']}'s (LiteRT, one thread, "
        f"float32, {settings['pairs']} pairs of visits in one process; median, and the middle 80 % of the pairs), "
        f"weights as they are drawn. IOU is in per cent, the mean over {', '.join(settings['validation'])} after "
        f"{settings['samples']:,} samples, seed {settings['seed']}: it ranks candidates and is no network's final "
        "figure. Each is trained on square pictures of its input's area and judged at its own resolution.",
        "",
        f"Processor: {', '.join(machines) or 'none yet'}.",
    ]
    if settings["options"]:
        lines += ["", f"Further options of train.py: `{' '.join(settings['options'])}`."]
    if len(machines) > 1:
        lines += ["", "**Ratios of different processors are not the same thing**; they stand in one table here."]
    lines += ["", "## Front", "", *_table(front)]
    lines += ["", *(f"![{path.stem}]({path.name})\n" for path in pictures)]
    lines += ["## Prediction and outcome", "", *_judged(measured), "", "## All trials", "", *_table(trials)]
    return "\n".join(lines) + "\n"


def errors(measured: Sequence[FrozenTrial]) -> np.ndarray[Any, Any]:
    """Outcome over prediction, less 1, of each trial."""
    return np.array([t.user_attrs["measured"]["median"] / t.user_attrs["predicted"] - 1 for t in measured])


def _judged(measured: Sequence[FrozenTrial]) -> list[str]:
    """How good the predictions were, in a sentence."""
    if not measured:
        return ["Nothing was measured yet."]
    off = errors(measured)
    words = (
        "A prediction is the sum of the network's blocks, each measured alone, times what such a sum had been worth in "
        f"the median of the trials before it (1 in the first). It was off by {100 * np.median(np.abs(off)):.0f} % in "
        f"the middle trial and by {100 * np.abs(off).max():.0f} % at most, {100 * np.median(off):+.0f} % in the median."
    )
    if len(measured) > 2:
        from scipy.stats import spearmanr

        pairs = [(t.user_attrs["predicted"], t.user_attrs["measured"]["median"]) for t in measured]
        words += f" The order it gave has a rank correlation of {spearmanr(*zip(*pairs, strict=True))[0]:.2f}."
    return [words]


HEADER = "| trial | time | 80 % | foretold | off by | IOU | resolution | network | |"


def _table(trials: Sequence[FrozenTrial]) -> list[str]:
    return [HEADER, "|---" * HEADER.count(" | ") + "|---|", *map(_row, trials)]


def _row(t: FrozenTrial) -> str:
    a = t.user_attrs
    time = spread = foretold = off = iou = ""
    if found := a.get("measured"):
        time, spread = f"{found['median']:.3f}", f"{found['low']:.3f} to {found['high']:.3f}"
    if "predicted" in a:
        foretold = f"{a['predicted']:.3f}"
    if found and "predicted" in a:
        off = f"{100 * (found['median'] / a['predicted'] - 1):+.0f} %"
    if t.values:
        iou = f"{t.values[1]:.2f}"
    said = a.get("reason", a.get("start", "")).replace("|", "/")
    size = str(t.params.get("resolution", ""))
    return f"| {t.number} | {time} | {spread} | {foretold} | {off} | {iou} | {size} | {network(t.params)} | {said} |"


def network(parameters: dict[str, Any]) -> str:
    """A candidate in few words: kernel and width of the stem, widths × depths, squeeze, decoder, head, entry, skips."""
    if set(space.CHOICES) - set(parameters):
        return ""
    p = parameters
    stages = " ".join(f"{p[f'width{s}']}×{p[f'depth{s}']}" for s in (8, 16, 32))
    decoder = "/".join(str(p[f"decoder{s}"]) for s in (16, 8, 4))
    skips = "skips" if p["skips"] else "no skips"
    stem = f"{p['kernel']}/4 to {p['stem']}"
    squeeze = f"squeeze {p['squeeze']} to {p['narrowest']}"
    return f"{stem} · {stages} · {squeeze} · {decoder} · {p['head']} · {p['entry']} · {skips}"


def _csv(trials: Sequence[FrozenTrial], path: Path) -> None:
    columns = ("trial", "state", "ratio", "low", "high", "blocks", "predicted", "iou", "machine", "reason", "variant")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for t in trials:
            a, found = t.user_attrs, t.user_attrs.get("measured", {})
            spread = [found.get(key, "") for key in ("median", "low", "high")]
            noted = [a.get(key, "") for key in ("blocks", "predicted")]
            iou = t.values[1] if t.values else ""
            words = [a.get(key, "") for key in ("machine", "reason")]
            fields = json.dumps(a.get("variant", {}), sort_keys=True)
            writer.writerow([t.number, t.state.name, *spread, *noted, iou, *words, fields])


def _front(done: Sequence[FrozenTrial], front: Sequence[FrozenTrial], reference: str, path: Path) -> Path:
    figure, ax = _figure()
    on = {t.number for t in front}
    for t in done:
        found, colour = t.user_attrs["measured"], "C0" if t.number in on else "0.65"
        ax.plot([found["low"], found["high"]], [t.values[1]] * 2, color=colour, linewidth=1, alpha=0.6)
        ax.plot(t.values[0], t.values[1], "o", color=colour, markersize=7 if t.number in on else 4)
        if t.number in on:
            ax.annotate(str(t.number), (t.values[0], t.values[1]), (4, 5), textcoords="offset points", fontsize=9)
    ax.plot([t.values[0] for t in front], [t.values[1] for t in front], color="C0", linestyle="--", linewidth=1)
    ax.axvline(1, color="0.4", linestyle=":", linewidth=1)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("{x:g}")
    ax.set_xlabel(f"time as a multiple of {reference}'s (dotted: as slow)")
    ax.set_ylabel("IOU after the short training, %")
    return _save(figure, path)


def _prediction(measured: Sequence[FrozenTrial], path: Path) -> Path:
    figure, ax = _figure()
    foretold = [t.user_attrs["predicted"] for t in measured]
    came = [t.user_attrs["measured"] for t in measured]
    low, middle, high = (np.array([c[k] for c in came]) for k in ("low", "median", "high"))
    ax.errorbar(foretold, middle, yerr=[middle - low, high - middle], fmt="o", markersize=5, elinewidth=1, color="C0")
    for t, x, y in zip(measured, foretold, middle, strict=True):
        ax.annotate(str(t.number), (x, y), (5, -3), textcoords="offset points", fontsize=8, color="0.4")
    top = 1.1 * max(*foretold, *high)
    ax.plot([0, top], [0, top], color="0.4", linestyle=":", linewidth=1)
    ax.set_xlim(0, top)
    ax.set_ylim(0, top)
    ax.set_xlabel("foretold from the blocks, multiples of the reference's time")
    ax.set_ylabel("measured (middle 80 % of pairs)")
    return _save(figure, path)


def _importances(study: Study, path: Path) -> Path:
    """Optuna's own evaluation of what each freedom does to time and to IOU."""
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    def shares(of: int) -> dict[str, float]:
        return get_param_importances(
            study,
            evaluator=FanovaImportanceEvaluator(seed=0),
            target=lambda t: t.values[of],
            params=list(space.CHOICES),
        )

    for_time, iou = shares(0), shares(1)
    figure, ax = _figure()
    order = sorted(for_time, key=lambda name: for_time[name])
    at = np.arange(len(order))
    ax.barh(at + 0.2, [for_time[name] for name in order], 0.4, label="time")
    ax.barh(at - 0.2, [iou[name] for name in order], 0.4, label="IOU")
    ax.set_yticks(at, order)
    ax.set_xlabel("share of the spread that it explains (fANOVA)")
    ax.legend(frameon=False)
    return _save(figure, path)


def _figure() -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.subplots()
    ax.grid(alpha=0.2)
    ax.spines[["top", "right"]].set_visible(False)
    return figure, ax


def _save(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=120)
    return path
