"""The bench's own folder on an Android phone: all that it writes there is in it."""

from __future__ import annotations

from dataclasses import dataclass

from converters.child import last_line
from devices.aarch64_runner import build
from devices.contract import MeasurementFailed
from devices.transport import Transport

HOME = "/data/local/tmp/segmentation-bench"
"""Where the shell's user may write and execute on every Android phone."""


@dataclass(frozen=True)
class Limits:
    """Seconds that each step may take before the phone counts as stuck."""

    push: float = 300.0
    run: float | None = None
    """None: a generous one from the job's counts and frames."""
    pull: float = 120.0
    shell: float = 30.0
    nominal: float = 600.0
    come_back: float = 60.0


@dataclass(frozen=True)
class Home:
    """HOME on the phone that `transport` reaches."""

    transport: Transport
    limits: Limits

    def fresh(self, name: str) -> str:
        """The path of an empty folder `name`."""
        path = f"{HOME}/{name}"
        said = self.transport.run(f"rm -rf {path} && mkdir -p {path} && echo made", self.limits.shell)
        if "made" not in said:
            raise refused(f"the folder {path} could not be made on the phone", said)
        return path

    def install(self, kit: build.Kit) -> str:
        """The folder that holds `kit`, pushed unless it is there whole."""
        name = f"kit-{kit.sha256}"
        path = f"{HOME}/{name}"
        if "whole" not in self.transport.run(f"ls {path}/whole 2>/dev/null", self.limits.shell):
            self.fresh(name)
            self.transport.push(kit.files, path, self.limits.push)
            run = f"cd {path} && chmod 755 runner {build.LOADER} && touch whole && echo done"
            said = self.transport.run(run, self.limits.shell)
            if "done" not in said:
                raise refused("the runner could not be made ready on the phone", said)
        return path


def refused(what: str, said: str) -> MeasurementFailed:
    """A fault that will be the same next time, with the phone's last words."""
    if "No space left on device" in said:
        return MeasurementFailed(f"{what}: its disk is full")
    return MeasurementFailed(f"{what}: {last_line(said)}")
