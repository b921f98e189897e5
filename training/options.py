"""What a training is asked for: the command line of train.py as one frozen value.

The defaults are the recipe of the shipped networks: Muon, a teacher's answer half of the truth where it is right,
simulated previous masks in six of ten samples, one picture of twenty turned by any angle.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Literal, get_args

from models import variant as variants
from models.arguments import ArgumentParser
from models.bounds import processors
from models.files import SpecialFile, refuse_special
from models.variant import Resolution, Variant
from training.datasets import Labels

Rates = Literal["samples", "hold", "anneal"]
Speedup = Literal["none", "graphs"]
TEACHER = "mediapipe-selfie"
"""The teacher that nobody has to name: an entry of references.toml, and inside every pack."""
NO_TEACHER = "none"
BOUNDS: dict[str, tuple[float, float]] = {
    "--samples": (1, 10**10),
    "--batch": (1, 4096),
    "--frames": (1, 64),
    "--size": (32, 1024),
    "--second-look": (32, 1024),
    "--evaluate-every": (1, 10**10),
    "--save-every": (0, 10**6),
    "--minutes": (1e-3, 10**6),
    "--workers": (1, 256),
    "--threads": (1, 1024),
    "--rate": (0, 1),
    "--feature-weight": (0, 1000),
    "--temporal-weight": (0, 1000),
    "--seed": (0, 2**32 - 1),
}
MOST_FRAMES = 16_384
"""In one batch."""


@dataclass(frozen=True)
class Options:
    variants: tuple[str, ...]
    data: Path | None
    pack: Path | None
    out: Path
    samples: int
    size: int | None
    frames: int
    batch: int
    rate: float
    seed: int
    labels: Labels
    prev_mask_prob: float
    rotate_prob: float
    crowd_prob: float
    teacher: str
    second_look: int | None
    distill_weight: float
    trust_all: bool
    whole_bodies: Path | None
    feature_teacher: Path | None
    feature_weight: float | None
    temporal_weight: float
    adamw: bool
    int8: bool
    init: tuple[Path, ...]
    validation: tuple[Path, ...] | None
    evaluate_every: int
    minutes: float | None
    rates: Rates
    workers: int | None
    threads: int
    bf16: bool
    speedup: Speedup
    save_every: float
    show_batch: Path | None

    @property
    def several(self) -> bool:
        return len(self.variants) > 1

    def folder(self, name: str) -> Path:
        """Where the checkpoint, log and curves of a variant go."""
        return self.out / name if self.several else self.out

    def resolution(self, name: str) -> Resolution:
        """(height, width) of what a variant is trained on: its own unless --size says otherwise."""
        return (self.size, self.size) if self.size else variants.get(name).resolution

    def features(self, name: str) -> float:
        """The weight of a teacher's features for a variant."""
        if self.feature_weight is not None:
            return self.feature_weight
        if self.feature_teacher:
            return 0.3
        return float(variants.get(name).trunk == "inverted" and self.teacher == TEACHER)

    @property
    def side(self) -> int:
        """The side at which samples are drawn: the longest of all resolutions."""
        return max(max(self.resolution(name)) for name in self.variants)

    def identity(self, world: int) -> dict[str, object]:
        """What makes two runs the same run, as JSON values; paths and pace do not."""
        kept = {key: value for key, value in asdict(self).items() if key not in PASSING}
        if self.feature_teacher:
            from models.checkpoint import sha256

            kept["feature_teacher"] = sha256(self.feature_teacher)[:12]
        if self.whole_bodies:
            from training.whole_bodies import digest

            kept["whole_bodies"] = digest(self.whole_bodies)
        return {**kept, "variants": list(self.variants), "processes": world}

    def stage(self, name: str, world: int) -> dict[str, object]:
        """What a card tells of the run of one variant."""
        kept = {key: value for key, value in self.identity(world).items() if key != "variants"}
        height, width = self.resolution(name)
        kept["feature_weight"] = self.features(name)
        return {**kept, "variant": name, "size": height if height == width else f"{height}x{width}"}


PASSING = frozenset(
    {
        "data",
        "pack",
        "out",
        "init",
        "feature_teacher",
        "whole_bodies",
        "validation",
        "evaluate_every",
        "save_every",
        "show_batch",
    }
    | {"minutes", "rates", "workers", "threads", "speedup"}
)
"""Options that may differ between calls of one run."""

LABELS: dict[str, Labels] = {"raw": "as they are", "all": "all people", "main": "main person"}
OLD_NAMES = {
    "--prev-mask-prob": "--prior",
    "--rotate-prob": "--turned",
    "--distill-weight": "--taught",
    "--feature-weight": "--hints",
    "--temporal-weight": "--steady",
}
"""Names of one release ago, still understood."""


def parser(description: str | None = None) -> ArgumentParser:
    made = ArgumentParser(
        prog="train.py", description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words = "names or globs, '*' being the twelve of the reference; python bench.py variants lists them"
    made.add_argument("variants", nargs="+", metavar="VARIANT", help=words)

    group = made.add_argument_group("what goes in and out")
    group.add_argument("--data", type=Path, help="folder of training data (layouts: training/datasets.py)")
    group.add_argument("--pack", type=Path, help="all of it in one file (training/pack.py), in place of --data")
    group.add_argument("--out", type=Path, required=True, help="the run's folder; of several variants one folder each")
    words = "checkpoint to start from, one a variant; tensors that fit are taken"
    group.add_argument("--init", type=Path, nargs="+", default=(), help=words)
    words = "folders never trained on, judged along the way; without it those that the data is known to have"
    group.add_argument("--validation", type=Path, nargs="*", help=words)

    group = made.add_argument_group("how long")
    group.add_argument("--samples", type=int, default=400_000)
    group.add_argument("--minutes", type=float, help="end by itself in this time; the same command goes on from there")
    words = "the learning rate falls over --samples; stays up (more calls follow); or falls over this call's --minutes"
    group.add_argument("--rates", choices=get_args(Rates), default="samples", help=words)
    group.add_argument("--evaluate-every", type=int, default=20_000, help="samples between evaluations")
    group.add_argument("--save-every", type=float, default=60.0, help="seconds between saved states")

    group = made.add_argument_group("the samples")
    group.add_argument("--size", type=int, help="side of the pictures; without it each variant's own resolution")
    group.add_argument("--frames", type=int, default=1, help="in a row, the network fed its own detached output")
    _share(group, "--prev-mask-prob", 0.6, "share of the mixed law of simulated previous masks; 0: always empty")
    _share(group, "--rotate-prob", 0.05, "share of pictures turned by any angle")
    words = "share of pictures of small whole bodies, 0 to 1 (default 0.05)"
    group.add_argument("--crowd-prob", type=float, default=0.05, help=words)
    words = "whether bystanders are people: each set its own way, all, or the main person alone"
    group.add_argument("--labels", choices=[*LABELS, *LABELS.values()], default="raw", help=words)
    group.add_argument("--seed", type=int, default=0)

    group = made.add_argument_group("the loss and the steps")
    words = f"answers samples and labels unlabelled pictures: a name in references.toml, a model's path or {NO_TEACHER}"
    group.add_argument("--teacher", default=TEACHER, help=words)
    words = f"the answer of {TEACHER} is the mean with that for the mirror image at this side (training/teacher.py)"
    group.add_argument("--second-look", type=int, metavar="SIDE", help=words)
    _share(group, "--distill-weight", 0.5, "share of the teacher's answer in the truth of a sample")
    words = "as much of the teacher where it contradicts the label (training/distill.py)"
    group.add_argument("--trust-all", action="store_true", help=words)
    words = "folder of a second teacher's answers for whole bodies (training/whole_bodies.py)"
    group.add_argument("--whole-bodies", type=Path, help=words)
    words = "checkpoint of the squeezed trunk whose features are followed (training/feature_distillation.py)"
    group.add_argument("--feature-teacher", type=Path, help=words)
    words = "weight of the features of --feature-teacher, 0.3 without it; of the teacher's for the inverted trunk, 1"
    _named(group, "--feature-weight", None, words)
    _named(group, "--temporal-weight", 0.0, "weight of masks that change as the truth does; needs --frames 2")
    group.add_argument("--batch", type=int, default=32, help="per process")
    group.add_argument("--rate", type=float, default=1e-3, help="peak learning rate")
    words = "AdamW for everything; else Muon for what mixes channels (training/muon.py)"
    group.add_argument("--adamw", action="store_true", help=words)
    group.add_argument("--int8", action="store_true", help="activations rounded as in int8 (training/fake_int8.py)")

    group = made.add_argument_group("the machine")
    words = "processes that prepare samples; without it 1, or all cores but one beside CUDA"
    group.add_argument("--workers", type=int, help=words)
    group.add_argument("--threads", type=int, default=2, help="of the training process")
    group.add_argument("--bf16", action="store_true", help="convolutions in bfloat16; always so with CUDA")
    words = "repeat recorded steps (training/graphs.py); needs CUDA"
    group.add_argument("--speedup", choices=get_args(Speedup), default="none", help=words)
    group.add_argument("--show-batch", type=Path, help="draw a batch into this PNG and stop")
    group.add_argument("--muon", action="store_true", help=argparse.SUPPRESS)
    return made


def _named(group: Any, name: str, default: float | None, words: str) -> None:
    dest = name.removeprefix("--").replace("-", "_")
    group.add_argument(name, type=float, default=default, help=words)
    group.add_argument(OLD_NAMES[name], type=float, dest=dest, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def _share(group: Any, name: str, default: float, words: str) -> None:
    _named(group, name, default, f"{words}, 0 to 1 (default {default})")


def parse(arguments: Sequence[str] | None = None, description: str | None = None) -> Options:
    """SystemExit with code 64 and one sentence when the options contradict each other."""
    asked = parser(description)
    values = vars(asked.parse_args(arguments))
    values.pop("muon")
    values["labels"] = LABELS.get(values["labels"], values["labels"])
    values["init"] = tuple(values["init"])
    values["validation"] = None if values["validation"] is None else tuple(values["validation"])
    try:
        values["variants"] = tuple(chain.from_iterable(map(_named_by, values["variants"])))
    except ValueError as error:
        asked.error(str(error))
    options = Options(**values)
    chosen = {name: variants.get(name) for name in options.variants}
    if problem := _problem(options, chosen):
        asked.error(problem)
    return options


def _named_by(pattern: str) -> list[str]:
    """The variants of a glob, or the one of that name. ValueError when there is none."""
    if any(sign in pattern for sign in "*?["):
        return variants.match(pattern)
    variants.get(pattern)
    return [pattern]


def _problem(options: Options, chosen: dict[str, Variant]) -> str | None:
    """What is wrong with options, in a sentence; None when nothing is."""
    if len(chosen) < len(options.variants):
        return "a variant is named twice"
    shares = (options.prev_mask_prob, options.rotate_prob, options.crowd_prob, options.distill_weight)
    numbers = (*shares, options.feature_weight or 0.0, options.temporal_weight, options.rate)
    if not all(math.isfinite(number) and number >= 0 for number in numbers) or max(shares) > 1:
        return "shares lie between 0 and 1, weights and rates are not negative"
    for name, (least, most) in BOUNDS.items():
        value = getattr(options, name.removeprefix("--").replace("-", "_"))
        if value is not None and not least <= value <= most:  # written so that NaN is outside
            return f"{name} goes from {least:,} to {most:,}, and is {value:,}"
    try:
        for name, variant in chosen.items():
            variant.check_resolution(options.resolution(name))
    except ValueError as error:
        return str(error)
    if options.threads > max(2, processors()):
        return f"--threads {options.threads}: this machine has {processors()} processors"
    if options.batch * options.frames > MOST_FRAMES:
        return f"--batch times --frames is at most {MOST_FRAMES:,}, and is {options.batch * options.frames:,}"
    if options.temporal_weight and options.frames < 2:
        return "--temporal-weight needs --frames 2 or more"
    if options.second_look and options.teacher != TEACHER:
        return f"--second-look is of {TEACHER}, and --teacher is {options.teacher}"
    if options.second_look and options.second_look % 16:
        return f"--second-look {options.second_look}: must be a multiple of 16"
    followed = "squeezed" if options.feature_teacher else "inverted"
    if (options.feature_weight or options.feature_teacher) and (
        other := [n for n, v in chosen.items() if v.trunk != followed]
    ):
        return f"{other[0]} has another trunk than the features to follow, which are of the {followed} one"
    if options.feature_teacher and not options.feature_teacher.is_file():
        return f"--feature-teacher {options.feature_teacher}: there is no such file"
    if options.whole_bodies and options.pack:
        return "--whole-bodies has answers for the pictures of --data, not of a --pack"
    if options.whole_bodies and not any(options.whole_bodies.glob("*.png")):
        return f"--whole-bodies {options.whole_bodies}: holds no answers; training.whole_bodies writes them"
    if options.rates == "anneal" and not options.minutes:
        return "--rates anneal needs --minutes"
    if options.init and len(options.init) not in (1, len(options.variants)):
        return f"--init takes one checkpoint, or {len(options.variants)}, one a variant"
    if (options.data is None) == (options.pack is None):
        return "one of --data and --pack is needed"
    for path in (*options.init, *(options.validation or ()), options.out, options.show_batch):
        try:
            refuse_special(path or Path())
        except SpecialFile as special:
            return str(special)
    if options.out.exists() and not options.out.is_dir():
        return f"--out {options.out}: is a file; a run is written into a folder"
    if options.show_batch and not (options.show_batch.suffix == ".png" and options.show_batch.parent.is_dir()):
        return f"--show-batch {options.show_batch}: name a .png in a folder that is there"
    if options.data and not options.data.is_dir():
        return f"--data {options.data}: there is no such folder"
    if options.pack and not options.pack.is_file():
        return f"--pack {options.pack}: there is no such file"
    return None
