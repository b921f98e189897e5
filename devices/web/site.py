"""What every site of ours gives: a page, the scripts beside it and the runtimes, to whoever has the token.

Every path begins with the token; without it nothing answers but 404. All of it runs on one event loop.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import ClassVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from devices.web import packages

PAGE = Path(__file__).with_name("page")
KINDS = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".wasm": "application/wasm",
    ".svg": "image/svg+xml",
}
HEADERS = {
    # Threads: without these two no browser gives shared memory.
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
    "cross-origin-resource-policy": "same-origin",
    # The address holds the token.
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
}

Handler = Callable[[Request], Awaitable[Response]]
Routes = dict[str, tuple[Handler, str]]
"""A path after the token -> what answers there, and the method that it answers to."""


@dataclass
class Pages:
    """A site whose first page is `first`, a file of PAGE."""

    token: str = field(default_factory=lambda: secrets.token_urlsafe(12), kw_only=True)
    first: ClassVar = "index.html"
    headers: ClassVar = HEADERS

    def routes(self) -> Routes:
        return {
            "/": (self.index, "GET"),
            "/page/{name}": (self.page, "GET"),
            "/packages/{name:path}": (self.package, "GET"),
        }

    def tick(self) -> None:
        """Called every second, on the event loop."""

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """What lasts as long as the site is on the air."""
        yield

    def app(self) -> ASGIApp:
        listed = [
            Route("/{token}" + path, partial(self.answer, handler), methods=[method])
            for path, (handler, method) in self.routes().items()
        ]
        return _with_headers(self._guarded(Starlette(routes=listed, lifespan=self.lifespan)), self.headers)

    async def answer(self, handler: Handler, request: Request) -> Response:
        try:
            return await handler(request)
        except ClientDisconnect:
            return Response(status_code=400)

    def _guarded(self, app: ASGIApp) -> ASGIApp:
        """`app` for addresses that begin with the token. Others are 404 before anything else is looked at.

        So a stranger does not learn which addresses and methods there are.
        """
        token = self.token.encode()

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            first = scope.get("path", "").removeprefix("/").partition("/")[0].encode(errors="replace")
            known = scope["type"] == "lifespan" or secrets.compare_digest(first, token)
            await (app if known else Response("Not Found", 404))(scope, receive, send)

        return guarded

    async def index(self, request: Request) -> Response:
        return _file(PAGE / self.first)

    async def page(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in {path.name for path in PAGE.iterdir()}:
            raise HTTPException(404)
        return _file(PAGE / name)

    async def package(self, request: Request) -> Response:
        name = request.path_params["name"]
        content = packages.read(name)
        if content is None:
            raise HTTPException(404)
        return Response(content, media_type=KINDS[Path(name).suffix])


def _file(path: Path) -> Response:
    return Response(path.read_bytes(), media_type=KINDS[path.suffix])


def _with_headers(app: ASGIApp, fixed: dict[str, str]) -> ASGIApp:
    headers = [(name.encode(), value.encode()) for name, value in fixed.items()]

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *headers]
            await send(message)

        await app(scope, receive, sending)

    return wrapped
