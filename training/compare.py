"""Networks beside one reference: python -m training.compare NAME [NAME ...] --validation DIR [DIR ...]

NAME is a variant, which is converted to TFLite with its checkpoint, or a reference model. Printed are its time as a
share of the reference's (LiteRT, one thread, in turns in this process: docs/measuring.md), its ARM instructions as a
share of the reference's, where the emulator is installed, and by how many points of IOU it is ahead on each folder,
with 95 % intervals paired by picture (give stills: frames of a clip would count as independent). Where an interval
holds zero, the difference is not significant. `--json docs/measured.json` keeps times and points for `make docs`.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from converters.artifact import Precision
from converters.session import Session
from devices.contract import Counts
from devices.desktop import copies, interleaved, timing
from devices.desktop.model_loop import ModelLoop, unrepeated
from devices.desktop.reference import WARM
from evaluation.clip import Dataset
from models.arguments import WRONG_USAGE, ArgumentParser, whole_number
from models.segmenter import ResizeMode
from training.quantise import Loss, compare, ious

REFERENCE = "mediapipe-selfie"
ROUNDS = interleaved.MOST_ROUNDS
LOCK = "measuring.lock"


@dataclass(frozen=True)
class Time:
    """A time as a share of the reference's, with its 95 % interval over rounds."""

    median: float
    low: float
    high: float
    rounds: int
    reference_ms: float
    """The reference's median then: to see how quiet the machine was, not to compare."""


@dataclass(frozen=True)
class Runner:
    """A network that runs in LiteRT, and how it wants its pictures."""

    name: str
    session: Session
    resize_mode: ResizeMode = "stretch"
    path: Path | None = None
    """The TFLite file, where instructions are to be counted."""
    key: str = ""
    """`reports.measured.weights_key`; empty for a file that has no name here."""
    open_one: Callable[[], Session] | None = None
    """Opens a copy of the session; None where there is to be one alone."""


@dataclass(frozen=True)
class Standing:
    """One network beside the reference: its time, and what it loses on each folder (negative when it is ahead)."""

    name: str
    time: Time | None
    """None where other work disturbed it too much."""
    losses: tuple[Loss, ...]
    instructions: tuple[float, ...] = ()
    """ARM instructions as a share of the reference's, without and with dot products; empty where none were counted."""


def open_tflite(name: str, precision: Precision) -> Runner:
    """A variant's TFLite artifact of its checkpoint, or a reference model. ValueError when there is none.

    An artifact that exceeds the parity tolerance is opened too, with a message: its loss of IOU is measured here.
    """
    from converters.artifact import Failure, Spec
    from converters.build import build
    from converters.references import fetch
    from converters.registry import converter
    from devices.open_model import open_model
    from models import checkpoint, reference
    from models.variant import VARIANTS
    from reports.measured import weights_key

    if name not in VARIANTS:

        def open_named() -> Session:
            return open_model(name)[0]

        session = open_named()
        known_reference = reference.read().get(name)
        if known_reference is None:
            return Runner(name, session, path=Path(name), open_one=open_named)
        return Runner(
            name, session, known_reference.fit, fetch(known_reference), weights_key(known_reference), open_named
        )
    path = checkpoint.find(name)
    if path is None:
        raise ValueError(f"{name} has no checkpoint")
    known = checkpoint.load(path)
    spec = Spec(name, path, known.sha256, "tflite", precision, known.variant.resolution)
    made = build([spec])[spec]
    if isinstance(made, Failure):
        raise ValueError(made.reason)
    if made.parity and made.parity.tolerance_exceeded:
        print(f"training.compare: {name}, {precision}: {made.parity.tolerance_exceeded}", file=sys.stderr)

    def open_one() -> Session:
        return converter("tflite").load(made.path, 1, precision)

    return Runner(name, open_one(), path=made.path, key=weights_key(known), open_one=open_one)


def shares(one: Path | None, reference: Path | None) -> tuple[float, ...]:
    """ARM instructions of the one as a share of the reference's on each core of devices.instructions; () without."""
    from devices import instructions

    if not (one and reference) or instructions.available():
        return ()
    try:
        return tuple(instructions.count(one, core) / instructions.count(reference, core) for core in instructions.CORES)
    except instructions.CannotCount as why:
        print(f"training.compare: ARM instructions of {one.name}: {why}.", file=sys.stderr)
        return ()


def measure(own: Runner, reference: Runner, rounds: int) -> Time | None:
    """The one's time beside the other's, each fed a random picture and its own last mask; copies of both in turn."""
    rng = np.random.default_rng(0)

    def loop(runner: Runner) -> tuple[ModelLoop, list[Session]]:
        picture = rng.integers(0, 256, (1, *runner.session.resolution, 3), np.uint8)
        made = ModelLoop(runner.session, *unrepeated(picture, [1]))
        return made, copies.opened(made, runner.open_one, copies.MOST) if runner.open_one else [runner.session]

    ours, theirs = loop(own), loop(reference)
    quick = [min(timing.sample(one, WARM)) / 1e9 for one, _ in (ours, theirs)]
    # As many samples a visit as interleaved.VISIT_SECONDS hold, so that `rounds` of them are taken.
    counts = Counts(samples=1, seconds=2 * rounds * interleaved.VISIT_SECONDS)
    return share(interleaved.measure(ours[0], theirs[0], quick[0], counts, turn=copies.turn(ours, theirs)))


def share(found: interleaved.Interleaved) -> Time | None:
    """The reciprocal of how many times as fast; None where that cannot be claimed."""
    ratio, theirs = found.ratio, found.of(interleaved.REFERENCE).clean
    if found.disturbed or ratio is None:
        return None
    milliseconds = float(np.median(theirs)) / 1e6
    return Time(1 / ratio.times, 1 / ratio.high, 1 / ratio.low, len(found.effects), milliseconds)


def standings(
    runners: Sequence[Runner], reference: Runner, data: Sequence[Dataset], rounds: int
) -> tuple[list[float], list[Standing]]:
    """The reference's own IOU on each data set, per cent, and how each of `runners` stands beside it."""

    def judged(one: Runner, footage: Dataset) -> list[float]:
        return ious(one.session, one.session.resolution, footage, one.resize_mode)

    # Times first, together: whatever else this does warms the processor.
    times = [measure(one, reference, rounds) for one in runners]
    before = [judged(reference, footage) for footage in data]
    found = []
    for one, time in zip(runners, times, strict=True):
        losses = (compare(one.name, f, own, judged(one, f)) for f, own in zip(data, before, strict=True))
        found.append(Standing(one.name, time, tuple(losses), shares(one.path, reference.path)))
    return [float(np.mean(one)) for one in before], found


def markdown(reference: str, own: Sequence[float], found: Sequence[Standing], processor: str) -> str:
    """A table; `processor` is what the times were measured on, instructions: without, with dot products."""
    names = [f"{loss.data} ({loss.images})" for loss in found[0].losses]
    lines = [
        f"| network | time on {processor} | ARM instructions | {' | '.join(names)} |",
        "|---" * (3 + len(names)) + "|",
    ]
    for one in found:
        points = (f"{-lost.points:+.1f} ({-lost.interval[1]:+.1f} to {-lost.interval[0]:+.1f})" for lost in one.losses)
        time = f"{one.time.median:.2f} ({one.time.low:.2f} to {one.time.high:.2f})" if one.time else "disturbed"
        counted = ", ".join(f"{share:.2f}" for share in one.instructions) or "not counted"
        lines.append(f"| {one.name} | {time} | {counted} | {' | '.join(points)} |")
    lines.append(f"| {reference} | 1 | 1 | {' | '.join(f'{iou:.1f} %' for iou in own)} |")
    return "\n".join(lines)


def records(
    runners: Sequence[Runner],
    reference: Runner,
    found: Sequence[Standing],
    precision: Precision,
    processor: str,
    day: str,
) -> list[dict[str, Any]]:
    """Entries of docs/measured.json (reports.measured), of what has a name and a time; points ahead are positive."""
    return [
        {
            "network": one.name,
            "key": runner.key,
            "reference": reference.name,
            "reference_key": reference.key,
            "precision": precision,
            "processor": processor,
            "date": day,
            **asdict(one.time),
            "points": [
                {
                    "data": lost.data,
                    "images": lost.images,
                    "points": -lost.points,
                    "low": -lost.interval[1],
                    "high": -lost.interval[0],
                }
                for lost in one.losses
            ],
        }
        for runner, one in zip(runners, found, strict=True)
        if runner.key and reference.key and one.time
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--validation", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--data", type=Path, metavar="ROOT", help="the training data: its held-out tenth is judged too")
    parser.add_argument("--reference", default=REFERENCE, help="in references.toml, or a variant (%(default)s)")
    parser.add_argument(
        "--precision", choices=("fp32", "int8"), default="fp32", help="of variants; reference models have one"
    )
    parser.add_argument(
        "--rounds",
        type=whole_number(interleaved.ROUNDS, ROUNDS),
        default=ROUNDS,
        metavar="N",
        help="%(default)s of them, the most, for each network's time",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep times and points there: docs/measured.json")
    options = parser.parse_args(arguments)
    from filelock import FileLock

    from converters import processor
    from devices.desktop import environment
    from evaluation import folder
    from reports import measured
    from training.evaluation import held_out

    try:
        data = [folder.read(one) for one in options.validation] + (held_out(options.data) if options.data else [])
        reference = open_tflite(options.reference, options.precision)
        runners = [open_tflite(name, options.precision) for name in options.names]
        # A search on this machine and this take turns at the clock.
        with FileLock(Path(tempfile.gettempdir()) / LOCK):
            environment.pin(1)
            own, found = standings(runners, reference, data, options.rounds)
    except ValueError as error:
        print(f"training.compare: {error}", file=sys.stderr)
        return WRONG_USAGE
    here = processor.here().label
    print(markdown(options.reference, own, found, here))
    if options.json:
        today = datetime.now(UTC).date().isoformat()
        kept = records(runners, reference, found, options.precision, here, today)
        measured.add_times(kept, options.json)
        if len(kept) < len(found):
            print("training.compare: files without a name here and disturbed times are not kept.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
