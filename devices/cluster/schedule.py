"""Who does what, and what happens after a loss: pure functions of what waits, what runs and which hosts there are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

DESKTOP = "desktop"
DESKTOP_RESOURCE = "desktop-cpu"
"""Ray's name of a host's own processor as a device. A phone's resource has the phone's name."""

ATTEMPTS = 3
"""Hosts that may fail a piece of work before it fails."""


@dataclass(frozen=True)
class Host:
    """A host that was accepted: `id` is Ray's of its node, `devices` are names that `devices.select` knows there."""

    id: str
    name: str
    cpus: int
    devices: frozenset[str] = frozenset()
    processor: str = ""


@dataclass(frozen=True)
class Work:
    """A conversion, or the measurement of one configuration on `device`. `key` tells it from all others."""

    key: int
    device: str | None = None
    threads: int = 1
    tried: tuple[str, ...] = ()
    """Hosts that were lost with it."""

    def processors(self, host: Host) -> int:
        """How many of the host's it occupies: all while the desktop is timed, so that nothing else runs there."""
        return host.cpus if self.device == DESKTOP else 1

    def fits(self, host: Host) -> bool:
        """Whether the host can ever do it."""
        needed = self.threads if self.device == DESKTOP else 1
        return host.cpus >= needed and (self.device is None or self.device in host.devices)


Running = tuple[Work, Host]


def assign(waiting: Iterable[Work], hosts: Sequence[Host], running: Iterable[Running]) -> list[Running]:
    """What to start now, and where.

    Phones first, then conversions, each where most processors are free and, after a loss, on another host if there is
    one. A desktop is timed when no conversion waits and nothing runs on its host. A device does one thing at a time.
    """
    free = {host.id: host.cpus for host in hosts}
    busy: set[tuple[str, str | None]] = set()
    for work, host in running:
        if host.id in free:
            free[host.id] -= work.processors(host)
            busy.add((host.id, work.device))
    with_device: dict[str | None, list[Host]] = defaultdict(list, {None: list(hosts)})
    for host in hosts:
        for device in host.devices:
            with_device[device].append(host)

    def place(work: Work) -> Host | None:
        open_ = [
            host
            for host in with_device[work.device]
            if work.fits(host)
            and free[host.id] >= work.processors(host)
            and (work.device is None or (host.id, work.device) not in busy)
        ]
        return min(open_, key=lambda host: (host.id in work.tried, -free[host.id], host.name), default=None)

    given: list[Running] = []
    full: set[tuple[str | None, int]] = set()
    for work in sorted(waiting, key=_turn):
        kind = work.device, work.threads
        if kind in full or (work.device == DESKTOP and (None, 1) in full):
            continue
        if taken := place(work):
            given.append((work, taken))
            free[taken.id] -= work.processors(taken)
            busy.add((taken.id, work.device))
        else:
            full.add(kind)
    return given


def _turn(work: Work) -> int:
    return {None: 1, DESKTOP: 2}.get(work.device, 0)


def stranded(waiting: Iterable[Work], hosts: Sequence[Host]) -> list[Work]:
    """What none of the hosts can ever do."""
    can: dict[tuple[str | None, int], bool] = {}
    for work in (waiting := list(waiting)):
        if (kind := (work.device, work.threads)) not in can:
            can[kind] = any(map(work.fits, hosts))
    return [work for work in waiting if not can[work.device, work.threads]]


def after_loss(work: Work, host: Host) -> Work | None:
    """The work to try again, on another host if there is one; None when it was tried often enough."""
    again = replace(work, tried=(*work.tried, host.id))
    return again if len(again.tried) < ATTEMPTS else None


def without(host: Host, device: str) -> Host:
    """The host when its device has gone."""
    return replace(host, devices=host.devices - {device})


def devices_of(resources: Mapping[str, float], known: Iterable[str]) -> frozenset[str]:
    """The devices that a node's resources name; `known` are the names of the catalog."""
    phones = {name for name in resources if name in set(known) or name.startswith(("adb:", "ios:"))}
    return frozenset(phones | ({DESKTOP} if DESKTOP_RESOURCE in resources else set()))


def resource_of(device: str) -> str:
    return DESKTOP_RESOURCE if device == DESKTOP else device


def timed_processor(hosts: Iterable[Host]) -> str | None:
    """The kind of processor whose desktops are timed: that of most hosts with one; None where there is no desktop."""
    kinds = Counter(host.processor for host in sorted(hosts, key=lambda host: host.name) if DESKTOP in host.devices)
    return kinds.most_common(1)[0][0] if kinds else None


def comparable(host: Host, processor: str | None) -> tuple[Host, str | None]:
    """The host without its desktop, and a sentence, where its frame times are of another kind of processor."""
    if DESKTOP not in host.devices or processor in (None, host.processor):
        return host, None
    words = f"{host.name} converts and its desktop is not timed: it has {host.processor}, the others {processor}."
    return without(host, DESKTOP), words
