"""The driver of a run on a cluster: it hands out the work, takes back rows, and outlives the hosts.

Nothing is kept here that rows.jsonl and the cache of artifacts do not have: a driver that was killed goes on from them.
"""

from __future__ import annotations

import functools
import logging
import os
import socket
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from converters.artifact import Artifact, Failure, Spec
from converters.build import cached
from converters.cache import files
from converters.child import last_line
from converters.references import bring
from devices.catalog import phones
from devices.cluster import host as remote
from devices.cluster import versions
from devices.cluster.host import DataOrder, Lost, Made, Order, Where
from devices.cluster.parcel import Sent, pack, pack_folder
from devices.cluster.schedule import (
    DESKTOP,
    Host,
    Work,
    after_loss,
    assign,
    comparable,
    devices_of,
    resource_of,
    stranded,
    timed_processor,
    without,
)
from devices.data import Data, excerpt, prepare
from devices.plan import Plan, Task, shuffled
from devices.run import Outcome, lacking
from devices.session import Listener, remaining, told

if TYPE_CHECKING:
    from evaluation.clip import Dataset

WAIT_SECONDS = 2.0
"""The driver sleeps so long, or until a task ends; then it looks for hosts that joined or left."""

CONNECT_SECONDS = 10.0
"""For the cluster's port to answer."""

JOIN_SECONDS = 120.0
"""For the hosts that are there at the start to answer. Each starts Python first."""

Say = Callable[[str], None]


class NoCluster(ValueError):
    """There is no cluster to join; the text says what to do, in a sentence."""


def _reach(address: str) -> None:
    """OSError within CONNECT_SECONDS where nothing answers at HOST:PORT: Ray itself tries for minutes."""
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()


class Cluster:
    """A connection to Ray, and the hosts that were accepted: those with this checkout's versions."""

    def __init__(self, address: str, say: Say) -> None:
        try:
            _reach(os.environ.get("RAY_ADDRESS", "auto") if address == "auto" else address)
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
        except (OSError, RuntimeError, ValueError, RayError) as error:
            advice = "join this host with the line of `bench.py devices --ray-resources`"
            reason = getattr(error, "strerror", None) or last_line(str(error))
            raise NoCluster(f"no cluster of Ray at {address}: {reason}; {advice}") from None
        self.say, self.ours = say, versions.here()
        self.hosts: dict[str, Host] = {}
        self.processor: str | None = None
        """The kind whose desktops are timed; None until the first measurement."""
        self._asked: dict[Any, dict[str, Any]] = {}
        self._refused: set[str] = set()

    def join_all(self) -> None:
        """Ask every host that is there, and wait for the answers."""
        end = time.monotonic() + JOIN_SECONDS
        self.look()
        while self._asked and time.monotonic() < end:
            ray.wait(list(self._asked), timeout=WAIT_SECONDS)
            self.look()

    @property
    def asking(self) -> bool:
        """Whether a host may still be accepted."""
        return bool(self._asked)

    def look(self) -> None:
        """Ask hosts that joined, take the answers of those that were asked, and forget those that left."""
        nodes = {node["NodeID"]: node for node in ray.nodes() if node["Alive"]}
        self.hosts = {id: host for id, host in self.hosts.items() if id in nodes}
        asked = {node["NodeID"] for node in self._asked.values()}
        for id in nodes.keys() - self.hosts.keys() - asked - self._refused:
            self._asked[_on(id, remote.describe, 0).remote()] = nodes[id]
        answered, _ = ray.wait(list(self._asked), num_returns=len(self._asked), timeout=0) if self._asked else ([], [])
        for reference in answered:
            node = self._asked.pop(reference)
            if node["NodeID"] in nodes:
                self._answered(node, reference)

    def _answered(self, node: dict[str, Any], reference: Any) -> None:
        id, name = node["NodeID"], _name(node)
        try:
            answer = ray.get(reference)
        except RayError as error:
            self._refused.add(id)
            advice = "start Ray there with the line of its `bench.py devices --ray-resources`"
            self.say(f"{name} is not used: it cannot run this project ({last_line(str(error))}); {advice}.")
            return
        theirs = versions.Versions(answer.get("code", {}), answer.get("packages", {}))
        if difference := versions.differ(theirs, self.ours):
            self._refused.add(id)
            self.say(f"{name} is not used: it {difference}.")
            return
        resources = node["Resources"]
        devices = devices_of(resources, phones())
        host = Host(id, name, int(resources.get("CPU", 0)), devices, answer["processor"])
        if DESKTOP in devices and answer["niceness"] > 0:
            # Ray's default is 15: what is timed would give way to everything else.
            host = without(host, DESKTOP)
            self.say(f"{name}'s desktop is not timed: start Ray there with RAY_worker_niceness=0.")
        host, words = comparable(host, self.processor)
        self.hosts[id] = host
        if words:
            self.say(words)

    def time_one_processor(self, wanted: str | None) -> None:
        """Time the desktops of one kind of processor: `wanted`, that of rows of before, or else that of most hosts."""
        self.processor = wanted or timed_processor(self.hosts.values())
        for id, found in self.hosts.items():
            self.hosts[id], words = comparable(found, self.processor)
            if words:
                self.say(words)

    def has(self, device: str) -> bool:
        return any(device in host.devices for host in self.hosts.values())


def _name(node: dict[str, Any]) -> str:
    """What a host is called: the name it was started with, or its own; Ray's default is its address."""
    given = node["NodeName"]
    return str(node["NodeManagerHostname"] if given in ("", node["NodeManagerAddress"]) else given)


@functools.cache
def _task(function: Callable[..., Any]) -> Any:
    return ray.remote(function)


def _on(node: str, function: Callable[..., Any], cpus: int, resources: dict[str, float] | None = None) -> Any:
    """The function as a task for one node. Trying again is for `schedule` to decide."""
    here = NodeAffinitySchedulingStrategy(node, soft=False)
    return _task(function).options(num_cpus=cpus, resources=resources or {}, scheduling_strategy=here, max_retries=0)


@dataclass(frozen=True)
class Asked:
    """What a run is to measure: plans, each with the number of frames that are judged (None: all), on `footage`."""

    parts: Sequence[tuple[Plan, int | None]]
    footage: Dataset
    folder: Path | None
    """Of the data set; None is the embedded sample."""
    seed: int
    finished: Collection[str | None]
    """As of `devices.session.measure`."""


@dataclass(frozen=True, eq=False)
class _Wanted:
    task: Task
    plan: Plan
    data: Data
    order: DataOrder


def measure(cluster: Cluster, asked: Asked, keep: remote.Keep, listener: Listener) -> Iterator[Any]:
    """What `keep` makes of each configuration, as it comes; those in `finished` are not measured again.

    Each configuration gives one row, whatever happens to hosts: it is tried on up to `schedule.ATTEMPTS`, and fails
    with the reason after that, or where no host has its device any more.
    """
    yield from _Dispatcher(cluster, asked, keep, listener).rows()


@dataclass
class _Dispatcher:
    cluster: Cluster
    asked: Asked
    keep: remote.Keep
    listener: Listener
    made: dict[Spec, Artifact | Failure] = field(default_factory=dict)
    instructions: dict[str, dict[str, int | str]] = field(default_factory=dict)
    """Artifact's key -> counts that a host made, which this one may be unable to keep."""
    waiting: dict[int, Work] = field(default_factory=dict)
    running: dict[Any, tuple[Work, Host]] = field(default_factory=dict)
    pieces: list[Spec | _Wanted] = field(default_factory=list)
    """What a `Work.key` stands for."""
    sent: dict[Path, Sent] = field(default_factory=dict)
    rows_by: Counter[str] = field(default_factory=Counter)
    positions: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    last_loss: dict[str | None, str] = field(default_factory=dict)

    def rows(self) -> Iterator[Any]:
        ready = self._prepare()
        yield from (row for wanted in ready for row in self._release(wanted))
        while self.waiting or self.running:
            for work, host in assign(self.waiting.values(), list(self.cluster.hosts.values()), self.running.values()):
                self._start(self.waiting.pop(work.key), host)
            if not self.cluster.asking:
                for work in stranded(self.waiting.values(), list(self.cluster.hosts.values())):
                    del self.waiting[work.key]
                    yield from self._failed(work, self._nowhere(work))
            ended: list[Any] = []
            if self.running:
                ended, _ = ray.wait(list(self.running), timeout=WAIT_SECONDS)
            elif self.waiting:
                time.sleep(WAIT_SECONDS)
            for reference in ended:
                yield from self._ended(reference)
            self.cluster.look()

    def _prepare(self) -> list[_Wanted]:
        """Queue what is to be converted; return what needs no conversion, in a random order."""
        specs = list(dict.fromkeys(spec for plan, _ in self.asked.parts for spec in plan.specs))
        self.made |= cached(specs)
        self.wanted: list[_Wanted] = []
        folder = self.asked.folder
        sent = self._send(lambda: pack_folder(folder), folder) if folder else None
        for plan, frames in self.asked.parts:
            data = prepare(excerpt(self.asked.footage, frames) if frames else self.asked.footage, plan.tasks)
            for task in shuffled(plan.tasks, self.asked.seed):
                its = data.for_task(task)
                self.wanted.append(_Wanted(task, plan, its, DataOrder(sent, frames, its.sha256)))
                if task.reference and task.spec and task.spec not in self.made:
                    self.made[task.spec] = bring(task.reference, task.spec)
        convert = [spec for spec in specs if spec not in self.made]
        ready = [wanted for wanted in self.wanted if wanted.task.spec is None or wanted.task.spec in self.made]
        kept = [wanted for wanted in ready if self._finished(wanted)]
        if kept:
            self.listener.say(told([wanted.task for wanted in kept]))
        self.listener.stage("cluster", len(convert) + len(self.wanted) - len(kept))
        for spec in convert:
            self._queue(spec)
        return [wanted for wanted in ready if wanted not in kept]

    def _finished(self, wanted: _Wanted) -> bool:
        one = replace(wanted.plan, tasks=(wanted.task,))
        return not remaining(one, self.made, wanted.data, self.asked.finished)

    def _queue(self, piece: Spec | _Wanted) -> None:
        key = len(self.pieces)
        self.pieces.append(piece)
        config = piece.task.config if isinstance(piece, _Wanted) else None
        self.waiting[key] = Work(key, config.device, config.threads) if config else Work(key)

    def _release(self, wanted: _Wanted) -> Iterator[Any]:
        """Queue a configuration whose artifact is decided; its row where there is nothing to measure."""
        task = wanted.task
        made = self.made[task.spec] if task.spec else None
        if reason := lacking(task, made):
            yield self._row(wanted, Outcome(task, reason=reason))
        else:
            self._queue(wanted)

    def _start(self, work: Work, host: Host) -> None:
        piece = self.pieces[work.key]
        if isinstance(piece, Spec):
            task = _on(host.id, remote.convert, 1)
            reference = task.remote(piece, self._send_file(piece.checkpoint))
        else:
            assert work.device
            task = _on(host.id, remote.measure, work.processors(host), {resource_of(work.device): 1.0})
            reference = task.remote(self._order(piece, host), self.keep)
        self.running[reference] = work, host

    def _order(self, wanted: _Wanted, host: Host) -> Order:
        task = wanted.task
        made = self.made[task.spec] if task.spec else None
        artifact = made if isinstance(made, Artifact) else None
        at = host.id, task.config.device
        self.positions[at] += 1
        return Order(
            task,
            replace(wanted.plan, tasks=()),
            artifact,
            self._send(lambda: pack(artifact.path, files(artifact.path)), artifact.path) if artifact else None,
            self._send_file(task.weights.path) if task.weights else None,
            wanted.order,
            self.positions[at] - 1,
            Where(host.name, instructions=self.instructions.get(artifact.key, {}) if artifact else {}),
        )

    def _send_file(self, path: Path) -> Sent:
        return self._send(lambda: pack(path, [path]), path)

    def _send(self, packed: Callable[[], Any], path: Path) -> Sent:
        """The parcel of what is at `path`, put into the object store once."""
        if path not in self.sent:
            parcel = packed()
            self.sent[path] = Sent(parcel.sha256, ray.put(parcel))
        return self.sent[path]

    def _ended(self, reference: Any) -> Iterator[Any]:
        work, host = self.running.pop(reference)
        try:
            told = ray.get(reference)
        except RayTaskError as fault:  # of ours, and the same on every host
            self.listener.say(str(fault))
            yield from self._failed(work, f"an error of this program on {host.name}: {last_line(str(fault))}")
            return
        except RayError as fault:
            # Whether the host has died or one process there, an answer of it says: until then it is given nothing.
            self.cluster.hosts.pop(host.id, None)
            told = Lost(f"{host.name} was lost: {last_line(str(fault))}")
        if isinstance(told, Lost):
            yield from self._lost(work, host, told)
        elif isinstance(self.pieces[work.key], Spec):
            yield from self._converted(self.pieces[work.key], told, host)
        else:
            self.rows_by[host.name] += 1
            yield told
            self.listener.step(", ".join(f"{name} {count}" for name, count in sorted(self.rows_by.items())))

    def _lost(self, work: Work, host: Host, lost: Lost) -> Iterator[Any]:
        self.last_loss[work.device] = f"{host.name}: {lost.reason}"
        if lost.device_gone and work.device and (known := self.cluster.hosts.get(host.id)):
            self.cluster.hosts[host.id] = without(known, work.device)
            self.listener.say(f"{host.name} has no {work.device} any more: {lost.reason}")
        if again := after_loss(work, host):
            self.waiting[again.key] = again
        else:
            attempts = len(work.tried) + 1
            yield from self._failed(work, f"given up after {attempts} attempts; {self.last_loss[work.device]}")

    def _nowhere(self, work: Work) -> str:
        what = f"no host of the cluster has {work.device}" if work.device else "no host of the cluster converts"
        if work.device == DESKTOP and work.threads > 1:
            what += f" with {work.threads} processors"
        loss = self.last_loss.get(work.device)
        return f"{what}; {loss}" if loss else what

    def _failed(self, work: Work, reason: str) -> Iterator[Any]:
        piece = self.pieces[work.key]
        if isinstance(piece, Spec):
            yield from self._converted(piece, Failure(piece, reason), None)
        else:
            made = self.made[piece.task.spec] if piece.task.spec else None
            artifact = made if isinstance(made, Artifact) else None
            yield self._row(piece, Outcome(piece.task, artifact, reason=reason))

    def _converted(self, spec: Any, told: Made | Failure, host: Host | None) -> Iterator[Any]:
        """Take in an artifact, and release the configurations that wait for it."""
        if isinstance(told, Made):
            self.made[spec] = remote.receive(told.artifact, lambda: told.parcel)
            self.instructions[told.artifact.key] = told.instructions
            self.listener.done(f"converted {spec.name} on {host.name if host else 'nothing'}")
        else:
            self.made[spec] = told
            self.listener.done(f"not converted: {spec.name}: {told.reason}")
        for wanted in self.wanted:
            if wanted.task.spec == spec:
                if self._finished(wanted):
                    self.listener.done(f"kept from before: {wanted.task.config.name}")
                else:
                    yield from self._release(wanted)

    def _row(self, wanted: _Wanted, outcome: Outcome) -> Any:
        """A row that no host made."""
        return self.keep(outcome, wanted.plan.options.counts, wanted.data, Where())
