"""Where the page is, told to whoever gave the command."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from devices.web.serve import Places

Say = Callable[[str], None]


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def announce(places: Places, token: str, usb: bool = True, say: Say = say) -> None:
    """Say the addresses of a site, the first as a QR code too; with `usb`, open it on Android phones on a cable."""
    from devices.web import address
    from devices.web import usb as cable

    for sentence in cable.open_page(places.port, f"{token}/") if usb else ():
        say(sentence)
    if places.lan:
        say(address.qr(places.lan[0]))
        say(f"On any phone in this network open {places.lan[0]}")
        say("and accept its certificate, which was made just now. Several phones may do so at once.")
    if len(places.lan) > 1:
        say(f"This machine is also at {', '.join(places.lan[1:])}")
    say(f"On this machine open {places.local}")
