"""`--cluster`: measuring on the hosts of a cluster of Ray, and what `bench.py devices` says of one."""

from __future__ import annotations

import json
import os
import platform
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.ending import NOT_MEASURED, ROOT, WRONG_USAGE, fail
from devices.contract import Counts
from reports import rows
from reports.record import Run, identity, record
from reports.rows import Row

if TYPE_CHECKING:
    from cli.measuring import Source
    from devices.cluster.driver import Cluster
    from devices.cluster.host import Where
    from devices.cluster.schedule import Host
    from devices.data import Data
    from devices.plan import Plan
    from devices.run import Outcome
    from devices.select import Attached, NotAttached
    from evaluation.clip import Dataset
    from reports.live import Live


def join(address: str) -> Cluster:
    """The cluster at `address`, its hosts asked; of those that are refused it is said why."""
    from converters.extras import missing

    if reason := missing("ray"):
        fail(f"{reason}.", NOT_MEASURED)
    from devices.cluster.driver import Cluster, NoCluster

    try:
        cluster = Cluster(address, partial(print, file=sys.stderr))
    except NoCluster as reason:
        fail(f"{reason}.", NOT_MEASURED)
    cluster.join_all()
    return cluster


def present(cluster: Cluster, found: Sequence[Attached | NotAttached]) -> list[Attached | NotAttached]:
    """The devices of `found` that a host of the cluster has; of the others it is said. Fails when there is none."""
    from devices.catalog import phones

    for device in found:
        if device.name != "desktop" and device.name not in phones() and not device.name.startswith(("adb:", "ios:")):
            fail(f"--cluster measures desktops and phones; {device.name} is neither.", WRONG_USAGE)
    there = [device for device in found if cluster.has(device.name)]
    absent = [device.name for device in found if device not in there]
    words = f"no host of the cluster has {', '.join(absent)}; `bench.py devices --cluster` lists what they have."
    if not there:
        fail(words, NOT_MEASURED)
    if absent:
        print(f"bench.py: {words} The others are measured.", file=sys.stderr)
    return there


def on(cluster: Cluster, footage: Dataset, folder: Path | None, frames: int | None) -> Source:
    """Measuring on the cluster; `folder` is where the data set is from, `frames` bounds how many are judged."""
    from devices.cluster.driver import Asked, measure

    def source(parts: list[tuple[Plan, Attached]], run: Run, known: Sequence[Row], live: Live) -> Iterator[Row]:
        latest = rows.latest(known)
        timed = [row for row in latest if row.device == "desktop" and row.status == "ok"]
        cluster.say = live.say
        cluster.time_one_processor(next((str(row.environment.get("host_cpu")) for row in reversed(timed)), None))
        asked = Asked([(plan, frames) for plan, _ in parts], footage, folder, run.seed, set(map(identity, latest)))
        yield from measure(cluster, asked, partial(keep, run), live)

    return source


def keep(run: Run, outcome: Outcome, counts: Counts, data: Data, where: Where) -> Row:
    """The row of an outcome, with the host that it is from. Runs on that host."""
    row = record(outcome, counts, data, run)
    if where.instructions and row.artifact:
        row = replace(row, artifact={"instructions": dict(where.instructions)} | row.artifact)
    if where.host:
        row = replace(row, environment=row.environment | {"host": where.host, "host_cpu": where.processor})
    return row


def resources_line() -> str:
    """The command that joins this host, with its desktop and its phones, to a cluster."""
    from devices.catalog import phones
    from devices.cluster.schedule import DESKTOP, resource_of
    from devices.select import Attached, select, unnamed

    names = [DESKTOP, *phones(), *unnamed()]
    resources = {resource_of(name): 1 for name in names if isinstance(select(name), Attached)}
    ray = Path(sys.executable).with_name("ray")
    words = [
        f"RAY_worker_niceness=0 PYTHONPATH={shlex.quote(str(ROOT))}",
        shlex.quote(str(ray)),
        "start --address=HEAD:6379 --disable-usage-stats",
        f"--node-name={shlex.quote(platform.node())}",
        f"--num-cpus={os.cpu_count()}",
        f"--resources={shlex.quote(json.dumps(resources))}",
    ]
    return " ".join(words)


def listed(cluster: Cluster) -> list[Host]:
    """The hosts that were accepted, by name."""
    return sorted(cluster.hosts.values(), key=lambda host: host.name)
