"""Where a phone finds this machine: its addresses, a certificate for them, and their picture for a camera."""

from __future__ import annotations

import io
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from devices.facts import attempt

DAYS = 7
"""How long a certificate holds: iPhones distrust those that hold for years."""


def lan() -> list[str]:
    """This machine's IPv4 addresses that others may reach, the one of the default route first."""
    import psutil

    first = attempt(_default_route)
    there = {
        address.address
        for addresses in (attempt(psutil.net_if_addrs) or {}).values()
        for address in addresses
        if address.family == socket.AF_INET
    }
    there |= {first} if first else set()
    away = [address for address in there if not IPv4Address(address).is_loopback]
    return sorted(away, key=lambda address: (address != first, address))


def certificate(folder: Path, names: Sequence[str]) -> tuple[Path, Path]:
    """Write a certificate for `names` (addresses or hosts) and its key into `folder`; their paths."""
    import trustme

    issued = trustme.CA().issue_cert(*names, not_after=datetime.now(UTC) + timedelta(days=DAYS))
    chain, key = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    key.touch(mode=0o600)
    key.write_bytes(issued.private_key_pem.bytes())
    return chain, key


def qr(text: str) -> str:
    """`text` as a QR code in a terminal's characters."""
    import segno

    picture = io.StringIO()
    segno.make(text, error="l").terminal(picture, compact=True)
    return picture.getvalue()


def _default_route() -> str:
    """The address that packets to elsewhere leave from; none is sent. OSError where there is no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return str(probe.getsockname()[0])
