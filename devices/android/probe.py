"""What an Android phone is and how it feels: read by one shell command, understood by pure functions.

The formats are those of AOSP's `dumpsys battery`, `dumpsys thermalservice` (Android 10 and later), `getprop` and the
kernel's cpufreq files. Not yet run on a phone; tests/transcripts/android/README.md tells where its examples come from.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from devices.contract import Environment
from devices.facts import gather, shown
from devices.transport import Transport, Unreachable

END = "== end"
CPUFREQ = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq"
SCRIPT = "; ".join(
    [
        "echo '== getprop'; getprop",
        "echo '== battery'; dumpsys battery",
        "echo '== thermal'; dumpsys thermalservice",
        "echo '== low_power'; settings get global low_power",
        f"echo '== clocks'; grep -s . {CPUFREQ}/cpuinfo_max_freq {CPUFREQ}/scaling_max_freq"
        f" {CPUFREQ}/scaling_cur_freq {CPUFREQ}/scaling_governor",
        f"echo '{END}'",
    ]
)

BATTERY_LEAST = 25
HOT_BATTERY = 40.0
"""Degrees Celsius above which a phone without a thermal service is taken to be throttling."""
THERMAL_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
"""PowerManager.THERMAL_STATUS_*, by number."""

HAZARDS: dict[str, tuple[str, Callable[[Mapping[str, Any]], bool]]] = {
    "thermal": (
        "the phone reports that it throttles, or its battery is hot where it reports nothing",
        lambda facts: (
            facts["thermal_status"] != "none"
            if "thermal_status" in facts
            else facts.get("battery_c", 0.0) >= HOT_BATTERY
        ),
    ),
    "throttled-clock": (
        "the kernel holds a core below the clock it is built for",
        lambda facts: bool(facts.get("capped_cpus")),
    ),
    "battery": (
        f"the battery is at {BATTERY_LEAST} % or less",
        lambda facts: facts.get("battery", 100) <= BATTERY_LEAST,
    ),
    "low-power-mode": ("battery saver is on", lambda facts: facts.get("low_power") is True),
    "debuggable-build": ("the system is a userdebug or eng build", lambda facts: facts.get("debuggable") is True),
    "emulator": ("the device is an emulator", lambda facts: facts.get("emulator") is True),
    "power-saving-governor": (
        "a core's clock is governed to save power",
        lambda facts: "powersave" in str(facts.get("governor", "")),
    ),
}
"""Name -> (what it means, whether the facts show it). A fact that could not be read shows nothing."""

PASSING = frozenset({"thermal", "throttled-clock"})
"""Hazards that go away when one waits."""


@dataclass(frozen=True)
class AndroidProbe:
    """Reads a phone over `transport`."""

    transport: Transport
    limit: float = 30.0

    def read(self) -> Environment:
        """The phone as it is now. Unreachable when it did not finish answering."""
        said = self.transport.run(SCRIPT, self.limit)
        if END not in said:
            raise Unreachable("the phone did not finish telling its state")
        return environment(facts(said))


def wait_for_nominal(
    read: Callable[[], Environment],
    limit: float,
    pause: float = 10.0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Environment:
    """Read until no PASSING hazard is left, for at most `limit` seconds; `waited_s` joins the facts.

    Beyond the limit the phone is measured as it is, and the hazard goes with the row.
    """
    start = clock()
    while True:
        now = read()
        waited = clock() - start
        if not PASSING.intersection(now.hazards) or waited + pause > limit:
            return replace(now, facts=now.facts | {"waited_s": round(waited)})
        sleep(pause)


def merge(before: Environment, after: Environment) -> Environment:
    """Both readings in one: what changed stands again as `after_NAME`, and a hazard of either is a hazard."""
    changed = {f"after_{name}": value for name, value in after.facts.items() if before.facts.get(name) != value}
    hazards = [name for name in HAZARDS if name in before.hazards or name in after.hazards]
    return Environment(before.facts | changed, tuple(hazards))


def environment(facts: Mapping[str, Any]) -> Environment:
    return Environment(dict(facts), shown(HAZARDS, facts))


def facts(said: str) -> dict[str, Any]:
    """Flat facts from what SCRIPT printed; facts that a phone does not give are omitted."""
    parts = sections(said)
    properties = getprop(parts.get("getprop", ""))
    clocks = cpu_clocks(parts.get("clocks", ""))
    found: dict[str, Any] = {
        "manufacturer": properties.get("ro.product.manufacturer"),
        "model": properties.get("ro.product.model"),
        "product": properties.get("ro.product.device"),
        "soc": properties.get("ro.soc.model") or properties.get("ro.board.platform"),
        "android": properties.get("ro.build.version.release"),
        "abi": properties.get("ro.product.cpu.abi"),
        "fingerprint": properties.get("ro.build.fingerprint"),
        "debuggable": _flag(properties.get("ro.debuggable")),
        "emulator": is_emulator(properties) if properties else None,
        "low_power": _flag(parts.get("low_power", "").strip()),
        **battery(parts.get("battery", "")),
        **thermal(parts.get("thermal", "")),
    }
    if clocks:
        found["max_khz"] = {cpu: values["cpuinfo_max_freq"] for cpu, values in clocks.items()}
        found["current_khz"] = {cpu: values.get("scaling_cur_freq") for cpu, values in clocks.items()}
        found["governor"] = ", ".join(sorted({str(values.get("scaling_governor", "?")) for values in clocks.values()}))
        found["capped_cpus"] = [
            cpu
            for cpu, values in clocks.items()
            if isinstance(limit := values.get("scaling_max_freq"), int) and limit < values["cpuinfo_max_freq"]
        ]
    return {name: value for name, value in found.items() if value is not None}


def sections(said: str) -> dict[str, str]:
    """The text under each `== name` line."""
    pieces = re.split(r"^== (\w+)\r?\n", said, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


def getprop(text: str) -> dict[str, str]:
    """`[name]: [value]` lines."""
    return dict(re.findall(r"^\[([^\]]+)\]: \[([^\]]*)\]", text, re.MULTILINE))


def battery(text: str) -> dict[str, Any]:
    """battery (percent), battery_c (degrees Celsius; the service tells tenths), plugged, from `dumpsys battery`."""
    values = dict(re.findall(r"^\s*([\w ]+): (\S+)\s*$", text, re.MULTILINE))
    powered = [name for name in ("AC", "USB", "Wireless") if values.get(f"{name} powered") == "true"]
    return gather(
        {
            "battery": lambda: round(100 * int(values["level"]) / int(values.get("scale", "100"))),
            "battery_c": lambda: int(values["temperature"]) / 10,
            "plugged": lambda: (", ".join(powered) or "no") if values else None,
        }
    )


def thermal(text: str) -> dict[str, Any]:
    """thermal_status by name and skin_c, from `dumpsys thermalservice`; nothing before Android 10."""
    status = re.search(r"^\s*Thermal Status: (\d+)", text, re.MULTILINE)
    current = text.partition("Current temperatures from HAL:")[2].partition("Current cooling devices")[0] or text
    skins = re.findall(r"Temperature\{mValue=([-\d.]+), mType=3,", current)
    return gather(
        {
            "thermal_status": lambda: THERMAL_STATUS[min(int(status[1]), len(THERMAL_STATUS) - 1)] if status else None,
            "skin_c": lambda: max((float(value) for value in skins), default=None),
        }
    )


def cpu_clocks(text: str) -> dict[int, dict[str, Any]]:
    """Processor -> its cpufreq files, from `grep .`'s PATH:VALUE lines; kHz as numbers, governors as words."""
    clocks: dict[int, dict[str, Any]] = {}
    for cpu, name, value in re.findall(r"/cpu(\d+)/cpufreq/(\w+):(\S+)", text):
        clocks.setdefault(int(cpu), {})[name] = int(value) if value.isdigit() else value
    return {cpu: values for cpu, values in sorted(clocks.items()) if isinstance(values.get("cpuinfo_max_freq"), int)}


def is_emulator(properties: Mapping[str, str]) -> bool:
    return (
        "1" in (properties.get("ro.kernel.qemu"), properties.get("ro.boot.qemu"))
        or properties.get("ro.hardware") in {"goldfish", "ranchu"}
        or "emulator" in properties.get("ro.build.characteristics", "")
    )


def big_cores(max_khz: Mapping[int, int], threads: int) -> int:
    """The mask of the fastest processors: whole clusters, fastest first, until there is one for each thread."""
    mask, taken = 0, 0
    for clock in sorted(set(max_khz.values()), reverse=True):
        if taken >= threads:
            break
        for cpu in (cpu for cpu, khz in max_khz.items() if khz == clock):
            mask |= 1 << cpu
            taken += 1
    return mask


def _flag(value: str | None) -> bool | None:
    return {"1": True, "0": False}.get(value or "")
