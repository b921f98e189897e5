"""Runs a plan, one configuration after the other, and yields each outcome at once."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from converters.artifact import Artifact, Failure, Spec
from devices import job as jobs
from devices.contract import Job, MeasurementFailed, Prefetchable, Result, Runner
from devices.data import Data
from devices.fleet import DeviceJoined, Fleet, JobEnded, JobStarted
from devices.plan import Plan, Task, Weights
from devices.repeats import repeated
from devices.started import StartedProcesses
from models.scratch import scratch

if TYPE_CHECKING:
    from evaluation.labels import LabelScore
    from evaluation.score import Score

T = TypeVar("T")

NO_LABELS = "{network} gives labels, and those are not supported on {device} yet; the desktop measures it"

Made = Mapping[Spec, Artifact | Failure]


@dataclass(frozen=True)
class Started:
    """A configuration is about to be measured. Until its Outcome, nothing else may use the machine."""

    task: Task


@dataclass(frozen=True)
class Outcome:
    """The outcome of a configuration: a result with its score, or the reason why there is none."""

    task: Task
    artifact: Artifact | None = None
    result: Result | None = None
    score: Score | None = None
    labels: LabelScore | None = None
    """Of a network with labels, where the data tell them."""
    reason: str | None = None
    position: int = 0
    """How many configurations were measured before it, in this process."""
    retries: int = 0
    """How often its device was tried again."""


@dataclass(frozen=True)
class DeviceAdded:
    """A device of a fleet joined; `configurations` is by how many the number to measure grows."""

    name: str
    configurations: int


Event = Started | Outcome | DeviceAdded


@dataclass(frozen=True)
class Share:
    """One device's part of a run; `here` is a device that computes on this machine."""

    plan: Plan
    tasks: Sequence[Task]
    runner: Callable[[], Runner | Fleet]
    data: Data
    emulated: Collection[str] = ()
    here: bool = False


def run_all(shares: Sequence[Share], made: Made) -> Iterator[tuple[Share, Event]]:
    """The events of several devices. Those that compute elsewhere go on at once, each by itself; then those here, in
    turn: judging the others' masks would disturb what is timed here."""

    def one(share: Share) -> Iterator[tuple[Share, Event]]:
        if share.tasks:
            events = measure(share.tasks, share.plan, made, share.runner(), share.data, share.emulated)
            yield from ((share, event) for event in events)

    yield from _together([one(share) for share in shares if not share.here])
    for share in shares:
        if share.here:
            yield from one(share)


def _together(devices: Sequence[Iterator[T]]) -> Iterator[T]:
    """What several iterators give, as it comes; each goes on by itself, in a thread of its own.

    What one does, or fails to do, holds up none of the others. A fault of ours in one of them ends them all.
    """
    told: queue.SimpleQueue[T | BaseException | None] = queue.SimpleQueue()
    started = StartedProcesses()
    stopped = threading.Event()

    def follow(events: Iterator[T]) -> None:
        try:
            for event in events:
                told.put(event)
                if stopped.is_set():
                    break
        except BaseException as fault:
            told.put(fault)
        finally:
            told.put(None)

    for events in devices:
        threading.Thread(target=follow, args=(events,), daemon=True).start()
    try:
        going = len(devices)
        while going:
            event = told.get()
            if isinstance(event, BaseException):
                raise event
            if event is None:
                going -= 1
            else:
                yield event
    finally:
        stopped.set()
        if going:
            started.kill()


def measure(
    tasks: Sequence[Task], plan: Plan, made: Made, runner: Runner | Fleet, data: Data, emulated: Collection[str] = ()
) -> Iterator[Event]:
    """Measure `tasks` in the order given, those in `emulated` formats last; a failure ends its configuration alone.

    Each configuration gives Started, and later its Outcome. A timed configuration has the machine to itself: the
    consumer works between configurations, while a Prefetchable runner prepares the next one. Emulated configurations
    are not timed, so as many run at once as there are processors. Each device of a fleet measures all tasks, and each
    Outcome's configuration has the device's name.
    """
    timed = [task for task in tasks if task.config.format not in emulated]
    untimed = [task for task in tasks if task.config.format in emulated]
    with scratch("bench") as folder:
        every = (data, *data.beside)
        frames = {d.sha256: jobs.write_frames(folder / f"frames-{i}.u8", d.frames) for i, d in enumerate(every)}

        takes_labels = getattr(runner, "takes_labels", False)

        def ask(task: Task) -> Job | Outcome:
            its = data.for_task(task)
            if task.labels and not takes_labels:
                return Outcome(task, reason=NO_LABELS.format(network=task.config.variant, device=task.config.device))
            return _ask(task, plan, made, its, frames[its.sha256])

        def judge(task: Task, told: Result | MeasurementFailed) -> Outcome:
            return _judge(task, made, told, data.for_task(task))

        if isinstance(runner, Fleet):
            yield from _on_each(runner, tasks, ask, judge)
            return

        def one(position: int, task: Task) -> Outcome:
            asked = ask(task)
            if isinstance(asked, Outcome):
                return replace(asked, position=position)
            try:
                told: Result | MeasurementFailed = repeated(runner.run, asked)
            except MeasurementFailed as failure:
                told = failure
            except OSError as error:  # A full disk, or a folder that is gone.
                told = MeasurementFailed(f"this machine could not measure it: {error}")
            for following in timed[position + 1 : position + 2]:
                expect(following)
            return replace(judge(task, told), position=position)

        def expect(task: Task) -> None:
            if isinstance(runner, Prefetchable) and not isinstance(asked := ask(task), Outcome):
                runner.prefetch(asked)

        try:
            for position, task in enumerate(timed):
                yield Started(task)
                yield one(position, task)
            yield from _side_by_side(one, list(enumerate(untimed, len(timed))))
        finally:
            if isinstance(runner, Prefetchable):
                runner.close()


def _side_by_side(one: Callable[[int, Task], Outcome], waiting: list[tuple[int, Task]]) -> Iterator[Event]:
    running: set[Future[Outcome]] = set()
    started = StartedProcesses()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            while waiting or running:
                while waiting and len(running) < (os.cpu_count() or 1):
                    position, task = waiting.pop(0)
                    running.add(pool.submit(one, position, task))
                    yield Started(task)
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BaseException:
            # The pool waits for its threads, and they for their workers.
            started.kill()
            raise


def _on_each(
    fleet: Fleet,
    tasks: Sequence[Task],
    ask: Callable[[Task], Job | Outcome],
    judge: Callable[[Task, Result | MeasurementFailed], Outcome],
) -> Iterator[Event]:
    asked: list[tuple[Task, Job]] = []
    for task in tasks:
        question = ask(task)
        if isinstance(question, Outcome):
            yield Started(task)
            yield question
        else:
            asked.append((task, question))
    if not asked:
        return

    def on(name: str, index: int) -> Task:
        task = asked[index][0]
        return replace(task, config=replace(task.config, device=f"{task.config.device}:{name}"))

    more = 0
    try:
        for event in fleet.run_all([job for _, job in asked]):
            match event:
                case DeviceJoined(name):
                    yield DeviceAdded(name, more)
                    more = len(asked)
                case JobStarted(name, index):
                    yield Started(on(name, index))
                case JobEnded(name, index, told):
                    yield replace(judge(on(name, index), told), position=index)
    except MeasurementFailed as reason:
        yield from (judge(task, reason) for task, _ in asked)


def lacking(task: Task, made: Artifact | Failure | None) -> str | None:
    """Why there is nothing to run, where there is no checkpoint or no artifact."""
    if not task.possible:
        return f"{task.config.variant} has no checkpoint yet; train.py makes one"
    return made.reason if isinstance(made, Failure) else None


def _ask(task: Task, plan: Plan, made: Made, data: Data, frames: Path) -> Job | Outcome:
    """The job for a runner; an Outcome when there is nothing to measure."""
    artifact = made[task.spec] if task.spec else None
    if reason := lacking(task, artifact):
        return Outcome(task, reason=reason)
    assert not isinstance(artifact, Failure)
    if artifact and artifact.parity and artifact.parity.tolerance_exceeded:
        return Outcome(task, artifact, reason=artifact.parity.tolerance_exceeded)
    model = artifact.path if artifact else cast(Weights, task.weights).path
    return Job(task.config, model, frames, data.sequences, plan.options.counts, task.reference)


def _judge(task: Task, made: Made, told: Result | MeasurementFailed, data: Data) -> Outcome:
    """The outcome of a runner's result or failure. Pictures that are gone meanwhile are a failure too."""
    from evaluation.pictures import Unusable
    from evaluation.score import score, score_labels, without_bars

    artifact = cast(Artifact, made[task.spec]) if task.spec else None
    if isinstance(told, MeasurementFailed):
        return Outcome(task, artifact, reason=str(told), retries=told.retries)
    try:
        if data.resize_mode == "letterbox":
            told = replace(told, masks=without_bars(told.masks, data.footage))
        labels = None
        if told.labels is not None:
            labels = score_labels(told.labels, data.footage, task.labels, data.resize_mode)
        return Outcome(task, artifact, told, score(told.masks, data.footage), labels, retries=told.retries)
    except (OSError, Unusable) as error:
        return Outcome(task, artifact, reason=f"its masks could not be judged: a picture {error}")
