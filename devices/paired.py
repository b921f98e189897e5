"""Two artifacts timed side by side in one process, in blocks: a slow minute of the machine affects both equally.

A block loads three sessions afresh: the baseline, the candidate, and the control, which is the baseline once more. It
visits them in rounds of short bursts, control A B control B A, A and B being baseline and candidate in an order that is
random and balanced over each two rounds; the control ends it. A drift that is linear in time cancels inside a round;
loading anew changes the sessions' places in memory, which could favour one of them for the life of a process.

`opened` starts the process (`python -m devices.paired FOLDER`): requests on its stdin, answers on its stdout, a JSON
line each. The caller decides whether more blocks are needed, between two requests.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from converters.child import Child, end_with_parent
from devices import job as jobs
from devices.alarm import alarm
from devices.contract import Counts, Job, MeasurementFailed, Runner
from models.scratch import scratch

if TYPE_CHECKING:
    from devices.desktop.model_loop import ModelLoop

Arm = Literal["baseline", "candidate", "control"]
BASELINE, CANDIDATE, CONTROL = "baseline", "candidate", "control"
SOURCE: dict[str, str] = {BASELINE: BASELINE, CANDIDATE: CANDIDATE, CONTROL: BASELINE}
"""Which artifact an arm runs."""

WORKER = (sys.executable, "-m", "devices.paired")
BURST = Counts(samples=3, seconds=0.002)
"""One visit. The noise is between visits, not within them: on two shared cores, over 450 rounds of a network of 3.7 ms,
the standard deviation of a round's difference (from quartiles) is 4.2 % with 3 samples per visit and 4.0 % with 8. So
many short visits are more precise than a few long ones."""
ROUND = 6
"""Visits of a round."""
BLOCK, MOST_ROUNDS = 0.9, 32
"""Seconds that a block is to last, of which the network above needs eight rounds, and the most rounds of one."""
WARM = Counts(samples=5, seconds=0.03)
"""What a session runs after it was loaded, before its first visit."""
LEAD_IN = 2
"""Runs at the start of a visit that are discarded: they fill the caches, which the other sessions used in between."""
VISIT = Counts(warm_up_seconds=1.0, samples=20, seconds=0.3)
"""A visit by a device's own runner, which is longer because each one pushes and loads the model."""
SETTLE = Counts(warm_up_least=10, warm_up_seconds=2.0)
START_SECONDS = 120.0
BLOCK_SECONDS = 60.0
"""Bounds after which a process is surely stuck."""


@dataclass(frozen=True)
class Block:
    """One block: the sessions in the order visited, and each visit's raw nanoseconds."""

    order: tuple[str, ...]
    ns: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Outputs:
    """What needs no clock: each artifact's masks (N, H, W) in [0, 1] of all frames, and where it runs."""

    masks: Mapping[str, NDArray[np.float32]]
    placement: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    """Of networks with labels, shares of 255 (N, H, W, 9)."""


def round_of(first: str, second: str) -> tuple[str, ...]:
    """The visits of a round, mirrored around its middle: baseline and candidate have the same mean time of visit."""
    return (CONTROL, first, second, CONTROL, second, first)


def order_of(index: int, seed: int, rounds: int = 1) -> tuple[str, ...]:
    """The visits of the index-th block: one of each two rounds starts with the baseline, in random order."""
    visits: list[str] = []
    for number in range(index * rounds, (index + 1) * rounds):
        heads = random.Random(f"{seed}/{number // 2}").random() < 0.5
        visits += round_of(*((BASELINE, CANDIDATE) if heads == (number % 2 == 0) else (CANDIDATE, BASELINE)))
    return (*visits, CONTROL)


def rounds_for(frame_ns: float) -> int:
    """How many rounds a block has time for."""
    seconds = ROUND * (LEAD_IN + BURST.samples) * frame_ns / 1e9
    return int(np.clip(round(BLOCK / seconds), 1, MOST_ROUNDS))


class Pair:
    """A running process, from outside. MeasurementFailed for whatever goes wrong in it."""

    def __init__(self, child: Child, folder: Path, jobs: Mapping[str, Job]) -> None:
        self.child = child
        self.folder = folder
        self.jobs = jobs
        self.taken = 0

    def run_once(self) -> Outputs:
        """Run every frame once through each artifact, untimed."""
        frames = {name: sum(job.sequences) for name, job in self.jobs.items()}
        said = self._ask({"do": "run_once"}, START_SECONDS + 2.0 * sum(frames.values()))
        masks = {
            name: jobs.check_masks(np.load(self.folder / f"{name}.npy").reshape(frames[name], *job.config.resolution))
            for name, job in self.jobs.items()
        }
        labels = {name: np.load(path) for name in self.jobs if (path := self.folder / f"{name}-labels.npy").exists()}
        return Outputs(masks, said["placement"], labels)

    def blocks(self, count: int) -> list[Block]:
        """Measure `count` more blocks."""
        asked = {"do": "blocks", "first": self.taken, "count": count}
        said = self._ask(asked, START_SECONDS + BLOCK_SECONDS * count)
        self.taken += count
        return [Block(tuple(b["order"]), tuple(tuple(ns) for ns in b["ns"])) for b in said["blocks"]]

    def _ask(self, what: Mapping[str, Any], limit: float) -> dict[str, Any]:
        with alarm(limit, self.child.kill):
            self.child.tell(json.dumps(what))
            line = self.child.stdout.readline()
        if not line:
            raise MeasurementFailed(f"the process that measures baseline and candidate {self.child.how_it_ended()}")
        return json.loads(line)


@contextmanager
def opened(baseline: Path | Job, candidate: Job, seed: int, worker: tuple[str, ...] = WORKER) -> Iterator[Pair]:
    """A process that holds baseline and candidate, each as its job says; a `baseline` that is a path runs likewise.

    The two may differ in their resolution.
    The process is bound to as many processors as the job has threads, and ends with the `with`.
    """
    if candidate.config.unit != "cpu":
        raise MeasurementFailed(f"pairs are measured on the cpu only, not on the unit {candidate.config.unit!r}")
    with scratch("pair") as temporary:
        folder = jobs.describe(temporary, candidate)
        before = _before(baseline, candidate)
        jobs.describe(folder / BASELINE, before)
        (folder / "pair.json").write_text(json.dumps({"seed": seed}))
        child = Child([*worker, str(folder)], candidate.config.threads)
        try:
            yield Pair(child, folder, {BASELINE: before, CANDIDATE: candidate})
        finally:
            child.end()


def _before(baseline: Path | Job, candidate: Job) -> Job:
    return baseline if isinstance(baseline, Job) else replace(candidate, model=baseline)


class OnDevice:
    """The same for a device that runs one job at a time: every visit is a job, in the same orders. Not yet run on one.

    Its blocks are minutes apart rather than seconds, and each visit loads its artifact anew.
    """

    def __init__(self, runner: Runner, baseline: Path | Job, candidate: Job, seed: int) -> None:
        self.runner, self.seed = runner, seed
        before = replace(_before(baseline, candidate), counts=candidate.counts)
        self.jobs = {BASELINE: before, CANDIDATE: candidate}
        self.taken = 0

    def run_once(self) -> Outputs:
        results = {name: self.runner.run(job) for name, job in self.jobs.items()}
        labels = {n: r.labels for n, r in results.items() if r.labels is not None}
        return Outputs({n: r.masks for n, r in results.items()}, {n: r.placement for n, r in results.items()}, labels)

    def blocks(self, count: int) -> list[Block]:
        made = [self._block(order_of(index, self.seed)) for index in range(self.taken, self.taken + count)]
        self.taken += count
        return made

    def _block(self, visits: tuple[str, ...]) -> Block:
        return Block(visits, tuple(self.runner.run(self.jobs[SOURCE[arm]]).model_ns for arm in visits))


@contextmanager
def on_device(runner: Runner, baseline: Path | Job, candidate: Job, seed: int) -> Iterator[OnDevice]:
    """As `opened`, through a device's own runner."""
    yield OnDevice(runner, baseline, replace(candidate, counts=VISIT), seed)


class Bench:
    """The process's inside: the jobs of both artifacts, the frames, and sessions that live for one block."""

    def __init__(self, folder: Path) -> None:
        from devices.desktop import environment
        from devices.desktop.model_loop import unrepeated
        from devices.desktop.worker import emulated, import_runtime

        self.folder = folder
        candidate = jobs.read(folder)
        if emulated(candidate.config.format):
            raise SystemExit(f"{candidate.config.format} is emulated here: it has masks and no time to compare")
        self.jobs = {CANDIDATE: candidate, BASELINE: jobs.read(folder / BASELINE)}
        self.seed = int(json.loads((folder / "pair.json").read_text())["seed"])
        self.rounds = 0
        self.cpus = environment.pin(candidate.config.threads)
        self.shown = {name: unrepeated(jobs.read_frames(job), job.sequences) for name, job in self.jobs.items()}
        import_runtime(candidate.config.format)

    def run_once(self) -> dict[str, Any]:
        from devices.desktop.placement import placement

        placed = {}
        for name, job in self.jobs.items():
            loop = self._loop(name)
            for _ in range(sum(job.sequences)):
                loop.prepare()
                loop.run()
            loop.note()
            np.save(self.folder / f"{name}.npy", loop.masks[: sum(job.sequences)])
            if loop.labels is not None:
                np.save(self.folder / f"{name}-labels.npy", loop.labels[: sum(job.sequences)])
            placed[name] = {"cpus": self.cpus, **placement(loop.session)}
        return {"placement": placed}

    def blocks(self, first: int, count: int) -> dict[str, Any]:
        return {"blocks": [asdict(self.block(index)) for index in range(first, first + count)]}

    def block(self, index: int) -> Block:
        from devices.desktop import timing

        arms = list(SOURCE)
        random.Random(f"{self.seed}/{index}").shuffle(arms)
        loops = {arm: self._loop(SOURCE[arm]) for arm in arms}
        if not self.rounds:
            timing.warm_up(loops[CONTROL], SETTLE)
            self.rounds = rounds_for(float(np.median(timing.sample(loops[CONTROL], WARM))))
        visits = order_of(index, self.seed, self.rounds)
        ns = []
        with timing.no_garbage_collection():
            for loop in loops.values():
                timing.sample(loop, WARM)
            for arm in visits:
                for _ in range(LEAD_IN):
                    loops[arm].prepare()
                    loops[arm].run()
                ns.append(timing.sample(loops[arm], BURST))
        return Block(visits, tuple(ns))

    def _loop(self, name: str) -> ModelLoop:
        """A session of baseline or candidate, loaded anew, over its own frames."""
        from devices.desktop.model_loop import ModelLoop
        from devices.open_model import load

        job = self.jobs[name]
        return ModelLoop(load(job.config, job.model, job.reference), *self.shown[name])


def main(folder: Path) -> None:
    end_with_parent()
    # Runtimes talk on stdout as they please: the protocol keeps the real one to itself.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    bench = Bench(folder)
    for line in sys.stdin:
        asked = json.loads(line)
        said = bench.run_once() if asked["do"] == "run_once" else bench.blocks(asked["first"], asked["count"])
        answers.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
