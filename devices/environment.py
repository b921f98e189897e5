"""What the desktop was while it measured: facts read without disturbing, and the hazards they amount to, by name."""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from devices.contract import Environment

SYSTEM = Path("/sys/devices/system/cpu")

# Limits above which a number is under suspicion. Cores, degrees Celsius, and shares of the timed pass.
BUSY_CORES = 0.25
HOT = 90.0
WAITED = 0.02
STOLEN = 0.02

HAZARDS: dict[str, tuple[str, Callable[[Mapping[str, Any]], bool]]] = {
    "busy-machine": (
        "other processes used the processors just before the measurement, or more of them wanted to run than there are",
        lambda facts: (
            facts.get("others_cores", 0) > BUSY_CORES or facts.get("load_1m", 0) > facts.get("cores", 1) + 0.5
        ),
    ),
    "preempted": (
        "the timed process had to wait for a processor",
        lambda facts: facts.get("waited_share", 0) > WAITED,
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
    return tuple(name for name, (_, shown) in HAZARDS.items() if shown(facts))


def environment(facts: Mapping[str, Any]) -> Environment:
    return Environment(facts=dict(facts), hazards=hazards(facts))


@dataclass(frozen=True)
class DesktopProbe:
    """Reads this machine; `look_seconds` is how long it watches what others do before the measurement starts."""

    look_seconds: float = 0.25

    def read(self) -> Environment:
        return environment({**_machine(), **_now(), "others_cores": others_cores(self.look_seconds)})


def others_cores(seconds: float) -> float:
    """How many processors were busy on average while this process slept for `seconds`."""
    import psutil

    def busy() -> float:
        times = psutil.cpu_times()
        # Guest time is inside user time already.
        return float(sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq")))

    before, start = busy(), time.perf_counter()
    time.sleep(seconds)
    return round(max(0.0, busy() - before) / (time.perf_counter() - start), 2)


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Package -> version as installed; a package that is not installed is left out."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


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
    if not hasattr(os, "sched_setaffinity"):
        return None
    allowed = os.sched_getaffinity(0)
    # A physical core is named by the first of the processors on it.
    core_of = {cpu: _number(SYSTEM / f"cpu{cpu}/topology/core_cpus_list", cpu) for cpu in allowed}
    speed = {cpu: _number(SYSTEM / f"cpu{cpu}/cpufreq/cpuinfo_max_freq", 0) for cpu in allowed}
    cpus = choose_cpus(allowed, threads, core_of, speed)
    os.sched_setaffinity(0, cpus)
    return cpus


class Watch:
    """What kept the timed process from running, told by counters the kernel keeps anyway: two readings, no monitor."""

    def __init__(self, cpus: Iterable[int] | None) -> None:
        self.cpus = cpus
        self.start = self._read()

    def facts(self) -> dict[str, Any]:
        """Shares of the time since this watch began; a counter that this system lacks is left out."""
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
        reading = {"wall_ns": time.perf_counter_ns()}
        if (tasks := list(Path("/proc/self/task").glob("*/schedstat"))) and sys.platform == "linux":
            # Second field: nanoseconds spent ready to run, waiting for a processor.
            reading["waited_ns"] = sum(int(task.read_text().split()[1]) for task in tasks)
        if self.cpus and (stat := Path("/proc/stat")).exists():
            lines = {line.split()[0]: line.split() for line in stat.read_text().splitlines()}
            ticks = sum(int(lines[f"cpu{cpu}"][8]) for cpu in self.cpus)
            reading["stolen_ns"] = ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
        if counters := list(SYSTEM.glob("cpu*/thermal_throttle/core_throttle_count")):
            reading["throttle_events"] = sum(_number(counter, 0) for counter in counters)
        return reading


def peak_memory_bytes() -> int:
    """The largest resident set this process has had so far: VmHWM on Linux, ru_maxrss elsewhere.

    It is the whole process: the Python interpreter, NumPy, the runtime's libraries, the model and its activations.
    """
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _machine() -> dict[str, Any]:
    """What does not change from cell to cell."""
    import psutil

    return {
        "os": platform.platform(),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count() or 1,
        "physical_cores": psutil.cpu_count(logical=False) or 1,
        "memory_bytes": psutil.virtual_memory().total,
        "virtual": " hypervisor" in _text(Path("/proc/cpuinfo")),
        **{f"{name} version": version for name, version in versions(("numpy", "opencv-python-headless")).items()},
    }


def _now() -> dict[str, Any]:
    """What does change; a fact that cannot be read here is left out."""
    import psutil

    facts: dict[str, Any] = {"load_1m": round(psutil.getloadavg()[0], 2)}
    if hasattr(os, "sched_getaffinity"):
        facts["allowed_cpus"] = sorted(os.sched_getaffinity(0))
    if governor := _text(SYSTEM / "cpu0/cpufreq/scaling_governor").strip():
        facts["governor"] = governor
    if frequency := psutil.cpu_freq():
        facts["frequency_mhz"] = round(frequency.current)
        if frequency.max:
            facts["frequency_max_mhz"] = round(frequency.max)
    sensors = psutil.sensors_temperatures() if hasattr(psutil, "sensors_temperatures") else {}
    if temperatures := [sensor.current for group in sensors.values() for sensor in group if sensor.current]:
        facts["temperature_c"] = max(temperatures)
    if battery := psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None:
        facts["on_battery"] = battery.power_plugged is False
    return facts


def _cpu_model() -> str:
    for line in _text(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    if sys.platform == "darwin":
        import subprocess

        return subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        ).stdout.strip()
    return platform.processor() or "unknown"


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _number(path: Path, default: int) -> int:
    """The first number in a file of the kernel's."""
    found = re.match(r"\d+", _text(path))
    return int(found[0]) if found else default
