"""What a page that measures may ask of this machine: the models and frames of this run, and to hand in answers."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from devices import job as jobs
from devices.contract import CellFailed, Job
from devices.web import answer
from devices.web.board import Board, Refused, Seat
from devices.web.site import Handler, Pages, Routes


@dataclass
class Site(Pages):
    """One run's pages. `asked` are the cells in the order in which every phone measures them."""

    asked: Sequence[Job]
    board: Board

    def routes(self) -> Routes:
        return {
            **super().routes(),
            "/plan": (self.plan, "GET"),
            "/models/{index:int}": (self.model, "GET"),
            "/frames/{index:int}": (self.frames, "GET"),
            "/join": (self.join, "POST"),
            "/phones/{id}/next": (self.next, "POST"),
            "/phones/{id}/cells/{index:int}/alive": (self.alive, "POST"),
            "/phones/{id}/cells/{index:int}/masks": (self.masks, "PUT"),
            "/phones/{id}/cells/{index:int}/result": (self.result, "PUT"),
            "/phones/{id}/cells/{index:int}/failure": (self.failure, "PUT"),
        }

    def tick(self) -> None:
        self.board.tick()

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        with tempfile.TemporaryDirectory(prefix="web-") as temporary:
            self.folder = Path(temporary)
            yield

    async def answer(self, handler: Handler, request: Request) -> Response:
        try:
            return await super().answer(handler, request)
        except Refused as refused:
            return JSONResponse({"refused": str(refused)}, 409)

    async def plan(self, request: Request) -> Response:
        """What the page says before it begins, and how often it must be heard of."""
        return JSONResponse({"cells": [_told(job) for job in self.asked]})

    async def model(self, request: Request) -> Response:
        return FileResponse(self._asked(request).model, media_type="application/octet-stream")

    async def frames(self, request: Request) -> Response:
        return FileResponse(self._asked(request).frames, media_type="application/octet-stream")

    async def join(self, request: Request) -> Response:
        told = _json(await _body(request, answer.FACTS_BYTES))
        facts, before = told.get("facts"), told.get("before")
        try:
            seat = self.board.join(answer.flat("facts", facts), before if isinstance(before, str) else None)
        except CellFailed as reason:
            raise HTTPException(422, str(reason)) from None
        return JSONResponse({"phone": seat.id, "name": seat.name, "measured": seat.at})

    async def next(self, request: Request) -> Response:
        index = self.board.next(self._seat(request))
        if index is None:
            return JSONResponse({"end": True})
        job = self.asked[index]
        # Cells of one run share their frames: the page fetches them once.
        first = next(i for i, other in enumerate(self.asked) if other.frames == job.frames)
        return JSONResponse(
            {
                "index": index,
                **_told(job),
                "resolution": job.config.resolution,
                "sequences": job.sequences,
                "counts": asdict(job.counts),
                "model": f"models/{index}",
                "frames": f"frames/{first}",
            }
        )

    async def alive(self, request: Request) -> Response:
        """Whether the page is to go on with the cell that it measures."""
        return JSONResponse({"go_on": self.board.expects(self._seat(request), self._index(request))})

    async def masks(self, request: Request) -> Response:
        seat, index = self._measuring(request)
        job = self.asked[index]
        masks = await _body(request, answer.masks_bytes(job))
        self._answer(seat, index).joinpath("masks.f32").write_bytes(masks)
        return Response(status_code=204)

    async def result(self, request: Request) -> Response:
        """The last part of an answer. A bad one costs its cell; the page is told why."""
        seat, index = self._measuring(request)
        job = self.asked[index]
        text = await _body(request, answer.RESULT_BYTES)
        folder = jobs.describe(self._answer(seat, index), job)
        (folder / "result.json").write_bytes(text)
        try:
            result = await run_in_threadpool(answer.read, folder, job, seat.facts, seat.tries - 1)
        except CellFailed as reason:
            self.board.end(seat, index, reason)
            return JSONResponse({"refused": str(reason)}, 422)
        self.board.end(seat, index, result)
        return Response(status_code=204)

    async def failure(self, request: Request) -> Response:
        seat, index = self._measuring(request)
        reason = _json(await _body(request, answer.FACTS_BYTES)).get("reason")
        words = "".join(c if c.isprintable() else " " for c in str(reason))[: answer.TEXT]
        self.board.end(seat, index, CellFailed(words))
        return Response(status_code=204)

    def _seat(self, request: Request) -> Seat:
        return self.board.seat(request.path_params["id"])

    def _index(self, request: Request) -> int:
        return int(request.path_params["index"])

    def _asked(self, request: Request) -> Job:
        if self._index(request) >= len(self.asked):
            raise HTTPException(404)
        return self.asked[self._index(request)]

    def _measuring(self, request: Request) -> tuple[Seat, int]:
        seat, index = self._seat(request), self._index(request)
        if not self.board.expects(seat, index):
            raise Refused(f"this phone is not measuring cell {index}")
        return seat, index

    def _answer(self, seat: Seat, index: int) -> Path:
        folder = self.folder / f"{list(self.board.seats).index(seat.id)}-{index}"
        folder.mkdir(exist_ok=True)
        return folder


def _told(job: Job) -> dict[str, Any]:
    return {
        "variant": job.config.variant,
        "format": job.config.format,
        "precision": job.config.precision,
        "unit": job.config.unit,
        "threads": job.config.threads,
        "peer": job.peer is not None,
    }


async def _body(request: Request, limit: int) -> bytes:
    """The request's body; 413 as soon as there is more than `limit` bytes of it."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise HTTPException(413, f"more than {limit} bytes")
    return bytes(body)


def _json(body: bytes) -> dict[str, Any]:
    try:
        values = json.loads(body)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise HTTPException(422, "not a JSON object")
    return values
