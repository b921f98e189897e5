"""The adb client as a transport: argument lists only, a time limit on every call."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from converters.child import last_line
from devices.contract import MeasurementFailed
from devices.transport import Unreachable, call

LIST_SECONDS = 20.0
"""Listing may have to start adb's server first."""

GONE = re.compile(
    r"device '.*' not found|no devices/emulators found|device offline|device still authorizing|closed|protocol fault"
    r"|Connection reset|connect failed|read failed|unable to connect for|device unauthorized|cannot connect to daemon"
)


class NoAdb(Exception):
    """There is no adb binary; the text says where one was looked for."""


@dataclass(frozen=True)
class Listed:
    """One line of `adb devices -l`."""

    serial: str
    state: str
    """device, unauthorized, offline, recovery, ... or "no permissions"."""
    facts: dict[str, str] = field(default_factory=dict)
    """product, model, device, as adb tells them, where it does."""

    @property
    def advice(self) -> str | None:
        """What to do when the device cannot be used as it is; None when it can."""
        if self.state == "device":
            return None
        if self.state == "unauthorized":
            return f"{self.serial} is attached but not authorised: accept the prompt on its screen"
        if self.state == "no permissions":
            return (
                f"{self.serial} is attached but this user may not open it: add a udev rule, or join the group plugdev"
            )
        return f"{self.serial} is attached but {self.state}: unplug it and plug it in again"


def binary() -> str:
    """The adb on the PATH, else the one that the wheel adbutils brings. NoAdb when there is neither."""
    if found := shutil.which("adb"):
        return found
    if (spec := find_spec("adbutils")) and spec.origin:
        folder = Path(spec.origin).parent / "binaries"
        for name in ("adb", "adb.exe"):
            if (folder / name).exists():
                return str(folder / name)
    raise NoAdb(
        "adb is neither on the PATH nor brought by adbutils here: install Android's platform-tools, or on Linux x86-64 "
        "run `make setup EXTRAS=android`"
    )


def attached(adb: str | None = None) -> list[Listed]:
    """Every Android device that adb sees, usable or not. NoAdb or MeasurementFailed when adb does not answer."""
    return parse_devices(_call([adb or binary(), "devices", "-l"], LIST_SECONDS).stdout)


def parse_devices(text: str) -> list[Listed]:
    """The devices in what `adb devices -l` printed."""
    listed = []
    for line in text.partition("List of devices attached")[2].splitlines():
        found = re.match(r"(\S+)\s+(no permissions|\S+)\s*(.*)", line)
        if found:
            serial, state, rest = found.groups()
            facts = dict(pair.split(":", 1) for pair in rest.split() if ":" in pair)
            listed.append(Listed(serial, state, facts if state != "no permissions" else {}))
    return listed


@dataclass(frozen=True)
class Adb:
    """A Transport to the Android device with `serial`."""

    serial: str
    adb: str = field(default_factory=binary)

    def run(self, command: str, limit: float) -> str:
        done = self._device(["shell", "-n", command], limit)
        # A vanished device also ends in code 0 and silence; the caller looks for the marker it asked for.
        if done.returncode and GONE.search(done.stderr):
            raise Unreachable(f"the device {self.serial} is gone: {last_line(done.stderr)}")
        return done.stdout + done.stderr

    def push(self, local: Sequence[Path], remote: str, limit: float) -> None:
        done = self._device(["push", *map(str, local), f"{remote}/"], limit)
        if done.returncode:
            raise _fault(f"could not be given {', '.join(path.name for path in local)}", done.stderr or done.stdout)

    def pull(self, remote: str, local: Path, limit: float) -> None:
        done = self._device(["pull", remote, str(local)], limit)
        if done.returncode:
            raise _fault(f"did not hand over {remote.rpartition('/')[2]}", done.stderr or done.stdout)

    def reverse(self, port: int, limit: float) -> int:
        """The port of the device's own localhost that now leads to this machine's `port`; MeasurementFailed if none."""
        done = self._device(["reverse", "tcp:0", f"tcp:{port}"], limit)
        if done.returncode or not done.stdout.strip().isdecimal():
            raise _fault("could not be given a way back to this machine", done.stderr or done.stdout)
        return int(done.stdout)

    def wait(self, limit: float) -> None:
        """Until the device is attached and usable; Unreachable when it is not within `limit` seconds."""
        self._device(["wait-for-device"], limit)

    def _device(self, arguments: Sequence[str], limit: float) -> subprocess.CompletedProcess[str]:
        return _call([self.adb, "-s", self.serial, *arguments], limit)


def _call(command: Sequence[str], limit: float) -> subprocess.CompletedProcess[str]:
    words = " ".join(word for word in command[1:4] if word != "-s")
    return call(command, limit, "the device", f"adb {words}")


def _fault(what: str, said: str) -> MeasurementFailed:
    """Why a copy failed, from adb's words: a full disk stays full, a device that is gone may come back."""
    if "No space left on device" in said:
        return MeasurementFailed(f"the device {what}: its disk is full")
    if GONE.search(said):
        return Unreachable(f"the device {what}: it is gone ({last_line(said)})")
    return MeasurementFailed(f"the device {what}: {last_line(said)}")
