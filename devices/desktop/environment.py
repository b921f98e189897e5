"""What the desktop was while it measured: facts read without disturbing, and the hazards they amount to, by name."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from converters import processor
from converters.processor import Processor
from devices.contract import Environment
from devices.facts import attempt, gather, shown

SYSTEM = Path("/sys/devices/system/cpu")
CPUINFO, STAT = Path("/proc/cpuinfo"), Path("/proc/stat")
STATUS, TASKS = Path("/proc/self/status"), Path("/proc/self/task")

# Limits above which a number is under suspicion. Cores, degrees Celsius, and shares of the timed pass.
BUSY_CORES = 0.25
HOT = 90.0
WAITED = 0.02
STOLEN = 0.02

HAZARDS: dict[str, tuple[str, Callable[[Mapping[str, Any]], bool]]] = {
    "busy-machine": (
        "other processes used the processors during the measurement, or more of them wanted to run than there are",
        lambda facts: (
            facts.get("others_cores", 0) > BUSY_CORES or facts.get("load_1m", 0) > facts.get("cores", 1) + 0.5
        ),
    ),
    "preempted": (
        "the timed process had to wait for a processor",
        lambda facts: facts.get("waited_share", 0) > WAITED,
    ),
    "disturbed": (
        "the network and the reference were switched out too often for a ratio of their times, so none is claimed",
        lambda facts: facts.get("disturbed") is True,
    ),
    "stolen-time": (
        "the hypervisor gave the processors to another guest",
        lambda facts: facts.get("stolen_share", 0) > STOLEN,
    ),
    "not-pinned": (
        "the timed process could not be bound to its processors",
        lambda facts: facts.get("pinned") is False,
    ),
    "power-saving-governor": (
        "the clock is governed to save power",
        lambda facts: facts.get("governor") in {"powersave", "conservative"},
    ),
    "throttled-clock": (
        "a processor lowered its clock for its temperature during the measurement",
        lambda facts: facts.get("throttle_events", 0) > 0,
    ),
    "thermal": ("a sensor was hot before the measurement", lambda facts: facts.get("temperature_c", 0) >= HOT),
    "battery": ("the machine ran on its battery", lambda facts: facts.get("on_battery") is True),
    "virtual-machine": ("the machine is a guest of a hypervisor", lambda facts: facts.get("virtual") is True),
}
"""Name -> (what it means, whether the facts show it). A fact that could not be read shows nothing."""


def hazards(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the hazards that `facts` show, in the order of HAZARDS."""
    return shown(HAZARDS, facts)


def environment(facts: Mapping[str, Any]) -> Environment:
    return Environment(facts=dict(facts), hazards=hazards(facts))


@dataclass(frozen=True)
class DesktopProbe:
    """Reads this machine; `look_seconds` is how long it watches what others do, 0 not at all."""

    look_seconds: float = 0.25

    def read(self) -> Environment:
        looked = {"others_cores": lambda: others_cores(self.look_seconds)} if self.look_seconds else {}
        return environment(gather({**MACHINE, **NOW, **looked}))


def others_cores(seconds: float) -> float:
    """How many processors were busy on average while this process slept for `seconds`."""
    others = Others()
    time.sleep(seconds)
    return others.cores()


class Others:
    """How many processors other processes use, from two readings of the system's counters: no monitor."""

    def __init__(self, process: int | None = None) -> None:
        """`process` is the number of one that works for us, and no other."""
        self.process = process
        self.start = self._read()

    def cores(self) -> float:
        """On average since then, without `process` and this one."""
        busy, ours, clock = (now - before for now, before in zip(self._read(), self.start, strict=True))
        return round(max(0.0, busy - ours) / clock, 2)

    def _read(self) -> tuple[float, float, float]:
        """Seconds: of all processors together, of our processes, on the clock."""
        import psutil

        times = psutil.cpu_times()
        # Guest time is inside user time already.
        busy = float(sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq")))
        worked = psutil.Process(self.process).cpu_times() if self.process else None
        ours = time.process_time() + (worked.user + worked.system if worked else 0.0)
        return busy, ours, time.perf_counter()


def choose_cpus(
    allowed: Iterable[int], threads: int, core_of: Mapping[int, int], speed: Mapping[int, int]
) -> list[int]:
    """Processors to bind `threads` to: one on each physical core first, the fastest first, then the highest number.

    The lowest numbers come last because interrupts gather there. Fewer than `threads` only when fewer are allowed.
    """
    first_on_core: set[int] = set()
    ranked: list[tuple[bool, int, int]] = []
    for cpu in sorted(allowed, reverse=True):
        core = core_of.get(cpu, cpu)
        ranked.append((core in first_on_core, -speed.get(cpu, 0), -cpu))
        first_on_core.add(core)
    return sorted(-cpu for _, _, cpu in sorted(ranked)[:threads])


def pin(threads: int) -> list[int] | None:
    """Bind this process, and all it starts, to `threads` processors; None where the system does not allow it."""
    allowed = attempt(_allowed_cpus)
    if not allowed:
        return None
    # A physical core is named by the first of the processors on it.
    core_of = {cpu: _number(SYSTEM / f"cpu{cpu}/topology/core_cpus_list", cpu) for cpu in allowed}
    speed = {cpu: _number(SYSTEM / f"cpu{cpu}/cpufreq/cpuinfo_max_freq", 0) for cpu in allowed}
    cpus = choose_cpus(allowed, threads, core_of, speed)

    def bind() -> list[int]:
        os.sched_setaffinity(0, cpus)
        return cpus

    return attempt(bind)


class Watch:
    """What kept the timed process from running, told by counters the kernel keeps anyway: two readings, no monitor."""

    def __init__(self, cpus: Iterable[int] | None) -> None:
        self.cpus = cpus
        self.start = self._read()

    def facts(self) -> dict[str, Any]:
        """Shares of the time since this watch began; a counter that this system lacks is omitted."""
        now = self._read()
        delta = {key: now[key] - self.start[key] for key in now if key in self.start}
        wall = delta.pop("wall_ns")
        facts: dict[str, Any] = {}
        if "waited_ns" in delta:
            facts["waited_share"] = round(delta["waited_ns"] / wall, 4)
        if "stolen_ns" in delta:
            facts["stolen_share"] = round(delta["stolen_ns"] / wall, 4)
        if "throttle_events" in delta:
            facts["throttle_events"] = delta["throttle_events"]
        return facts

    def _read(self) -> dict[str, int]:
        return {
            "wall_ns": time.perf_counter_ns(),
            **gather(
                {
                    "waited_ns": _waited_ns,
                    "stolen_ns": lambda: _stolen_ns(self.cpus),
                    "throttle_events": _throttle_events,
                }
            ),
        }


def _waited_ns() -> int | None:
    """Nanoseconds that the threads of this process spent ready to run, waiting for a processor."""
    # A thread may end between the listing and the reading.
    readings = [attempt(task.read_text) for task in TASKS.glob("*/schedstat")]
    waited = [int(text.split()[1]) for text in readings if text]
    return sum(waited) if waited else None


def _stolen_ns(cpus: Iterable[int] | None) -> int | None:
    """Nanoseconds of `cpus` that the hypervisor gave to others."""
    if not cpus:
        return None
    lines = {line.split()[0]: line.split() for line in STAT.read_text().splitlines() if line.strip()}
    return sum(int(lines[f"cpu{cpu}"][8]) for cpu in cpus) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def _throttle_events() -> int | None:
    counters = list(SYSTEM.glob("cpu*/thermal_throttle/core_throttle_count"))
    return sum(_number(counter, 0) for counter in counters) if counters else None


def peak_memory_bytes() -> int | None:
    """The largest resident set this process has had so far: VmHWM on Linux, ru_maxrss elsewhere; None if not told.

    It is the whole process: the Python interpreter, NumPy, the runtime's libraries, the model and its activations.
    """
    # On Linux ru_maxrss is no second choice: it begins with what the parent process had.
    return attempt(_vm_hwm if sys.platform == "linux" else _max_rss)


def _vm_hwm() -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _max_rss() -> int:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _psutil() -> Any:
    import psutil

    return psutil


def _allowed_cpus() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def _virtual() -> bool | None:
    """Whether the processor is a hypervisor's; only x86 tells, in its flags."""
    told = CPUINFO.read_text()
    return " hypervisor" in told if "\nflags" in told else None


def _temperature() -> float | None:
    """Of the hottest sensor, in degrees Celsius."""
    groups = _psutil().sensors_temperatures().values()
    return max((sensor.current for group in groups for sensor in group if sensor.current), default=None)


def _on_battery() -> bool | None:
    battery = _psutil().sensors_battery()
    return None if battery is None or battery.power_plugged is None else not battery.power_plugged


MACHINE: dict[str, Callable[[], Any]] = {
    "os": platform.platform,
    "python": platform.python_version,
    "machine": platform.machine,
    "cpu": lambda: found.model if (found := _processor()) else None,
    "cpu_extensions": lambda: ", ".join(found.extensions) or None if (found := _processor()) else None,
    "cores": lambda: _psutil().cpu_count(),
    "physical_cores": lambda: _psutil().cpu_count(logical=False),
    "memory_bytes": lambda: _psutil().virtual_memory().total,
    "virtual": lambda: _virtual(),
    **{f"{name} version": partial(metadata.version, name) for name in ("numpy", "opencv-python-headless")},
}
"""Fact -> how it is read; these do not change from configuration to configuration."""

NOW: dict[str, Callable[[], Any]] = {
    "load_1m": lambda: round(_psutil().getloadavg()[0], 2),
    "allowed_cpus": _allowed_cpus,
    "governor": lambda: _text(SYSTEM / "cpu0/cpufreq/scaling_governor").strip() or None,
    "frequency_mhz": lambda: round(_psutil().cpu_freq().current),
    "frequency_max_mhz": lambda: round(_psutil().cpu_freq().max) or None,
    "temperature_c": _temperature,
    "on_battery": _on_battery,
}
"""The same for what does change."""


def state() -> dict[str, Any]:
    """What minutes of load may change: the clock, the hottest sensor, and the battery's charge in per cent."""
    names = ("frequency_mhz", "temperature_c")
    return gather({**{name: NOW[name] for name in names}, "battery": _battery_percent})


def _battery_percent() -> float | None:
    battery = _psutil().sensors_battery()
    return None if battery is None else round(battery.percent, 1)


def _processor() -> Processor | None:
    found = processor.here()
    return None if found.model == processor.UNKNOWN else found


def _text(path: Path) -> str:
    """Empty when it cannot be read."""
    return attempt(path.read_text) or ""


def _number(path: Path, default: int) -> int:
    """The first number in a file of the kernel's."""
    found = re.match(r"\d+", _text(path))
    return int(found[0]) if found else default
