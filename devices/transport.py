"""Carrying files and commands to a device and back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from devices.contract import MeasurementFailed, Result


class Unreachable(MeasurementFailed):
    """The device disconnected, was locked or stopped early: a retry of the same configuration may succeed."""


class Transport(Protocol):
    """Every call has a time limit in seconds. Unreachable, or MeasurementFailed where trying again would not help."""

    def run(self, command: str, limit: float) -> str:
        """What `command` printed on the device, both streams. Its exit code is not reported: it cannot be trusted."""
        ...

    def push(self, local: Sequence[Path], remote: str, limit: float) -> None:
        """Copy files into the existing folder `remote` of the device."""
        ...

    def pull(self, remote: str, local: Path, limit: float) -> None:
        """Copy one file of the device to `local`."""
        ...

    def wait(self, limit: float) -> None:
        """Return once the device can be reached; Unreachable when it cannot within `limit`."""
        ...


def call(
    command: Sequence[str], limit: float, whom: str, doing: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program that talks to `whom`, a device in words, and return what it printed, whatever its exit code.

    Unreachable, naming what it was `doing`, beyond `limit` seconds; MeasurementFailed when there is no such program.
    """
    try:
        return subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(f"{whom} did not answer within {limit:g} s ({doing})") from None
    except OSError as error:
        raise MeasurementFailed(f"{Path(command[0]).name} could not be started: {error}") from None


def persevere(attempts: int, attempt: Callable[[], Result], come_back: Callable[[], None]) -> Result:
    """The result of the first of `attempts` that the device does not break off; before each further one, `come_back`.

    Retries are counted in the result. Otherwise MeasurementFailed with the last attempt's reason, counting them too.
    """
    for retries in range(attempts):
        try:
            if retries:
                come_back()
            return replace(attempt(), retries=retries)
        except Unreachable as reason:
            fault = MeasurementFailed(f"{reason} (tried {attempts} times)" if attempts > 1 else str(reason))
            fault.retries = retries
        except MeasurementFailed as reason:
            reason.retries = retries
            raise
    raise fault
