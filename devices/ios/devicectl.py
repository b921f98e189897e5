"""iPhones with iOS 17 or later from a Mac: Xcode's `xcrun devicectl`, which answers in JSON files.

The commands and their JSON are those that `devicectl help` documents for Xcode 15 and later. Not yet run: neither a
Mac nor an iPhone was at hand. tests/transcripts/ios/README.md tells where the examples come from.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from converters.child import last_line
from devices.contract import MeasurementFailed
from devices.ios.link import Launched, Listed, Missing, NoTool, Start, call, harness
from devices.transport import Unreachable

SECONDS = 60.0
OLDEST = 17


def available() -> str | None:
    """None on a Mac with Xcode's command; otherwise what is missing."""
    if sys.platform != "darwin" and not shutil.which("xcrun"):
        return "devicectl runs on a Mac only"
    return None if shutil.which("xcrun") else "xcrun is not on the PATH: install Xcode 15 or later"


def attached() -> list[Listed]:
    """Every iPhone with iOS 17 or later that this Mac knows and can see. NoTool, or MeasurementFailed."""
    if reason := available():
        raise NoTool(reason)
    return parse_devices(ask(["list", "devices"], SECONDS))


def ask(arguments: list[str], limit: float) -> dict[str, Any]:
    """The JSON answer of one devicectl command: its `result`. Missing, MeasurementFailed or Unreachable."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.json"
        done = call(["xcrun", "devicectl", *arguments, "-j", str(file)], limit)
        try:
            answer = json.loads(file.read_text())
        except (OSError, ValueError):
            raise MeasurementFailed(f"devicectl gave no answer: {last_line(done.stderr or done.stdout)}") from None
    return parse_answer(answer)


def parse_answer(answer: Mapping[str, Any]) -> dict[str, Any]:
    """`result` of an answer whose outcome is success; otherwise its fault, from what devicectl says at every depth."""
    if answer.get("info", {}).get("outcome") == "success":
        return answer.get("result", {})
    words = list(_words(answer.get("error", {})))
    said = " ".join(words)
    if "Locked" in words or "unlocked" in said or "is locked" in said:
        raise MeasurementFailed("the iPhone is locked: unlock it and keep it unlocked")
    if "is not installed" in said:
        raise MeasurementFailed(f"the harness is not on the iPhone: {said[:300]}")
    if "No space left" in said:
        raise MeasurementFailed("the iPhone's disk is full")
    if "No such file" in said or "doesn’t exist" in said or "doesn't exist" in said:
        raise Missing(f"the iPhone has no such file: {said[:300]}")
    raise Unreachable(f"devicectl could not do it: {said[:300] or 'it did not say why'}")


def _words(error: Any) -> Iterator[str]:
    """The sentences of a CoreDevice error and of the errors beneath it."""
    if isinstance(error, Mapping):
        for key, value in error.items():
            if isinstance(value, Mapping) and isinstance(value.get("string"), str):
                yield value["string"]
            elif key not in ("domain", "code"):
                yield from _words(value)


def parse_devices(result: Mapping[str, Any]) -> list[Listed]:
    """The iPhones in the result of `list devices`: those of iOS 17 and later that are within reach.

    devicectl also lists every phone the Mac ever knew, other devices, and older phones without their properties.
    """
    found = []
    for device in result.get("devices", []):
        hardware, properties = device.get("hardwareProperties", {}), device.get("deviceProperties", {})
        listed = Listed(
            hardware.get("udid") or device.get("identifier", ""),
            hardware.get("productType", ""),
            properties.get("osVersionNumber", ""),
            properties.get("name", ""),
            _advice(properties.get("name") or "the iPhone", device.get("connectionProperties", {}), properties),
        )
        within_reach = device.get("connectionProperties", {}).get("tunnelState") != "unavailable"
        if hardware.get("platform") == "iOS" and listed.major >= OLDEST and within_reach:
            found.append(listed)
    return found


def _advice(name: str, connection: Mapping[str, Any], properties: Mapping[str, Any]) -> str | None:
    if connection.get("pairingState") != "paired":
        return f"{name} does not trust this Mac: confirm on its screen"
    if properties.get("developerModeStatus") == "disabled":
        return f"{name} has no developer mode: Settings > Privacy & Security > Developer Mode"
    return None


def parse_apps(result: Mapping[str, Any]) -> list[str]:
    """The identifiers in the result of `device info apps`."""
    return [app["bundleIdentifier"] for app in result.get("apps", []) if "bundleIdentifier" in app]


@dataclass(frozen=True)
class Devicectl:
    """A Link by devicectl."""

    udid: str

    @cached_property
    def bundle(self) -> str:
        return harness(parse_apps(self._ask("info", "apps", limit=SECONDS)))

    def push(self, folder: Path, remote: str, limit: float) -> None:
        # Emptying the folder first may empty all of Documents: nothing there outlives a job.
        self._copy("to", str(folder), f"Documents/{remote}", limit, "--remove-existing-content", "true")

    def put(self, file: Path, remote: str, limit: float) -> None:
        self._copy("to", str(file), f"Documents/{remote}", limit)

    def pull(self, remote: str, local: Path, limit: float) -> None:
        self._copy("from", f"Documents/{remote}", str(local), limit)
        if not local.exists():
            raise Missing(f"the iPhone has no such file: {remote}")

    @contextmanager
    def started(self) -> Iterator[Start]:
        try:
            # An app that is in front already stays as it is.
            self._ask("process", "launch", self.bundle, limit=SECONDS)
            yield Launched("devicectl")
        except MeasurementFailed as fault:
            yield Launched("devicectl", str(fault))

    def wait(self, limit: float) -> None:
        end = time.monotonic() + limit
        while not any(listed.udid == self.udid and not listed.advice for listed in attached()):
            if time.monotonic() >= end:
                raise Unreachable(f"the iPhone {self.udid} did not come back within {limit:g} s")
            time.sleep(1)

    def _copy(self, way: str, source: str, destination: str, limit: float, *more: str) -> None:
        domain = ["--domain-type", "appDataContainer", "--domain-identifier", self.bundle]
        self._ask("copy", way, *domain, "--source", source, "--destination", destination, *more, limit=limit)

    def _ask(self, *arguments: str, limit: float) -> dict[str, Any]:
        noun, verb, *rest = arguments
        return ask(["device", noun, verb, "--device", self.udid, *rest], limit)
