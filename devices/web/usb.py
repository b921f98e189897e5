"""Android phones on a cable: adb lets them reach this machine as their own localhost, and opens the page there."""

from __future__ import annotations

import shlex

from devices.android.adb import Adb, NoAdb, attached
from devices.contract import MeasurementFailed

SECONDS = 30.0


def open_page(port: int, path: str) -> list[str]:
    """Open PATH of this machine's `port` on every Android phone that adb may use; what became of each, in sentences."""
    try:
        phones = attached()
    except (NoAdb, MeasurementFailed):
        return []
    return [listed.advice or _open(Adb(listed.serial), port, path) for listed in phones]


def _open(phone: Adb, port: int, path: str) -> str:
    try:
        address = f"http://localhost:{phone.reverse(port, SECONDS)}/{path}"
        said = phone.run(f"am start -a android.intent.action.VIEW -d {shlex.quote(address)}", SECONDS)
    except MeasurementFailed as reason:
        return f"The page was not opened on {phone.serial}: {reason}."
    if "Error" in said:
        return f"Open {address} on {phone.serial} by hand: {said.strip().splitlines()[-1][:200]}"
    return f"The page was opened on {phone.serial}: press its button."
