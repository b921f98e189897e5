"""What a host does for the driver, each function as a task of Ray. What travels is small, or is a parcel."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import ray

from converters import processor
from converters.artifact import Artifact, Failure, Spec
from converters.build import build, proven_here
from converters.cache import Cache, files
from devices import instructions, run
from devices.cluster import versions
from devices.cluster.parcel import Parcel, Sent, land, pack
from devices.contract import Counts
from devices.data import Data, excerpt, prepare_one
from devices.plan import Plan, Task
from devices.select import NotAttached, select
from evaluation import folder, sample


@dataclass(frozen=True)
class Where:
    """Where an outcome is from: a host and its processor, empty where no host gave it; `instructions` as of `Made`."""

    host: str = ""
    processor: str = ""
    instructions: Mapping[str, int | str] = field(default_factory=dict)


Keep = Callable[[run.Outcome, Counts, Data, Where], Any]
"""Makes what is kept of an outcome: a row."""


@dataclass(frozen=True)
class Lost:
    """Work that this host could not do, and another may; `device_gone`: its device is not attached here any more."""

    reason: str
    device_gone: bool = False


@dataclass(frozen=True)
class Made:
    """An artifact with its files, and its ARM instructions where they could be counted."""

    artifact: Artifact
    parcel: Parcel
    instructions: dict[str, int | str]


@dataclass(frozen=True)
class DataOrder:
    """Which frames are judged: all or `frames` of a folder's, or of the embedded sample's where nothing is sent."""

    folder: Sent | None
    frames: int | None
    sha256: str
    """`Data.sha256`: frames and truth as the driver has them."""


@dataclass(frozen=True)
class Order:
    """One configuration to measure. `artifact`'s path is the driver's; `model` and `weights` bring the files."""

    task: Task
    plan: Plan
    artifact: Artifact | None
    model: Sent | None
    weights: Sent | None
    data: DataOrder
    position: int
    where: Where


def describe() -> dict[str, Any]:
    """This host's versions, processor and niceness, in plain types: a host of another version has other classes."""
    return vars(versions.here()) | {"processor": processor.here().label, "niceness": os.nice(0)}


def convert(spec: Spec, weights: Sent) -> Made | Failure | Lost:
    """The artifact, from this host's cache or made now."""
    try:
        here = replace(spec, checkpoint=land(weights, ray.get))
        artifact = build([here])[here]
        if isinstance(artifact, Failure):
            return replace(artifact, spec=spec)
        parcel = pack(artifact.path, files(artifact.path))
    except OSError as error:
        return Lost(f"this host could not keep it: {error}")
    return Made(replace(artifact, spec=spec), parcel, _counted(artifact))


def measure(order: Order, keep: Keep) -> Any | Lost:
    """What `keep` makes of the measurement of one configuration on a device of this host."""
    device = order.task.config.device
    try:
        found = select(device)
        if isinstance(found, NotAttached):
            return Lost(found.looked_for, device_gone=True)
        task, made = _landed(order)
        data = _data(order.data, task)
        events = list(run.measure([task], order.plan, made, found.runner(), data, found.emulated))
    except OSError as error:
        return Lost(f"this host could not measure it: {error}")
    outcome = next(event for event in events if isinstance(event, run.Outcome))
    # The words alone do not tell whether the phone failed or has gone.
    if outcome.result is None and isinstance(select(device), NotAttached):
        return Lost(outcome.reason or "", device_gone=True)
    told = replace(outcome, position=order.position)
    where = replace(order.where, processor=processor.here().label)
    return keep(told, order.plan.options.counts, data, where)


def receive(artifact: Artifact, parcel: Callable[[], Parcel]) -> Artifact:
    """A converted artifact in this host's cache, fetched where it is not there."""
    cache = Cache.default()
    if found := cache.find(artifact.key, artifact.spec):
        return found
    with cache.workshop() as workshop:
        return cache.publish(workshop, replace(artifact, path=parcel().write(workshop)))


def _landed(order: Order) -> tuple[Task, run.Made]:
    """The task, and the artifact that it runs, with paths of this host."""
    task, artifact = order.task, order.artifact
    if task.weights and order.weights:
        task = replace(task, weights=replace(task.weights, path=land(order.weights, ray.get)))
        if task.spec and task.weights:
            task = replace(task, spec=replace(task.spec, checkpoint=task.weights.path))
    if artifact is None or task.spec is None:
        return task, {}
    assert order.model
    artifact = replace(artifact, spec=task.spec)
    if task.reference:
        return task, {task.spec: replace(artifact, path=land(order.model, ray.get))}
    reference = order.model.reference
    here = receive(artifact, lambda: ray.get(reference))
    return task, {task.spec: here if proven_here(here) else build([task.spec])[task.spec]}


def _data(order: DataOrder, task: Task) -> Data:
    name = (order.folder.sha256 if order.folder else "", order.frames, task.config.resolution, task.resize_mode)
    if name not in _PREPARED:
        _PREPARED.clear()
        footage = folder.read(land(order.folder, ray.get)) if order.folder else sample.embedded()
        chosen = excerpt(footage, order.frames) if order.frames else footage
        _PREPARED[name] = prepare_one(chosen, task.config.resolution, task.resize_mode)
    if _PREPARED[name].sha256 != order.sha256:
        raise OSError("its data set is not the driver's: frames or masks differ")
    return _PREPARED[name]


_PREPARED: dict[tuple[Any, ...], Data] = {}
"""What the last measurement in this process was judged on: Ray gives one process many tasks."""


def _counted(artifact: Artifact) -> dict[str, int | str]:
    """ARM instructions of a TFLite artifact, counted now where they are not kept; empty where they cannot be."""
    if artifact.spec.format != "tflite" or instructions.available():
        return {}
    for _ in instructions.count_all((artifact.path, core) for core in instructions.CORES):
        pass
    return instructions.known(artifact.path)
