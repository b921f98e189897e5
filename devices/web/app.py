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
from devices.contract import Job, MeasurementFailed
from devices.web import answer, described
from devices.web.scheduler import ClientSession, Refused, Scheduler
from devices.web.site import Handler, Pages, Routes

DIGITS = 6
"""Of a configuration's number in an address."""


@dataclass
class Site(Pages):
    """One run's pages. `asked` are the configurations in the order in which every phone measures them."""

    asked: Sequence[Job]
    scheduler: Scheduler

    def routes(self) -> Routes:
        return {
            **super().routes(),
            "/plan": (self.plan, "GET"),
            "/models/{index}": (self.model, "GET"),
            "/frames/{index}": (self.frames, "GET"),
            "/join": (self.join, "POST"),
            "/phones/{id}/next": (self.next, "POST"),
            "/phones/{id}/cells/{index}/alive": (self.alive, "POST"),
            "/phones/{id}/cells/{index}/masks": (self.masks, "PUT"),
            "/phones/{id}/cells/{index}/labels": (self.labels, "PUT"),
            "/phones/{id}/cells/{index}/result": (self.result, "PUT"),
            "/phones/{id}/cells/{index}/failure": (self.failure, "PUT"),
        }

    def tick(self) -> None:
        self.scheduler.tick()

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
            client = self.scheduler.join(answer.flat("facts", facts), before if isinstance(before, str) else None)
        except MeasurementFailed as reason:
            raise HTTPException(422, str(reason)) from None
        return JSONResponse({"phone": client.id, "name": client.name, "measured": client.at})

    async def next(self, request: Request) -> Response:
        index = self.scheduler.next(self._client(request))
        if index is None:
            return JSONResponse({"end": True})
        job = self.asked[index]
        # Configurations of one run share their frames: the page fetches them once.
        first = next(i for i, other in enumerate(self.asked) if other.frames == job.frames)
        return JSONResponse(
            {
                "index": index,
                **_told(job),
                "resolution": job.config.resolution,
                "sequences": job.sequences,
                "counts": asdict(job.counts),
                "labels": jobs.gives_labels(job),
                "model": f"models/{index}",
                "frames": f"frames/{first}",
            }
        )

    async def alive(self, request: Request) -> Response:
        """Whether the page is to go on with the configuration that it measures."""
        return JSONResponse({"go_on": self.scheduler.is_measuring(self._client(request), self._index(request))})

    async def masks(self, request: Request) -> Response:
        client, index = self._measuring(request)
        job = self.asked[index]
        masks = await _body(request, answer.masks_bytes(job))
        self._answer(client, index).joinpath("masks.f32").write_bytes(masks)
        return Response(status_code=204)

    async def labels(self, request: Request) -> Response:
        client, index = self._measuring(request)
        job = self.asked[index]
        if not jobs.gives_labels(job):
            raise HTTPException(404)
        labels = await _body(request, answer.labels_bytes(job))
        self._answer(client, index).joinpath(jobs.LABELS_FILE).write_bytes(labels)
        return Response(status_code=204)

    async def result(self, request: Request) -> Response:
        """The last part of an answer. A bad one costs its configuration; the page is told why."""
        client, index = self._measuring(request)
        job = self.asked[index]
        try:
            text = await _body(request, answer.RESULT_BYTES)
        except HTTPException as reason:
            self.scheduler.end(client, index, MeasurementFailed(f"the answer is too long: {reason.detail}"))
            raise
        elapsed = self.scheduler.elapsed(client)
        folder = jobs.describe(self._answer(client, index), job)
        (folder / "result.json").write_bytes(text)
        try:
            result = await run_in_threadpool(answer.read, folder, job, client.facts, client.tries - 1, elapsed)
        except MeasurementFailed as reason:
            self.scheduler.end(client, index, reason)
            return JSONResponse({"refused": str(reason)}, 422)
        self.scheduler.end(client, index, result)
        return Response(status_code=204)

    async def failure(self, request: Request) -> Response:
        client, index = self._measuring(request)
        reason = _json(await _body(request, answer.FACTS_BYTES)).get("reason")
        told = reason if isinstance(reason, str) and reason.strip() else "the page gave no reason"
        words = "".join(c if c.isprintable() else " " for c in told[: answer.TEXT])
        self.scheduler.end(client, index, MeasurementFailed(words))
        return Response(status_code=204)

    def _client(self, request: Request) -> ClientSession:
        return self.scheduler.client(request.path_params["id"])

    def _index(self, request: Request) -> int:
        index = request.path_params["index"]
        if not (index.isascii() and index.isdecimal() and len(index) <= DIGITS):
            raise HTTPException(404)
        return int(index)

    def _asked(self, request: Request) -> Job:
        if self._index(request) >= len(self.asked):
            raise HTTPException(404)
        return self.asked[self._index(request)]

    def _measuring(self, request: Request) -> tuple[ClientSession, int]:
        client, index = self._client(request), self._index(request)
        if not self.scheduler.is_measuring(client, index):
            raise Refused(f"this phone is not measuring configuration {index}")
        return client, index

    def _answer(self, client: ClientSession, index: int) -> Path:
        folder = self.folder / f"{list(self.scheduler.clients).index(client.id)}-{index}"
        folder.mkdir(exist_ok=True)
        return folder


def _told(job: Job) -> dict[str, Any]:
    return {
        "variant": job.config.variant,
        "format": job.config.format,
        "precision": job.config.precision,
        "unit": job.config.unit,
        "threads": job.config.threads,
        "described": described.told(job),
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
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise HTTPException(422, "not a JSON object")
    return values
