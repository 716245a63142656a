"""The app behind the kit's sidecars: it records deliveries, and fails on request."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from choreography.runtime.bodies.batches import PACKED


@dataclass(frozen=True, slots=True)
class Received:
    """One delivery of one message."""

    topic: str
    raw: bytes
    replica: str
    at: float
    batch: int

    @property
    def text(self) -> str:
        """The message as text."""
        return self.raw.decode(errors="replace")


@dataclass
class RecordingApp:
    """An app of one or more replicas, each on a port of its own.

    Attributes:
        heard: every delivery, including those that were refused.
        done: the messages that were answered with SUCCESS.
        refuses: tells whether to answer a delivery with RETRY.
        gate: while it is closed, deliveries get no answer.
    """

    heard: list[Received] = field(default_factory=list)
    done: list[Received] = field(default_factory=list)
    refuses: Callable[[Received], bool] = lambda _: False
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    _runners: dict[str, web.AppRunner] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.gate.set()

    async def listen(self, replica: str, port: int) -> None:
        """Listen for one replica's sidecar."""
        app = web.Application(client_max_size=32 * 1024 * 1024)

        async def take(request: web.Request) -> web.Response:
            return await self._take(replica, request, runner)

        app.router.add_post("/events", take)
        app.router.add_post("/undelivered", take)
        # An app that stops drops its unfinished deliveries, as a killed app does.
        runner = web.AppRunner(app, shutdown_timeout=0.05)
        await runner.setup()
        self._runners[replica] = runner
        await web.TCPSite(runner, "127.0.0.1", port, reuse_address=True).start()

    async def stop(self, replica: str) -> None:
        """Stop listening, and break every connection."""
        runner = self._runners.pop(replica, None)
        if runner is not None:
            await runner.cleanup()

    async def close(self) -> None:
        """Stop listening for good."""
        self.gate.set()
        for replica in list(self._runners):
            await self.stop(replica)

    def texts(self, topic: str) -> list[str]:
        """The messages of one topic that were answered with SUCCESS, in order."""
        return [one.text for one in self.done if one.topic == topic]

    async def _take(self, replica: str, request: web.Request, life: web.AppRunner) -> web.Response:
        message: dict[str, Any] = orjson.loads(await request.read())
        entries = message.get("entries")
        one_by_one = entries is None
        # The messages of one pack are answered together, by their shared id.
        deliveries = [message] if entries is None else [one for said in entries for one in opened(said)]
        heard = [
            Received(str(message.get("topic", "")), _raw(one), replica, time.monotonic(), len(deliveries))
            for one in deliveries
        ]
        self.heard += heard
        await self.gate.wait()
        if self._runners.get(replica) is not life:
            # The app has died meanwhile. Its unfinished deliveries are not handled, though this process lives on.
            return web.Response(status=503)
        refused = [self.refuses(one) for one in heard]
        self.done += [one for one, no in zip(heard, refused, strict=True) if not no]
        if one_by_one:
            return web.json_response({"status": "RETRY" if refused[0] else "SUCCESS"})
        again = {entry["entryId"] for entry, no in zip(deliveries, refused, strict=True) if no}
        statuses = [
            {"entryId": entry_id, "status": "RETRY" if entry_id in again else "SUCCESS"}
            for entry_id in dict.fromkeys(entry["entryId"] for entry in deliveries)
        ]
        return web.json_response({"statuses": statuses})


def opened(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the content of an entry that is a pack, under its id; return any other entry unchanged."""
    if entry.get("contentType") != PACKED:
        return [entry]
    return [{**one, "entryId": entry["entryId"]} for one in orjson.loads(_raw(entry))["entries"]]


def _raw(entry: dict[str, Any]) -> bytes:
    event = entry.get("event", entry.get("data_base64", entry.get("data")))
    if isinstance(event, str):
        try:
            return base64.b64decode(event, validate=True)
        except ValueError:
            return event.encode()
    # Not raw: the sidecar has wrapped it in a CloudEvent.
    return orjson.dumps(event)
