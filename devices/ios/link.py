"""What every way of reaching an iPhone can do, and how their commands are called."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from devices import transport
from devices.contract import MeasurementFailed

SUFFIX = ".SegmentationHarness"
"""How the harness app's identifier ends; what stands before is whoever signed it."""


class NoTool(Exception):
    """None of the programs that reach iPhones is here; the text says which were looked for."""


class Missing(MeasurementFailed):
    """A file that was asked for is not there, or not yet."""


@dataclass(frozen=True)
class Listed:
    """An iPhone that is attached, usable or not."""

    udid: str
    product: str = ""
    """The product type, iPhone9,1 for one; empty when the phone does not tell yet."""
    system: str = ""
    """The version of iOS."""
    name: str = ""
    advice: str | None = None
    """What to do when the phone cannot be used as it is; None when it can."""

    @property
    def major(self) -> int:
        """The first number of its iOS version, 0 when it did not tell."""
        first = self.system.split(".")[0]
        return int(first) if first.isdigit() else 0


class Link(Protocol):
    """The harness app on one iPhone: its Documents folder and its start. Every call has a time limit in seconds.

    Unreachable, or MeasurementFailed where trying again would not help.
    """

    def push(self, folder: Path, remote: str, limit: float) -> None:
        """Make the folder `remote` of the app's Documents hold what `folder` holds."""
        ...

    def put(self, file: Path, remote: str, limit: float) -> None:
        """Copy one file to `remote` in the app's Documents, whose folder is there."""
        ...

    def pull(self, remote: str, local: Path, limit: float) -> None:
        """Copy one file of the app's Documents to `local`. Missing when it is not there."""
        ...

    def started(self) -> AbstractContextManager[Start]:
        """The app in front; a launcher that must stay alive lives as long as this."""
        ...

    def wait(self, limit: float) -> None:
        """Return once the phone can be reached; Unreachable when it cannot within `limit`."""
        ...


class Start(Protocol):
    """One launch of the app."""

    @property
    def how(self) -> str:
        """The tool, in the words of the row."""
        ...

    def failure(self) -> str | None:
        """Why the app could not be launched, in the launcher's words; None while nothing speaks against it."""
        ...


@dataclass(frozen=True)
class Launched:
    """A launch that has ended: it went well, or `said` why not."""

    how: str
    said: str | None = None

    def failure(self) -> str | None:
        return self.said


def call(command: Sequence[str], limit: float) -> subprocess.CompletedProcess[str]:
    """`devices.transport.call` for a program that talks to the iPhone."""
    return transport.call(command, limit, "the iPhone", Path(command[0]).name)


def harness(identifiers: Sequence[str]) -> str:
    """The harness app among the installed apps' identifiers. MeasurementFailed when it is not among them."""
    found = next((identifier for identifier in identifiers if identifier.endswith(SUFFIX)), None)
    if found is None:
        raise MeasurementFailed(f"no app whose identifier ends in {SUFFIX} is on the iPhone: see devices/ios/README.md")
    return found
