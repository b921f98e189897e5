"""iPhones over usbmuxd, on Linux and macOS: libimobiledevice, or pymobiledevice3 where that is what is installed.

Both are called as programs. pymobiledevice3 is GPL-3: it is never imported and never required. Not yet run on an
iPhone; the real programs were run against a loopback usbmuxd. Starting the app by pymobiledevice3 was not run at all.
"""

from __future__ import annotations

import json
import plistlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from converters.child import last_line
from devices import transport
from devices.contract import MeasurementFailed
from devices.ios import imobiledevice
from devices.ios.link import Launched, Link, Listed, Missing, NoTool, Start, call, harness
from devices.transport import Unreachable

SECONDS = 30.0
ROOT = Path(__file__).resolve().parents[2]
APART = ROOT / "build" / "pymobiledevice3" / "bin" / "pymobiledevice3"
UNPAIRED = {
    -17: "is locked: unlock it",
    -18: "does not trust this computer: unlock it and confirm on its screen",
    -19: "asks whether to trust this computer: confirm on its screen",
    -21: "does not know this computer any more: run idevicepair pair",
    -2: "does not know this computer yet: unlock it, run idevicepair pair and confirm on its screen",
}
"""lockdownd's error codes (libimobiledevice's lockdown.h) a person can do something about."""


def pymobiledevice3() -> str | None:
    """The program: from PATH, else the one that `make pymobiledevice3` installed."""
    return shutil.which("pymobiledevice3") or shutil.which(str(APART))


def available() -> str | None:
    """None when one of the two sets of programs is here; otherwise what is missing, in a sentence without its end."""
    if (
        shutil.which("idevice_id") and shutil.which("ideviceinfo") and imobiledevice.shared_library()
    ) or pymobiledevice3():
        return None
    return (
        "neither libimobiledevice (apt: libimobiledevice-utils, brew: libimobiledevice)"
        " nor pymobiledevice3 (make pymobiledevice3) is there"
    )


def attached() -> list[Listed]:
    """Every iPhone that usbmuxd knows, usable or not. NoTool, or MeasurementFailed when usbmuxd does not answer."""
    if reason := available():
        raise NoTool(reason)
    if shutil.which("idevice_id"):
        done = call(["idevice_id", "-l"], SECONDS)
        if done.returncode:
            raise _silent("idevice_id", done.stderr)
        return [_ask(udid) for udid in dict.fromkeys(done.stdout.split())]
    done = call([str(pymobiledevice3()), "usbmux", "list", "--usb"], SECONDS)
    return parse_list(done.stdout, done.stderr)


def link(listed: Listed) -> Link:
    """The way to the harness app on `listed`."""
    if shutil.which("idevice_id") and imobiledevice.shared_library():
        return Libimobiledevice(listed.udid)
    return Pymobiledevice3(listed.udid, str(pymobiledevice3()))


def _ask(udid: str) -> Listed:
    done = call(["ideviceinfo", "-u", udid, "-x"], SECONDS)
    return parse_info(udid, done.stdout, done.stderr)


def parse_info(udid: str, said: str, faults: str = "") -> Listed:
    """A phone from what `ideviceinfo -x` printed."""
    try:
        values = plistlib.loads(said[said.index("<?xml") :].encode())
    except (ValueError, plistlib.InvalidFileException):
        code = re.search(r"\(?(-\d+)\)?\s*$", (faults or said).strip())
        what = UNPAIRED.get(int(code[1])) if code else None
        return Listed(udid, advice=f"{udid} {what or 'does not answer: ' + last_line(faults or said)}")
    return Listed(udid, values.get("ProductType", ""), values.get("ProductVersion", ""), values.get("DeviceName", ""))


def parse_list(said: str, faults: str = "") -> list[Listed]:
    """The phones in what `pymobiledevice3 usbmux list` printed, a JSON list."""
    try:
        devices = json.loads(said[said.index("[") :])
    except ValueError:
        raise _silent("pymobiledevice3", _error(faults or said)) from None
    return [
        Listed(
            device.get("UniqueDeviceID") or device["Identifier"],
            device.get("ProductType", ""),
            device.get("ProductVersion", ""),
            device.get("DeviceName", ""),
        )
        for device in devices
    ]


def _silent(program: str, said: str) -> MeasurementFailed:
    return MeasurementFailed(
        f"usbmuxd does not answer ({program} said: {last_line(said)}); Linux starts it when an iPhone is plugged in"
    )


@dataclass(frozen=True)
class Libimobiledevice:
    """A Link by libimobiledevice: its library for files, its idevicedebug to start the app.

    idevicedebug needs a mounted developer disk image; without one the person who holds the phone opens the app.
    """

    udid: str

    @cached_property
    def bundle(self) -> str:
        return harness(self._call("apps", limit=SECONDS).split())

    def push(self, folder: Path, remote: str, limit: float) -> None:
        self._call("push", self.bundle, str(folder.absolute()), remote, limit=limit)

    def put(self, file: Path, remote: str, limit: float) -> None:
        self._call("put", self.bundle, str(file.absolute()), remote, limit=limit)

    def pull(self, remote: str, local: Path, limit: float) -> None:
        self._call("pull", self.bundle, remote, str(local.absolute()), limit=limit)

    @contextmanager
    def started(self) -> Iterator[Start]:
        if not shutil.which("idevicedebug"):
            yield Launched("opened by hand", "idevicedebug is not installed")
            return
        with running(["idevicedebug", "-u", self.udid, "run", self.bundle], "idevicedebug, under the debugserver") as s:
            yield s

    def wait(self, limit: float) -> None:
        wait_for(self.udid, limit)

    def _call(self, *arguments: str, limit: float) -> str:
        command = [sys.executable, "-m", "devices.ios.imobiledevice", self.udid, *arguments]
        done = transport.call(command, limit, "the iPhone", arguments[0], cwd=ROOT)
        if done.returncode:
            raise _fault(last_line(done.stderr))
        return done.stdout


@dataclass(frozen=True)
class Pymobiledevice3:
    """A Link by pymobiledevice3's command line."""

    udid: str
    program: str

    @cached_property
    def bundle(self) -> str:
        said = self._call(["apps", "list", "--type", "User"], SECONDS)
        try:
            return harness(list(json.loads(said[said.index("{") :])))
        except ValueError:
            raise Unreachable(f"pymobiledevice3 did not list the apps: {last_line(said)}") from None

    def push(self, folder: Path, remote: str, limit: float) -> None:
        # A folder lands under its own name, in the folder it is pushed to.
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary) / Path(remote).name
            shutil.copytree(folder, copy)
            parent = f"/Documents/{Path(remote).parent}"
            self._call(["apps", "push", "--documents", self.bundle, str(copy), parent], limit)

    def put(self, file: Path, remote: str, limit: float) -> None:
        self._call(["apps", "push", "--documents", self.bundle, str(file), f"/Documents/{remote}"], limit)

    def pull(self, remote: str, local: Path, limit: float) -> None:
        self._call(["apps", "pull", "--documents", self.bundle, f"/Documents/{remote}", str(local)], limit)

    @contextmanager
    def started(self) -> Iterator[Start]:
        command = [self.program, "developer", "dvt", "launch", self.bundle, "--udid", self.udid]
        try:
            done = call(command, SECONDS)
            yield Launched("pymobiledevice3", _error(done.stderr + done.stdout) if done.returncode else None)
        except Unreachable as fault:
            yield Launched("pymobiledevice3", str(fault))

    def wait(self, limit: float) -> None:
        wait_for(self.udid, limit)

    def _call(self, arguments: Sequence[str], limit: float) -> str:
        done = call([self.program, *arguments, "--udid", self.udid], limit)
        said = done.stdout + done.stderr
        # Its exit code is 0 for some faults, which it logs as errors.
        if done.returncode or " ERROR " in said or "Traceback" in said:
            raise _fault(_kind(said) + _error(said))
        return done.stdout


def _error(said: str) -> str:
    """What pymobiledevice3 logged as its error; advice follows it."""
    lines = re.findall(r" ERROR (.*)", said)
    return lines[-1][:300] if lines else last_line(said)


def _kind(said: str) -> str:
    kinds = {"OBJECT_NOT_FOUND": "missing: ", "NO_SPACE_LEFT": "full: ", "not installed": "refused: "}
    return next((kind for sign, kind in kinds.items() if sign in said), "gone: ")


def _fault(said: str) -> MeasurementFailed:
    """What a failed copy means: a full disk stays full, a phone that is gone may come back."""
    kind, _, words = said.partition(": ")
    if kind == "missing":
        return Missing(f"the iPhone has no such file: {words}")
    if kind == "full":
        return MeasurementFailed(f"the iPhone's disk is full: {words}")
    if kind == "refused":
        return MeasurementFailed(words)
    return Unreachable(f"the iPhone is gone or not answering: {words or said}")


class Process:
    """A launcher that lives as long as the app; its output goes to a file, so that it never blocks."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path, how: str) -> None:
        self.process, self.output, self.how = process, output, how

    def failure(self) -> str | None:
        # idevicedebug returns 255 also when the app ended well: its words count, not its code.
        if self.process.poll() is None:
            return None
        return last_line(self.output.read_text(errors="replace"))


@contextmanager
def running(command: Sequence[str], how: str) -> Iterator[Process]:
    """`command` in the background; ended with the context."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        try:
            yield Process(process, output, how)
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(udid: str, limit: float, pause: float = 1.0) -> None:
    """Return once usbmuxd lists `udid` as usable; Unreachable after `limit` seconds."""
    end = time.monotonic() + limit
    while not _usable(udid):
        if time.monotonic() >= end:
            raise Unreachable(f"the iPhone {udid} did not come back within {limit:g} s")
        time.sleep(pause)


def _usable(udid: str) -> bool:
    try:
        return any(listed.udid == udid and not listed.advice for listed in attached())
    except MeasurementFailed:
        # Linux ends usbmuxd with the last phone that is unplugged.
        return False
