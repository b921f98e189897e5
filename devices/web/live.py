"""The camera mode: a page that replaces the background in front of the phone's own camera, live.

The network goes to the page and nothing comes back: the site answers to GET alone, and the page may speak to no other.
Run in headless Chromium with a fake camera; not yet run on a phone.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from devices.web import packages
from devices.web.announce import Say, announce, say
from devices.web.serve import serving
from devices.web.site import HEADERS, Pages, Routes

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "worker-src 'self'",
        "connect-src 'self'",
        "style-src 'self'",
        "img-src data:",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a browser lets the page reach: the files of this site. Pictures from the camera could go nowhere else."""


@dataclass
class Live(Pages):
    """`model` is a TFLite file of the contract (frame, prev_mask) -> mask, of any resolution; `name` is said of it."""

    model: Path
    name: str
    first: ClassVar = "live.html"
    headers: ClassVar = {
        **HEADERS,
        "content-security-policy": POLICY,
        "permissions-policy": "camera=(self), microphone=()",
    }

    def routes(self) -> Routes:
        return {**super().routes(), "/about": (self.about, "GET"), "/model": (self.bytes, "GET")}

    async def about(self, request: Request) -> Response:
        return JSONResponse({"networks": [{"name": self.name, "model": "model"}]})

    async def bytes(self, request: Request) -> Response:
        return FileResponse(self.model, media_type="application/octet-stream")


def show(model: Path, name: str, usb: bool = True, say: Say = say) -> None:
    """Serve the page until Ctrl-C. NoPackages when the runtimes are not there and cannot be fetched."""
    packages.install()
    site = Live(model, name)
    with serving(site) as places:
        announce(places, site.token, usb, say)
        say("Ctrl-C ends it.")
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass
