"""From the options of a measurement to the plan of each device. Pure: no device and no file is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.options import parse_references
from devices.contract import Counts, Unit

if TYPE_CHECKING:
    from converters.artifact import Precision
    from devices.plan import Options, Plan, Weights
    from devices.select import Attached, NotAttached
    from models.reference import ReferenceModel
    from models.variant import Resolution


@dataclass(frozen=True)
class Asked:
    """What the user asked for, of every device; None where nothing was said."""

    variants: str | None
    formats: tuple[str, ...] | None
    precisions: tuple[Precision, ...] | None
    everything: bool
    """The twelve of the reference set in every format, in place of the default choice."""
    references: tuple[ReferenceModel, ...] | None
    yours: tuple[ReferenceModel, ...]
    """Models of the user's own, as they are described."""
    resolution: Resolution | None
    unit: Unit
    threads: int
    counts: Counts
    shard: tuple[int, int]

    @property
    def by_default(self) -> bool:
        """Whether the variants, formats and precisions are left to us."""
        return not (self.variants or self.everything or (not self.yours and (self.formats or self.precisions)))


@dataclass(frozen=True)
class Planned:
    """The plan of each device, in the devices' order, and a sentence for each model that none of its formats fits."""

    plans: tuple[Plan, ...]
    left_out: tuple[str, ...]


def planned(asked: Asked, targets: Sequence[Attached | NotAttached], weights: Mapping[str, Weights]) -> Planned:
    """What `targets` are to measure; ValueError, one sentence, for what one of them does not do."""
    from devices.plan import left_out, make, make_beside, make_default

    plan = (make_beside if asked.yours else make_default) if asked.by_default else make
    plans, absent = [], []
    for target in targets:
        check(asked, target, alone=len(targets) == 1)
        options = options_for(asked, target)
        plans.append(plan(options, weights))
        absent += left_out(options, (*asked.yours, *(asked.references or ())))
    if not any(plan.tasks for plan in plans) and asked.shard == (1, 1):
        raise ValueError("nothing remains to be measured.")
    return Planned(tuple(plans), tuple(absent))


def check(asked: Asked, target: Attached | NotAttached, alone: bool) -> None:
    """ValueError where `target` does not do what was asked; formats may be shared out unless it is `alone`."""
    from devices.select import repeats, sustains
    from models.bounds import check_threads

    name = target.name
    if name == "desktop":
        check_threads(asked.threads)
    strange = [format for format in asked.formats or () if format not in target.formats]
    if strange and (alone or len(strange) == len(asked.formats or ())):
        raise ValueError(f"{name} takes {', '.join(target.formats)}, not {strange[0]}.")
    if asked.unit not in target.units:
        raise ValueError(f"{name} has {', '.join(target.units)}, not {asked.unit}.")
    if asked.counts.sustained and not sustains(name, asked.unit):
        raise ValueError(f"--sustained is not measured on {name}'s {asked.unit}: desktop, Android's cpu and web.")
    if asked.counts.repeat > 1 and not repeats(name):
        raise ValueError(f"--repeat needs a process for each measurement, and {name} has none.")


def options_for(asked: Asked, target: Attached | NotAttached) -> Options:
    """The options of one device: its formats among those asked for, and the usual reference models on the desktop."""
    from devices.plan import Options

    references = asked.references
    if references is None:
        usual = "mediapipe-selfie" if asked.yours else "*"
        references = parse_references(usual if target.name == "desktop" else "none")
    return Options(
        device=target.name,
        unit=asked.unit,
        variants=asked.variants or "*",
        formats=tuple(name for name in asked.formats or target.formats if name in target.formats),
        precisions=asked.precisions or ("fp32",),
        resolution=asked.resolution,
        threads=asked.threads,
        counts=asked.counts,
        references=(*asked.yours, *references),
        shard=asked.shard,
    )


def counts(quick: bool, full: bool, sustained: float, repeat: int) -> Counts:
    """How long to measure; ValueError for options that exclude each other, and for too few minutes of load."""
    from dataclasses import replace

    from devices.contract import FULL, QUICK
    from devices.sustained import LEAST_MINUTES

    if quick and full:
        raise ValueError("--quick and --full exclude each other.")
    if 0 < sustained < LEAST_MINUTES:
        raise ValueError(f"--sustained takes at least {LEAST_MINUTES:g} minutes: the first and the last are compared.")
    return replace(QUICK if quick else FULL if full else Counts(), sustained=sustained, repeat=repeat)
