"""Any phone's browser as a device: a page is served, and every phone that opens it measures all configurations.

Run in headless Chromium; not yet run on a phone.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from devices.contract import Job, MeasurementFailed
from devices.fleet import DeviceJoined, JobEnded, JobStarted
from devices.web import packages
from devices.web.announce import Say, announce, say
from devices.web.scheduler import Scheduler

FIRST_PHONE_SECONDS = 1800.0
FAREWELL_SECONDS = 3.0
"""At most so long is the site kept for the last page to hear that this was all."""


@dataclass(frozen=True)
class Browsers:
    """A fleet: every phone whose browser opened the page."""

    takes_labels: ClassVar[bool] = True
    patience: float = FIRST_PHONE_SECONDS
    """Seconds to wait for the first phone."""
    usb: bool = True
    """Whether the page is opened on Android phones that are attached."""
    say: Say = say

    def run_all(self, asked: Sequence[Job]) -> Iterator[DeviceJoined | JobStarted | JobEnded]:
        """As devices.fleet.Fleet says; MeasurementFailed also when no phone came within `patience`."""
        try:
            packages.install()
        except packages.NoPackages as reason:
            raise MeasurementFailed(f"no page can be served: {reason}") from None
        from devices.web.app import Site
        from devices.web.serve import serving

        scheduler = Scheduler([job.time_limit for job in asked])
        site = Site(asked, scheduler)
        with serving(site) as places:
            announce(places, site.token, self.usb, self.say)
            deadline = time.monotonic() + self.patience
            while not (scheduler.over and scheduler.told.empty()):
                try:
                    yield scheduler.told.get(timeout=0.5)
                except queue.Empty:
                    if not scheduler.clients and time.monotonic() > deadline:
                        raise MeasurementFailed(f"no phone opened the page within {self.patience:.0f} s") from None
            deadline = time.monotonic() + FAREWELL_SECONDS
            while not scheduler.all_know and time.monotonic() < deadline:
                time.sleep(0.05)
