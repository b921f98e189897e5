"""Any phone's browser as a device: a page is served, and every phone that opens it measures all cells.

Run in headless Chromium; not yet run on a phone.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from devices.contract import CellFailed, Job
from devices.fleet import Began, Ended, Joined
from devices.web import packages
from devices.web.announce import Say, announce, say
from devices.web.board import Board

FIRST_PHONE_SECONDS = 1800.0
FAREWELL_SECONDS = 3.0
"""At most so long is the site kept for the last page to hear that this was all."""


@dataclass(frozen=True)
class Browsers:
    """A fleet: every phone whose browser opened the page."""

    patience: float = FIRST_PHONE_SECONDS
    """Seconds to wait for the first phone."""
    usb: bool = True
    """Whether the page is opened on Android phones that are attached."""
    say: Say = say

    def run_all(self, asked: Sequence[Job]) -> Iterator[Joined | Began | Ended]:
        """As devices.fleet.Fleet says; CellFailed also when no phone came within `patience`."""
        try:
            packages.install()
        except packages.NoPackages as reason:
            raise CellFailed(f"no page can be served: {reason}") from None
        from devices.web.app import Site
        from devices.web.serve import serving

        board = Board([job.time_limit for job in asked])
        site = Site(asked, board)
        with serving(site) as places:
            announce(places, site.token, self.usb, self.say)
            deadline = time.monotonic() + self.patience
            while not (board.over and board.told.empty()):
                try:
                    yield board.told.get(timeout=0.5)
                except queue.Empty:
                    if not board.seats and time.monotonic() > deadline:
                        raise CellFailed(f"no phone opened the page within {self.patience:.0f} s") from None
            deadline = time.monotonic() + FAREWELL_SECONDS
            while not board.all_know and time.monotonic() < deadline:
                time.sleep(0.05)
