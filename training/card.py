"""The model card, made from the models' own metrics: nothing in it is typed.

python -m training.card judge [DIR ...] [--data ROOT] [--embedded] [--variants GLOB] [--references GLOB]
    judge checkpoints on folders, on the tenth of ROOT that is never trained on and on the embedded sample; metrics go
    into the checkpoints, those of reference models into `references.json` beside them
python -m training.card labels DIR [DIR ...] [--clips DIR] [--variants NAME]
    judge the labels of checkpoints on folders that tell them, and how much they flicker in clips
python -m training.card write [--failures VARIANT] [--clips DIR]
    write models/checkpoints/MODEL_CARD.md from them; draw VARIANT's worst frames of the embedded sample, and of clips
    that may be shown, into failures.png beside it
python -m training.card version VARIANT NUMBER WORDS
    note in a checkpoint its version and what is new in it
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models import checkpoint, reference, variant
from models.arguments import WRONG_USAGE, ArgumentParser
from training.aims import EMBEDDED

if TYPE_CHECKING:
    from evaluation.clip import Dataset
    from models.checkpoint import Checkpoint
    from training.aims import Count

REFERENCES, FAILURES = "references.json", "failures.png"
ABLATION = "ablation"
"""The folder beside the checkpoints that `training.ablation` and `training.previous_mask_ablation` write with --out."""
SHOWN = 6

INTRODUCTION = """# Model card

Made by `python -m training.card write` from the metrics inside the checkpoints; do not edit.

- **What they are.** Networks that separate people from the background in live video. Input: RGB and the previous
  mask; output: a mask. `python bench.py variants` says what each costs.
- **Use.** Replacing, blurring or recolouring the background of selfie video and portraits. Not for identifying,
  counting or watching people, and not where a missed person does harm.
- **Whom they fail.** Whole bodies in fast motion, small and distant people, people upside down, groups; held
  objects and bystanders are inconsistent, as in the training labels. Skin tones, ages, head coverings and
  wheelchair users: unknown.
- **Trained on.** Some 9,200 pictures of the sets named below, and MediaPipe's answers; several of the sets allow
  research only, so the weights are for research and evaluation. `live` and its sizes descend from MediaPipe's
  weights (Apache-2.0).
- **Chosen on.** The validation sets below were in view when training was steered: figures lean to the good side.
- **Seen before.** The three speakers of the embedded sample were among the pictures that `live`, `live-fast`,
  `live-best` and `s4-skip-light` were trained on; the twelve never saw them. No network trains on them from now on.
"""

LIMITS = """- The worst five pictures of each validation set, looked at with `live` and `s16-skip-dense` as they are
  now. Both take in flowers, a laptop, a chair behind the person, the shadow of a body and bystanders
  beside the person, and lose people far down a street, legs above the head or before flowers, and an
  edge in red stage light, before a dark column or along a striped dress on black. `s16-skip-dense`
  also takes in letters and houses of the same colours, clothes on a rack, litter bins and bushes,
  and loses a raised arm, a head before the sky and a body that curls up. In a third of them the label
  itself is arguable: it leaves out a mirror image or a bystander, or its edge is coarse.
- Held objects are sometimes in and sometimes out, as in the training labels; so are bystanders.
- Nobody has measured how well they serve different skin tones, ages, head coverings or wheelchair
  users: the pictures say nothing of these. The training pictures are mostly of young adults in good
  light: expect worse masks for whom they show least.
"""

PREVIOUS_MASK = """\
Twins, trained for this alone: the same samples, seed and stages, one with the previous mask as an input and one
without. Both begin with the weights of `live`, where the layer of the previous mask is set to zero: the one without
has to unlearn it. Clips never trained on, mean with its 95 % interval; the differences are paired. dtSSD where
still counts the pixels whose truth stays as it was: the rest is got wrong where the person moved, which no earlier
mask shows. Flicker is that of a still picture under a sensor's noise; of the last three, the frames until IOU is
back within two points.
"""


@dataclass(frozen=True)
class Entry:
    """One line of every table: a checkpoint of ours, or a reference model."""

    name: str
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]
    """{set: {mode: figures}}"""
    groups: Mapping[str, Mapping[str, float]]
    reference: bool = False


def judge(path: Path, data: Sequence[Dataset]) -> dict[str, Any]:
    """{"metrics": {set: {mode: figures}}, "groups": {group: figures}} of one checkpoint at its own resolution."""
    from training import evaluation

    one = checkpoint.load(path)
    step, previous_mask = evaluation.step_of(one.network()), one.variant.previous_mask
    step = evaluation.person_of(step) if one.variant.outputs > 1 else step
    return evaluation.judge(step, one.variant.resolution, data, previous_mask=previous_mask)


def judge_labels(path: Path, folders: Sequence[Path], clips: Path | None = None) -> dict[str, Any]:
    """{"labels": {set: figures}, "steadiness": {clip: figures}} of one checkpoint, at its own resolution."""
    from evaluation import folder
    from training import evaluation, labels_card

    one, beside = checkpoint.load(path), checkpoint.find(labels_card.BESIDE)
    step, resolution = evaluation.step_of(one.network()), one.variant.resolution
    judged = {"labels": labels_card.judge(step, resolution, map(folder.read, folders))}
    if clips and beside:
        other = checkpoint.load(beside)
        theirs, size = evaluation.step_of(other.network()), other.variant.resolution
        moving = [clip for clip in folder.read(clips).clips if not clip.still]
        every = {clip.name: labels_card.steadiness(step, resolution, theirs, size, clip) for clip in moving}
        judged["steadiness"] = every
    return judged


def judge_reference(one: reference.ReferenceModel, data: Sequence[Dataset]) -> dict[str, Any]:
    """`judge` of somebody else's model, at its own resolution. ValueError when it cannot be had."""
    from converters.references import fetch, open_reference
    from training import evaluation

    session = open_reference(one, fetch(one))
    judged = evaluation.judge(session, one.resolution, data, one.fit, one.previous_mask is not None)
    return {"sha256": one.sha256, **judged}


def _footage(folders: Sequence[Path], data: Path | None) -> list[Dataset]:
    """Folders' stills and each of their clips; the held-out tenth of the training data."""
    from evaluation import folder
    from training.evaluation import held_out, sets

    read = [folder.read(path) for path in folders] + (held_out(data) if data else [])
    return [part for footage in read for part in sets(footage)]


def _sample() -> Dataset:
    """The embedded sample, whole: its clips and stills are one figure on the page of `bench.py` too."""
    from evaluation import sample

    return replace(sample.embedded(), name=EMBEDDED)


def failures(path: Path, clips: Path | None, out: Path) -> None:
    """Draw the worst frame of each of the SHOWN clips and stills that a checkpoint does worst on, the worst first."""
    import cv2
    import numpy as np

    from evaluation import folder, sample
    from evaluation.overlay import overlay
    from evaluation.score import judge, predict, prepare_clip
    from training.evaluation import step_of

    one = checkpoint.load(path)
    step = step_of(one.network())
    worst = []
    for footage in [sample.embedded(), *([folder.read(clips)] if clips else [])]:
        for clip in footage.clips:
            masks = predict(step, prepare_clip(clip, one.variant.resolution), [len(clip)])
            ious = [frame.iou for frame in judge(masks, clip)]
            at = int(np.argmin(ious))
            worst.append((ious[at], clip, at, masks[at]))
    cells = []
    for value, clip, at, mask in sorted(worst, key=lambda found: found[0])[:SHOWN]:
        picture, label = clip.read(at)
        seen = overlay(picture, mask, label)
        scale = min(320 / seen.shape[1], 240 / seen.shape[0])
        small = cv2.resize(seen, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        laid = np.full((240, 320, 3), 255, np.uint8)
        laid[: small.shape[0], : small.shape[1]] = small
        title = np.full((22, 320, 3), 255, np.uint8)
        text = f"{100 * value:.0f} %  {clip.frame_names[at]}"
        cv2.putText(title, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
        cells.append(np.vstack([title, laid]))
    rows = [np.hstack(cells[i : i + 3]) for i in range(0, SHOWN, 3)]
    cv2.imwrite(str(out), np.vstack(rows)[..., ::-1])


def render(
    checkpoints: Sequence[Checkpoint],
    references: Mapping[str, Any] | None = None,
    shown: str = "",
    ablation: str = "",
    previous_mask: str = "",
    corners: str = "",
    instructions: Count = lambda _name: None,
    x86_share: Count = lambda _name: None,
) -> str:
    """The card as Markdown. `references` is what `references.json` holds, `shown` whose failures were drawn;
    `instructions` and `x86_share` as of `training.aims`."""
    from training import aims, labels_card

    int8 = {one.name: one.card["int8"]["lost"] for one in checkpoints if "int8" in one.card}
    entries = [Entry(c.name, c.card["metrics"], c.card.get("groups", {})) for c in checkpoints if c.card.get("metrics")]
    entries += [Entry(name, one["metrics"], one["groups"], reference=True) for name, one in (references or {}).items()]
    parts = [INTRODUCTION, "## Training\n", *_training(checkpoints)]
    if versions := _versions(checkpoints):
        parts += ["\n## Versions\n", *versions]
    parts += ["\n## Metrics\n", *_metrics(entries)]
    parts += aims.section({one.name: one.metrics for one in entries}, instructions, x86_share, int8)
    parts += labels_card.section(checkpoints)
    if ablation or corners:
        parts += ["## Ablation\n", *_corners(corners), *_ablation(ablation)]
    if previous_mask:
        parts += ["## Ablation of the previous mask\n", PREVIOUS_MASK, previous_mask]
    return "\n".join([*parts, "## Known failures, and whom they may serve worse\n", *_failures(entries, shown), LIMITS])


def stages(done: Sequence[Mapping[str, Any]]) -> str:
    """The stages of a training in order, each `samples @ size`, with the frames in a row where there were several, or
    in words where it was none (training/init_from_mediapipe.py)."""

    said = (s.get("begun") or f"{s['samples']} @ {s['size']}" + f" ({s['frames']})" * (s["frames"] > 1) for s in done)
    return ", ".join(said)


def _training(checkpoints: Sequence[Checkpoint]) -> list[str]:
    lines = [
        "Stages in order, each `samples @ size` (frames in a row). Hours of the process, which may have trained "
        "several networks side by side; on two shared processor cores unless a GPU is named.",
        "",
        "| checkpoint | stages | samples | hours |",
        "|---|---|---|---|",
    ]
    for one in checkpoints:
        done = one.card.get("training", [])
        total, hours = sum(stage["samples"] for stage in done), sum(stage["seconds"] for stage in done) / 3600
        gpus = sorted({stage["device"] for stage in done if stage.get("device", "CPU") != "CPU"})
        lines.append(f"| {one.name} | {stages(done)} | {total} | {', '.join([f'{hours:.1f}', *gpus])} |")
    data = [one.card["data"] for one in checkpoints if "data" in one.card and one.variant.outputs == 1]
    if data:
        sources = sorted({source for d in data for source in d["sources"]})
        lines += [
            "",
            f"Data: {', '.join(sources)}; {data[0]['pictures']} pictures, sha256 over their pixels "
            f"`{data[0]['sha256'][:16]}`. Several of these sets allow research only; soft masks of unlabelled pictures "
            "come from MediaPipe's selfie segmentation (Apache-2.0): the weights are for research and evaluation. "
            "Those that were begun from it are derived from its weights.",
        ]
    return lines


def _versions(checkpoints: Sequence[Checkpoint]) -> list[str]:
    """What is new in each version of each checkpoint, the newest first."""
    return [
        f"- {one.name} {entry['version']}: {entry['words']}"
        for one in checkpoints
        for entry in reversed(one.card.get("versions", []))
    ]


def _metrics(entries: Sequence[Entry]) -> list[str]:
    if not entries:
        return ["Not judged yet: `python -m training.card judge DIR`.\n"]
    lines = [
        "Per cent with 95 % bootstrap intervals, on pictures and clips never trained on, though all of them were in "
        "view when live's training was steered, mixed and stopped: its figures "
        "lean to the good side; ours and other "
        "people's models (in italics) at their own size. IOU with the previous mask four ways; boundary F and dtSSD "
        "with an empty mask on stills, with the network's own on clips. Poor is the share of pictures below 80 % IOU.",
        "",
    ]
    for name in dict.fromkeys(name for one in entries for name in one.metrics):
        judged = [one for one in entries if name in one.metrics]
        clip = any("dtssd" in modes for one in judged for modes in one.metrics[name].values())
        images = next((m["images"] for one in judged for m in one.metrics[name].values() if "images" in m), None)
        columns = ["empty", *(["recurrent"] if clip else []), "perturbed", "adversarial", "boundary F"]
        columns += [*(["dtSSD", "dtSSD, always empty"] if clip else []), "poor"]
        lines += [f"### {name}" + (f", {images} {'frames' if clip else 'pictures'}" if images else ""), ""]
        lines += [f"| network | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        lines += [f"| {_name(one)} | {' | '.join(_cells(one.metrics[name], clip))} |" for one in judged]
        lines.append("")
    return lines


def _corners(table: str) -> list[str]:
    """Of the table of networks trained for it alone."""
    if not table:
        return []
    return [
        "### Three seeds\n",
        "Networks trained from scratch for this comparison alone, on one GPU; they are not shipped. The four of a seed "
        "saw the same samples in the same order. 95 % intervals are over pictures and seeds. Instructions are of the "
        "network at the size that is shipped.",
        "",
        table,
    ]


def _ablation(table: str) -> list[str]:
    if not table:
        return []
    return [
        "### The twelve that are shipped\n",
        "The twelve checkpoints above, which differ in nothing but these. One seed: the 95 % intervals cover the "
        "choice of pictures, not another training.",
        "",
        table,
        f"![The variants and the ideas]({ABLATION}/ablation.png)",
        "",
    ]


def _cells(modes: Mapping[str, Mapping[str, float]], clip: bool) -> list[str]:
    empty = modes["empty"]
    main = modes.get("recurrent", empty) if clip else empty
    shown = ["empty", *(["recurrent"] if clip else []), "perturbed", "adversarial"]
    cells = [_percent(modes.get(mode, {}), "iou", "low", "high") for mode in shown]
    cells.append(_percent(main, "boundary_f", "boundary_low", "boundary_high"))
    if clip:
        cells += [_span(m, "dtssd", "dtssd_low", "dtssd_high") for m in (main, empty)]
    return [*cells, f"{100 * main['poor']:.0f} %" if "poor" in main else "–"]


def _failures(entries: Sequence[Entry], shown: str) -> list[str]:
    grouped = [one for one in entries if one.groups]
    lines = []
    if grouped:
        names = list(dict.fromkeys(group for one in grouped for group in one.groups))
        images = {name: next(int(o.groups[name]["images"]) for o in grouped if name in o.groups) for name in names}
        lines += ["IOU on the stills above, by what the picture is like:", ""]
        lines += ["| network | " + " | ".join(f"{name} ({images[name]})" for name in names) + " |"]
        lines += ["|---" * (len(names) + 1) + "|"]
        for one in grouped:
            cells = [_percent(one.groups.get(name, {}), "iou", "low", "high") for name in names]
            lines.append(f"| {_name(one)} | {' | '.join(cells)} |")
        lines.append("")
    if shown:
        lines += [
            f"The worst frames of {shown} among pictures that may be shown here; green is its mask, the pink line the "
            "truth, the number the IOU:",
            "",
            f"![The worst frames of {shown}]({FAILURES})",
            "",
        ]
    return lines


def _name(one: Entry) -> str:
    return f"*{one.name}*" if one.reference else one.name


def _percent(values: Mapping[str, float], middle: str, low: str, high: str) -> str:
    return _span({key: 100 * values[key] for key in (middle, low, high) if key in values}, middle, low, high)


def _span(values: Mapping[str, float], middle: str, low: str, high: str) -> str:
    return f"{values[middle]:.1f} ({values[low]:.1f}–{values[high]:.1f})" if middle in values else "–"


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    judging = commands.add_parser("judge", help="judge and note the metrics")
    judging.add_argument("folders", type=Path, nargs="*", metavar="DIR", help="pictures and clips never trained on")
    judging.add_argument("--data", type=Path, metavar="ROOT", help="the training data: its held-out tenth is judged")
    judging.add_argument("--embedded", action="store_true", help="judge on the embedded sample too")
    judging.add_argument("--variants", default="*", metavar="GLOB", help="names, or none")
    judging.add_argument("--references", default="none", metavar="GLOB", help="names in references.toml, or none")
    judging.add_argument("--peers", dest="references", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    labelling = commands.add_parser("labels", help="judge the labels and note their figures")
    labelling.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="pictures with labels never trained on")
    labelling.add_argument("--clips", type=Path, metavar="DIR", help="clips in which flicker is measured")
    labelling.add_argument("--variants", default="live-parts", metavar="GLOB", help="names")
    writing = commands.add_parser("write", help="write the card")
    writing.add_argument("--failures", default="", metavar="VARIANT", help="draw this one's worst frames")
    writing.add_argument("--clips", type=Path, metavar="DIR", help="clips whose frames may be shown")
    noting = commands.add_parser("version", help="note a checkpoint's version")
    noting.add_argument("variant", metavar="VARIANT", help="its name")
    noting.add_argument("number", type=int, metavar="NUMBER", help="of the version")
    noting.add_argument("words", metavar="WORDS", help="what is new in it, a sentence")
    options = parser.parse_args(arguments)
    try:
        {"judge": _judge_all, "labels": _label_all, "write": _write, "version": _note_version}[options.command](options)
    except ValueError as error:
        print(f"training.card: {error}", file=sys.stderr)
        return WRONG_USAGE
    return 0


def _judge_all(options: argparse.Namespace) -> None:
    import torch

    # One picture at a time leaves a second thread little to do, and on a busy machine the two wait for each other.
    torch.set_num_threads(1)
    data = _footage(options.folders, options.data)
    whole = [_sample()] if options.embedded else []
    if not (data or whole):
        raise ValueError("there is nothing to judge on: give a folder, --data or --embedded")
    for name in [] if options.variants == "none" else variant.match(options.variants):
        if path := checkpoint.find(name):
            judged = judge(path, data)
            judged["metrics"] |= judge(path, whole)["metrics"] if whole else {}
            one = checkpoint.load(path)
            card = {**one.card, "metrics": {**one.card.get("metrics", {}), **judged["metrics"]}}
            groups = judged["groups"] or one.card.get("groups", {})
            checkpoint.save(path, one.name, one.variant, one.state, {**card, "groups": groups})
            _tell(name, judged)
    for other in reference.match(options.references):
        known = _read_references()
        judged = judge_reference(other, data)
        judged["metrics"] |= judge_reference(other, whole)["metrics"] if whole else {}
        before = known.get(other.name, {}) if known.get(other.name, {}).get("sha256") == other.sha256 else {}
        known[other.name] = {
            **judged,
            "metrics": {**before.get("metrics", {}), **judged["metrics"]},
            "groups": judged["groups"] or before.get("groups", {}),
        }
        (checkpoint.FOLDER / REFERENCES).write_text(json.dumps(known, indent=1) + "\n")
        _tell(other.name, judged)


def _label_all(options: argparse.Namespace) -> None:
    import torch

    torch.set_num_threads(1)
    for name in variant.match(options.variants):
        path = checkpoint.find(name)
        if not path or variant.get(name).outputs == 1:
            raise ValueError(f"{name} has no checkpoint" if not path else f"{name} gives a mask and no labels")
        judged = judge_labels(path, options.folders, options.clips)
        one = checkpoint.load(path)
        checkpoint.save(path, one.name, one.variant, one.state, {**one.card, **judged})


def _note_version(options: argparse.Namespace) -> None:
    path = checkpoint.find(options.variant)
    if not path:
        raise ValueError(f"{options.variant} has no checkpoint")
    one = checkpoint.load(path)
    known = [entry for entry in one.card.get("versions", []) if entry["version"] < options.number]
    versions = [*known, {"version": options.number, "words": options.words}]
    checkpoint.save(path, one.name, one.variant, one.state, {**one.card, "versions": versions})


def _tell(name: str, judged: Mapping[str, Any]) -> None:
    ious = {k: round(v.get("recurrent", v["empty"])["iou"], 4) for k, v in judged["metrics"].items()}
    print(name, ious, file=sys.stderr, flush=True)


def _read_references() -> dict[str, Any]:
    path = checkpoint.FOLDER / REFERENCES
    return json.loads(path.read_text()) if path.exists() else {}


def _write(options: argparse.Namespace) -> None:
    from reports import measured

    if options.failures:
        path = checkpoint.find(variant.match(options.failures)[0])
        if not path:
            raise ValueError(f"{options.failures} has no checkpoint")
        failures(path, options.clips, checkpoint.FOLDER / FAILURES)
    found = [checkpoint.load(path) for name in variant.VARIANTS if (path := checkpoint.find(name))]
    tables = [checkpoint.FOLDER / ABLATION / f"{name}.md" for name in ("ablation", "previous_mask", "corners/ablation")]
    texts = [table.read_text() if table.exists() else "" for table in tables]
    known = measured.read()
    keys = {one.name: measured.shape_key(one.variant) for one in found}
    keys |= {one.name: measured.shape_key(one) for one in reference.read().values()}
    times = {time["key"]: time["median"] for time in known["times"] if time["precision"] == "fp32"}
    weights = {one.name: measured.weights_key(one) for one in found}

    def instructions(name: str) -> float | None:
        return known["counts"].get(keys.get(name), {}).get("arm", {}).get("fp32")

    def x86_share(name: str) -> float | None:
        return times.get(weights.get(name, ""))

    ablation, previous_mask, corners = texts
    text = render(
        found, _read_references(), options.failures, ablation, previous_mask, corners, instructions, x86_share
    )
    (checkpoint.FOLDER / "MODEL_CARD.md").write_text(text)


if __name__ == "__main__":
    sys.exit(main())
