"""A site on the air: plain http for this machine and for phones on its cable, https for everybody else."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from devices.contract import MeasurementFailed
from devices.web import address
from devices.web.site import Pages

TICK_SECONDS = 1.0
START_SECONDS = 30.0


@dataclass(frozen=True)
class Places:
    """Where a site is served. Browsers count localhost as secure, so that the cable needs no certificate."""

    port: int
    """Of http on the loopback."""
    local: str
    lan: tuple[str, ...]


@contextmanager
def serving(site: Pages) -> Iterator[Places]:
    """Serve `site` in a thread of its own until the block ends."""
    addresses = address.lan()
    with (
        tempfile.TemporaryDirectory(prefix="certificate-") as folder,
        _listen("127.0.0.1") as plain,
        _listen("0.0.0.0") as secure,
    ):
        chain, key = address.certificate(Path(folder), ["localhost", "127.0.0.1", *addresses])
        # No page of ours has a WebSocket: without one a request for it is answered like any other.
        quiet = {"log_level": "critical", "access_log": False, "timeout_graceful_shutdown": 1, "ws": "none"}
        app = site.app()
        servers = [
            (uvicorn.Server(uvicorn.Config(app, **quiet)), plain),  # type: ignore[arg-type]
            (
                uvicorn.Server(uvicorn.Config(app, lifespan="off", ssl_certfile=chain, ssl_keyfile=key, **quiet)),  # type: ignore[arg-type]
                secure,
            ),
        ]
        failed: list[OSError] = []

        def serve() -> None:
            try:
                asyncio.run(_serve(site, servers))
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        _wait(thread, [server for server, _ in servers], failed)
        port, secure_port = plain.getsockname()[1], secure.getsockname()[1]
        try:
            yield Places(
                port,
                f"http://localhost:{port}/{site.token}/",
                tuple(f"https://{one}:{secure_port}/{site.token}/" for one in addresses),
            )
        finally:
            for server, _ in servers:
                server.should_exit = True
            thread.join(timeout=10)


def _wait(thread: threading.Thread, servers: list[uvicorn.Server], failed: list[OSError]) -> None:
    """Return when all answer: no address is told before. MeasurementFailed when one cannot."""
    end = time.monotonic() + START_SECONDS
    while not all(server.started for server in servers):
        if not thread.is_alive() or time.monotonic() > end:
            why = f" ({failed[0]})" if failed else ""
            raise MeasurementFailed(f"the page cannot be served: its server did not start{why}")
        time.sleep(0.01)


async def _serve(site: Pages, servers: list[tuple[uvicorn.Server, socket.socket]]) -> None:
    async def tick() -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            site.tick()

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(server.serve(sockets=[listener]) for server, listener in servers))
    ticking.cancel()


def _listen(host: str) -> socket.socket:
    return socket.create_server((host, 0))
