"""Energy of a frame by the phone's battery, in a pass of its own. Not verified on a phone.

What the battery gives is the whole phone's: screen, radio and other apps included, so an upper bound for the network.
Only a phone that is not plugged in tells anything, one that is reached over Wi-Fi.

Units: microamperes, microvolts and microampere-hours, of the kernel's Documentation/ABI/testing/sysfs-class-power and
Android's BatteryManager. Phones differ in the sign of the current, which is not looked at. Where the shell may not read
the kernel's files, `dumpsys battery` gives millivolts and the charge counter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from devices.sustained import BIN_SECONDS, Bin

POWER_SUPPLY = "/sys/class/power_supply/battery"
SECONDS = 60.0
"""Of load: a charge counter moves in steps that may be some seconds long."""
PLAUSIBLE = (0.05, 40.0)
"""Watts of a phone under load; a phone whose files have other units lies outside by a factor of a thousand."""
UNVERIFIED = "whole phone, not verified on a phone"


@dataclass(frozen=True)
class Sample:
    """One reading: seconds of the phone's uptime, and what it told; None for what it did not."""

    at: float
    microamperes: float | None
    microvolts: float | None
    microampere_hours: float | None


def watching(power_supply: str = POWER_SUPPLY) -> str:
    """A shell command that prints a reading a second, or one in five where `dumpsys` is asked, while its parent lives.

    A line is the uptime, current, voltage and charge, with - for what is not known.
    """
    files = " ".join(f"$(cat {power_supply}/{name} 2>/dev/null || echo -)" for name in _FILES)
    told = "$(echo \"$all\" | sed -n 's/^ *{}: \\([0-9]*\\).*/\\1/p' | head -n 1)"
    dumped = f'all=$(dumpsys battery); echo "$(cut -d" " -f1 /proc/uptime) - {told.format("voltage")}000'
    dumped += f' {told.format("Charge counter")}"; sleep 5'
    read = f'echo "$(cut -d" " -f1 /proc/uptime) {files}"; sleep 1'
    known = f"cat {power_supply}/voltage_now >/dev/null 2>&1"
    return f"while kill -0 $$; do if {known}; then {read}; else {dumped}; fi; done 2>/dev/null"


_FILES = ("current_now", "voltage_now", "charge_counter")


def samples(text: str) -> list[Sample]:
    """What `watching` printed; lines that are cut short are left out."""
    found = []
    for line in text.splitlines():
        words = line.split(" ")
        if len(words) != 4:
            continue
        at, *rest = map(_number, words)
        if at is not None:
            found.append(Sample(at, *rest))
    return found


def _number(word: str) -> float | None:
    try:
        return float(word)
    except ValueError:
        return None


def energy(read: Sequence[Sample], bins: Sequence[Bin]) -> dict[str, Any] | None:
    """{"millijoules" a frame, "watts", "frames", "source"} of the bins of load that ended with the last reading.

    By current and voltage where there are both, else by the charge counter and the voltage. None where the phone told
    too little, or what cannot be.
    """
    if not bins or not read:
        return None
    frames, span = sum(one.frames for one in bins), bins[-1].start + BIN_SECONDS
    during = [one for one in read if one.at >= read[-1].at - span and one.microvolts]
    if len(during) < 2:
        return None
    volts = [(one.microvolts or 0) / 1e6 for one in during]
    currents = [abs(one.microamperes) / 1e6 for one in during if one.microamperes is not None]
    charges = [one.microampere_hours for one in during if one.microampere_hours is not None]
    if len(currents) == len(volts) and any(currents):
        watts = fmean(amperes * v for amperes, v in zip(currents, volts, strict=True))
        source = "battery's current and voltage"
    elif len(charges) == len(volts):
        coulombs = 3600e-6 * (charges[0] - charges[-1])
        watts, source = coulombs / (during[-1].at - during[0].at) * fmean(volts), "battery's charge counter"
    else:
        return None
    if not PLAUSIBLE[0] <= watts <= PLAUSIBLE[1]:
        return None
    return {
        "millijoules": round(1000 * watts * span / frames, 4),
        "watts": round(watts, 3),
        "frames": frames,
        "source": f"{source}, {UNVERIFIED}",
    }
