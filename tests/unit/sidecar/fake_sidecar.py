"""A sidecar over HTTP that lies, breaks off and refuses on demand, on top of the models the engine is tested with."""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import orjson
from aiohttp import web

from choreography.engine.identity import Key
from choreography.engine.operations import ANY_ETAG, Committed, Conflict, Refused, Stored, Write
from choreography.settings import Settings
from tests.unit.engine.store import Store

Fault = Literal["none", "breaks off before", "breaks off after", "500 before", "500 after", "400", "partly"]


class Hashed(Key):
    """A key as a sidecar gets it: its id is already hashed."""

    @classmethod
    def read(cls, text: str) -> Hashed:
        """Take the text apart."""
        return cls(*text.split("."))

    def __str__(self) -> str:
        return ".".join(self)


@dataclass
class FakeSidecar:
    """Answers like daprd on PostgreSQL and Redis.

    Attributes:
        faults: what happens to the next calls of a kind (read, confirm, commit, publish, schedule); nothing once empty.
        on_publish: called for every accepted event, by topic.
        slow: seconds by which the answers to a kind of call come late.
        calls: how many events each call to publish carried, by topic.
        broker: the type of its pub/sub component.
        scheduler: whether it is connected to one.
        forbidden: topics that no scope lets the service publish to.
        clock_ahead: how far the clock of its store is ahead; None if it does not tell when a record will expire.
    """

    store: Store = field(default_factory=Store)
    published: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    jobs: list[dict[str, Any]] = field(default_factory=list)
    faults: dict[str, deque[Fault]] = field(default_factory=dict)
    on_publish: Callable[[str, dict[str, Any]], Awaitable[None]] | None = None
    slow: dict[str, float] = field(default_factory=dict)
    calls: list[tuple[str, int]] = field(default_factory=list)
    broker: str = "pubsub.redis"
    scheduler: bool = True
    forbidden: set[str] = field(default_factory=set)
    clock_ahead: timedelta | None = timedelta(0)
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def will(self, kind: str, *faults: Fault, times: int = 1) -> None:
        """Set what happens to the next calls."""
        self.faults.setdefault(kind, deque()).extend(faults * times)

    def settings(self, **more: Any) -> Settings:
        """Return the settings of a service that has this sidecar."""
        return Settings(sidecar=f"http://127.0.0.1:{self.port}", **more)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[FakeSidecar]:
        """Listen for as long as the block lasts."""
        app = web.Application(client_max_size=32 * 1024 * 1024)
        app.router.add_post("/v1.0/state/statestore/bulk", self._read)
        app.router.add_post("/v1.0/state/statestore/transaction", self._commit)
        app.router.add_get("/v1.0/state/statestore/{key}", self._confirm)
        app.router.add_post("/v1.0/publish/bulk/{pubsub}/{topic}", self._publish)
        app.router.add_post("/v1.0/jobs/{name}", self._schedule)
        app.router.add_get("/v1.0/healthz/outbound", self._healthy)
        app.router.add_get("/v1.0/metadata", self._metadata)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            for task in self._tasks:
                task.cancel()
            await runner.cleanup()

    async def _fated(self, request: web.Request, kind: str, act: Callable[[], web.Response]) -> web.Response:
        await asyncio.sleep(self.slow.get(kind, 0.0))
        fault: Fault = self.faults[kind].popleft() if self.faults.get(kind) else "none"
        if fault == "400":
            return web.json_response({"message": "this request is not acceptable"}, status=400)
        if fault == "500 before":
            return web.json_response({"message": "the component is in trouble"}, status=500)
        answer = act() if fault != "breaks off before" else web.Response()
        if fault.startswith("breaks off"):
            assert request.transport is not None
            request.transport.abort()
        if fault == "500 after":
            return web.json_response({"message": "the component is in trouble"}, status=500)
        return answer

    async def _read(self, request: web.Request) -> web.Response:
        keys = [Hashed.read(text) for text in (await request.json())["keys"]]
        # A service looks by itself for notes that wait for its release; tests of reads are not about those.
        kind = "look" if all(key.kind == "not-yet" for key in keys) else "read"
        partly = bool(self.faults.get(kind)) and self.faults[kind][0] == "partly"

        def act() -> web.Response:
            values = self.store.read(keys)
            items: list[dict[str, Any]] = []
            for key in keys:
                stored = values.found.get(key)
                if partly:
                    items.append({"key": str(key), "error": "canceling statement due to lock timeout"})
                elif stored is not None:
                    items.append({"key": str(key), "data": stored.value, "etag": stored.etag})
                else:
                    items.append({"key": str(key)})
            return web.json_response(items)

        return await self._fated(request, kind, act)

    async def _confirm(self, request: web.Request) -> web.Response:
        def act() -> web.Response:
            key = request.match_info["key"]
            stored = self.store.confirm(key)
            if not isinstance(stored, Stored):
                return web.Response(status=204)
            return web.Response(body=orjson.dumps(stored.value), headers={"etag": stored.etag} | self._expiry(key))

        return await self._fated(request, "confirm", act)

    def _expiry(self, key: str) -> dict[str, str]:
        ttl = self.store.ttls.get(key)
        if ttl is None or self.clock_ahead is None:
            return {}
        moment = datetime.now(UTC) + self.clock_ahead + timedelta(seconds=ttl)
        return {"metadata.ttlExpireTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}

    async def _commit(self, request: web.Request) -> web.Response:
        writes = [_write(one["request"]) for one in (await request.json())["operations"]]

        def act() -> web.Response:
            match self.store.commit(sorted(writes, key=lambda write: write.key)):
                case Committed():
                    return web.Response(status=204)
                case Conflict(detail):
                    return web.json_response({"message": detail}, status=500)
                case Refused(detail):
                    return web.json_response({"message": detail}, status=400)
                case other:
                    return web.json_response({"message": str(other)}, status=500)

        return await self._fated(request, "commit", act)

    async def _publish(self, request: web.Request) -> web.Response:
        entries: Sequence[dict[str, Any]] = await request.json()
        topic = request.match_info["topic"]
        if request.match_info["pubsub"] not in ("pubsub", f"pubsub-{topic}"):
            return web.json_response({"errorCode": "ERR_PUBSUB_NOT_FOUND"}, status=404)
        if topic in self.forbidden:
            return web.json_response({"errorCode": "ERR_PUBSUB_FORBIDDEN"}, status=403)
        if entries:
            # An empty batch only asks whether the topic may be published to.
            self.calls.append((topic, len(entries)))
        partly = bool(self.faults.get("publish")) and self.faults["publish"][0] == "partly"

        def act() -> web.Response:
            taken = entries[1:] if partly else entries
            for entry in taken:
                event = orjson.loads(base64.b64decode(entry["event"]))
                self.published.append((topic, event))
                if self.on_publish is not None:
                    task = asyncio.ensure_future(self.on_publish(topic, event))
                    self._tasks.add(task)
            if partly:
                return web.json_response({"failedEntries": [{"entryId": entries[0]["entryId"]}]}, status=500)
            return web.Response(status=204)

        return await self._fated(request, "publish", act)

    async def _schedule(self, request: web.Request) -> web.Response:
        job = await request.json()

        def act() -> web.Response:
            self.jobs.append(job | {"name": request.match_info["name"]})
            return web.Response(status=204)

        return await self._fated(request, "schedule", act)

    async def _healthy(self, _request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def _metadata(self, _request: web.Request) -> web.Response:
        components = [{"name": "pubsub", "type": self.broker}, {"name": "statestore", "type": "state.postgresql"}]
        scheduler = {"connected_addresses": ["127.0.0.1:1"]} if self.scheduler else None
        return web.json_response({"components": components, "scheduler": scheduler})


def _write(request: dict[str, Any]) -> Write:
    ttl = (request.get("metadata") or {}).get("ttlInSeconds")
    etag = request.get("etag") if request.get("options") else ANY_ETAG
    return Write(Hashed.read(request["key"]), request.get("value"), etag, int(ttl) if ttl else None)


@asynccontextmanager
async def alive(app: Any) -> AsyncIterator[None]:
    """Let an ASGI app start, and let it stop at the end."""
    coming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    going: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    running = asyncio.ensure_future(app({"type": "lifespan", "asgi": {"version": "3.0"}}, coming.get, going.put))
    await coming.put({"type": "lifespan.startup"})
    assert (await going.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await coming.put({"type": "lifespan.shutdown"})
        await going.get()
        with suppress(asyncio.CancelledError):
            await running


async def ask(app: Any, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Send one request straight to an ASGI app."""
    sent: list[dict[str, Any]] = []
    left = [{"type": "http.request", "body": orjson.dumps(body) if body is not None else b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if left:
            return left.pop()
        await asyncio.Event().wait()
        raise AssertionError("nothing comes after an event that never happens")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [(b"content-type", b"application/json"), (b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, send)
    text = b"".join(message.get("body", b"") for message in sent[1:])
    return int(sent[0]["status"]), orjson.loads(text) if text else None


async def until(holds: Callable[[], Awaitable[bool]], patience: float = 20.0) -> None:
    """Repeat a check until it holds."""
    for _ in range(int(patience / 0.02)):
        if await holds():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"it did not hold within {patience} s")


async def ready(app: Any) -> bool:
    """Tell whether a service says that it is."""
    return (await ask(app, "GET", "/readyz"))[0] == 200


def batch(topic: str, *events: dict[str, Any]) -> dict[str, Any]:
    """Return a bulk delivery as the sidecar sends it."""
    return {
        "topic": topic,
        "entries": [
            {"entryId": str(place), "event": base64.b64encode(orjson.dumps(event)).decode()}
            for place, event in enumerate(events)
        ],
    }
