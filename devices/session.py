"""A measurement from plans to outcomes. The caller stores and shows them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Protocol

from converters.artifact import Artifact, Failure
from devices import instructions, run
from devices.data import Data, excerpt, prepare
from devices.plan import Plan, Task, identity, shuffled

SHOWN = 6
"""Configurations that a sentence names before it counts the rest."""

if TYPE_CHECKING:
    from converters.build import Event
    from devices.select import Attached
    from evaluation.clip import Dataset


class Listener(Protocol):
    """Receives the progress of a measurement. It does no work while a configuration is timed."""

    def say(self, line: str) -> None: ...

    def stage(self, name: str, steps: int) -> None:
        """A stage of so many steps begins."""
        ...

    def step(self, what: str) -> None:
        """This is being done now."""
        ...

    def more(self, line: str, steps: int) -> None:
        """The stage becomes longer, and why."""
        ...

    def done(self, line: str = "") -> None:
        """A step has ended."""
        ...

    def convert(self, event: Event) -> None:
        """The listener of `converters.build.build`."""
        ...


def measure(
    parts: Iterable[tuple[Plan, Attached]],
    footage: Dataset,
    seed: int,
    finished: Collection[str | None],
    listener: Listener,
    frames: int | None = None,
) -> Iterator[tuple[run.Share, run.Outcome]]:
    """Convert what the plans need, count its ARM instructions, and measure in an order drawn by `seed`.

    Each configuration gives an outcome as soon as it is there; what `finished` holds the identity of
    (`devices.plan.identity`) is not measured again. `frames` bounds how many are judged.
    """
    from converters.build import build
    from converters.references import bring

    parts = list(parts)
    specs = list(dict.fromkeys(spec for plan, _ in parts for spec in plan.specs))
    listener.stage("convert", len(specs))
    made = build(specs, listener.convert)
    tasks = [task for plan, _ in parts for task in plan.tasks]
    made |= {task.spec: bring(task.reference, task.spec) for task in tasks if task.reference and task.spec}
    shares = []
    for plan, target in parts:
        few = frames or target.frames
        data = prepare(excerpt(footage, few) if few else footage, plan.tasks)
        todo = shuffled(remaining(plan, made, data, finished), seed)
        shares.append(run.Share(plan, todo, target.runner, data, target.emulated, target.here))
    _count([made[task.spec] for share in shares for task in share.tasks if task.spec], listener)
    if kept := [task for plan, _ in parts for task in plan.tasks if all(task not in share.tasks for share in shares)]:
        listener.say(told(kept))
    listener.stage("measure", sum(len(share.tasks) for share in shares))
    for share, event in run.run_all(shares, made):
        if isinstance(event, run.Started):
            listener.step(event.task.config.name)
        elif isinstance(event, run.DeviceAdded):
            listener.more(f"{event.name} takes part.", event.configurations)
        else:
            yield share, event


def told(kept: Sequence[Task]) -> str:
    """Which configurations are taken from the rows of before, in a sentence."""
    names = [task.config.name for task in kept]
    listed = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return f"Kept from before, not measured again: {listed}."


def remaining(plan: Plan, made: run.Made, data: Data, finished: Collection[str | None]) -> list[Task]:
    """The tasks without a finished measurement; `finished` holds the identities of finished ones."""
    counts = asdict(plan.options.counts)

    def known(task: Task) -> str:
        artifact = made[task.spec] if task.spec else None
        measured = artifact.key if isinstance(artifact, Artifact) else "" if task.spec else task.source_sha
        return identity(measured, task.config, counts, data.for_task(task).sha256)

    return [task for task in plan.tasks if known(task) not in finished]


def _count(made: Iterable[Artifact | Failure], listener: Listener) -> None:
    """Count the ARM instructions of the TFLite artifacts that are to be measured, before a clock runs on this machine.

    `devices.instructions.known` finds the counts where they are kept. What cannot be counted is said, and costs no
    configuration.
    """
    names: dict[instructions.Model, str]
    names = {a.path: a.spec.name for a in made if isinstance(a, Artifact) and a.spec.format == "tflite"}
    if names and (reason := instructions.available()):
        listener.say(reason)
        return
    absent = [(p, core) for p in names for core in instructions.CORES if instructions.cached(p, core) is None]
    if not absent:
        return
    listener.stage("count", len(absent))
    reasons: set[str] = set()
    for path, core, found in instructions.count_all(absent):
        what = f"ARM instructions of {names[path]} on {core}"
        if isinstance(found, int):
            listener.done(f"counted {what}")
        else:
            listener.done("" if str(found) in reasons else f"not counted: {what}: {found}.")
            reasons.add(str(found))
