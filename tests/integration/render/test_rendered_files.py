"""The rendered files in a real sidecar, with real Redis and SQLite, and an app that records deliveries."""

import asyncio
import base64
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from aiohttp import web

from choreography.progress import Progress
from choreography.up import Tools, prepare
from choreography.up.brokers.redis import find_redis
from choreography.up.ports import Ports
from tests.rendered_flow import rendered_flow

LOOPBACK: Final = "127.0.0.1"
PATIENCE: Final = 20.0
APP_ID: Final = "order"
Entry = dict[str, Any]

SOMEBODY: Final = """\
apiVersion: dapr.io/v1alpha1
kind: Resiliency
metadata:
  name: somebody
spec:
  policies:
    retries:
      few:
        policy: constant
        maxRetries: 2
  targets:
    components:
      pubsub:
        outbound:
          retry: few
"""
"""Harmless to look at: it says nothing about deliveries."""


@pytest.fixture(scope="session")
def tools() -> Tools:
    """The programs, as `choreography up` finds them."""
    return prepare(Progress.silent(), broker="redis", store="sqlite", zipkin=False)


class App:
    """Records the deliveries of its sidecar, and answers RETRY to those that a test names."""

    def __init__(self) -> None:
        self.events: list[Entry] = []
        self.undelivered: list[Entry] = []
        self.refuse_once: set[str] = set()

    def routes(self) -> list[web.RouteDef]:
        """The two routes of the subscriptions."""
        return [web.post("/events", self._events), web.post("/undelivered", self._undelivered)]

    def ids(self) -> list[str]:
        """The ids of the events so far, in the order they came."""
        return [identity for entry in self.events if (identity := _id_of(entry))]

    def texts(self) -> list[bytes]:
        """The deliveries so far, to the byte."""
        return [_bytes_of(entry) for entry in self.events]

    async def _events(self, request: web.Request) -> web.Response:
        entries: list[Entry] = (await request.json())["entries"]
        self.events += entries
        return web.json_response({"statuses": [self._answer(entry) for entry in entries]})

    def _answer(self, entry: Entry) -> dict[str, str]:
        refused = _id_of(entry) in self.refuse_once
        self.refuse_once.discard(_id_of(entry))
        return {"entryId": entry["entryId"], "status": "RETRY" if refused else "SUCCESS"}

    async def _undelivered(self, request: web.Request) -> web.Response:
        self.undelivered.append(await request.json())
        return web.json_response({"status": "SUCCESS"})


def _bytes_of(entry: Entry) -> bytes:
    """Return the bytes of a raw payload, which travels in base64."""
    return base64.b64decode(entry["event"] or "")


def _id_of(entry: Entry) -> str:
    try:
        return str(json.loads(_bytes_of(entry))["id"])
    except (ValueError, TypeError, KeyError):
        return ""


class Stage:
    """One app with its sidecar on the rendered files."""

    def __init__(self, app: App, url: str, redis: int, http: aiohttp.ClientSession) -> None:
        self.app, self.http = app, http
        self._url, self._redis = url, redis

    async def publish(self, topic: str, *ids: str) -> int:
        """Publish events in bulk as an engine would, and return the status. The topic is named as in the flow."""
        entries = [
            {
                "entryId": id_,
                "contentType": "application/cloudevents+json",
                "event": {"specversion": "1.0", "id": id_, "source": "test", "type": "order.created.v1", "data": {}},
            }
            for id_ in ids
        ]
        return await self.post(f"/v1.0/publish/bulk/pubsub/checkout.{topic}", entries)

    async def post(self, path: str, body: object) -> int:
        """Call the sidecar."""
        async with self.http.post(f"{self._url}{path}", json=body) as answer:
            return answer.status

    async def add(self, topic: str, data: bytes) -> None:
        """Put bytes into a stream without the sidecar, as a foreign program may."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self._redis)
        words = [b"XADD", f"checkout.{topic}".encode(), b"*", b"data", data]
        writer.write(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        assert (await reader.readline()).startswith(b"$")
        writer.close()


@asynccontextmanager
async def staged(
    tools: Tools, resources: Path, folder: Path, connection: str = "", store: str = "sqlite"
) -> AsyncIterator[Stage]:
    """Start Redis, the app and its sidecar, and stop them again."""
    ports = Ports(folder / "ports.json")
    redis, app_port, http = ports.of("redis"), ports.of("app"), ports.of("http")
    broker = find_redis(Progress.silent())
    app = App()
    web_app = web.Application()
    web_app.add_routes(app.routes())
    runner = web.AppRunner(web_app)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, app_port).start()
    url = f"http://{LOOPBACK}:{http}"
    command = [
        *[str(tools.daprd), "--app-id", APP_ID, "--app-port", str(app_port), "--dapr-http-port", str(http)],
        *["--dapr-grpc-port", str(ports.of("grpc")), "--dapr-internal-grpc-port", str(ports.of("internal"))],
        *["--dapr-public-port", str(ports.of("public")), "--metrics-port", str(ports.of("metrics"))],
        *["--dapr-listen-addresses", LOOPBACK, "--dapr-internal-grpc-listen-address", LOOPBACK],
        *["--placement-host-address", "", "--scheduler-host-address", ""],
        *["--resources-path", str(resources), "--resources-path", str(rendered().parent / "stores" / store)],
        *["--disable-init-endpoints", "subscribe"],
    ]
    where = {"REDIS_HOST": f"{LOOPBACK}:{redis}", "STATE_CONNECTION": connection or str(folder / "state.db")}
    try:
        with (
            running(broker.command(redis, folder), folder / "redis.log"),
            running(command, folder / "daprd.log", where) as sidecar,
        ):
            async with aiohttp.ClientSession() as client:
                await ready(client, f"{url}/v1.0/healthz", sidecar, folder / "daprd.log")
                yield Stage(app, url, redis, client)
    finally:
        await runner.cleanup()
        ports.release()


@pytest.fixture
async def stage(tools: Tools, tmp_path: Path) -> AsyncIterator[Stage]:
    """The files as they are rendered."""
    async with staged(tools, rendered(), tmp_path) as opened:
        yield opened


def rendered() -> Path:
    """The folder of the checkout flow on Redis; the folders of the stores are beside it."""
    return rendered_flow() / "dapr" / "redis"


class running:  # noqa: N801 - reads like the functions around it
    """Run a program for the length of a block."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str] | None = None) -> None:
        self._command, self._log, self._environment = command, log, environment or {}

    def __enter__(self) -> subprocess.Popen[bytes]:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self._process

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


async def ready(client: aiohttp.ClientSession, url: str, sidecar: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the sidecar has loaded everything, or show why it ended."""
    async with asyncio.timeout(PATIENCE):
        while True:
            assert sidecar.poll() is None, shown(log)
            try:
                async with client.get(url) as answer:
                    if answer.status == 204:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)


def shown(log: Path) -> str:
    """Return the end of a log."""
    return log.read_text()[-4000:]


async def until(true: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 - what is waited for happens in another process
            await asyncio.sleep(0.02)


async def test_what_is_published_in_bulk_is_delivered_in_bulk(stage: Stage) -> None:
    """Two hundred events at once arrive once each, in far fewer requests."""
    ids = [f"e{number}" for number in range(200)]
    assert await stage.publish("order.created", *ids) == 204
    await until(lambda: len(stage.app.events) >= 200)
    assert sorted(stage.app.ids()) == sorted(ids)


async def test_an_event_answered_with_retry_comes_back_alone(stage: Stage) -> None:
    """The inbound retry policy is in effect; without it Redis would lose the event."""
    stage.app.refuse_once.add("again")
    assert await stage.publish("order.created", "before", "again", "after") == 204
    await until(lambda: len(stage.app.events) >= 4)
    assert sorted(stage.app.ids()) == ["after", "again", "again", "before"]


async def test_the_canary_comes_back_too(stage: Stage) -> None:
    """It takes the same way as events; otherwise it would prove nothing."""
    stage.app.refuse_once.add("canary")
    assert await stage.publish("order-canary", "canary") == 204
    await until(lambda: stage.app.ids() == ["canary", "canary"])


@pytest.mark.parametrize("data", [b"this is not JSON", b"[1, 2]", b"\xff\xfe\x00", b""])
async def test_what_is_no_event_arrives_as_it_was_beside_its_neighbours(stage: Stage, data: bytes) -> None:
    """The sidecar parses nothing, so it delivers every byte, and the service can quarantine the event."""
    around = [json.dumps({"id": "before"}).encode(), json.dumps({"id": "after"}).encode()]
    for text in (around[0], data, around[1]):
        await stage.add("order.created", text)
    await until(lambda: len(stage.app.events) == 3)
    assert sorted(stage.app.texts()) == sorted([*around, data])
    assert not stage.app.undelivered


async def test_a_trace_that_is_no_text_does_not_end_the_sidecar(stage: Stage) -> None:
    """Before 1.18.3 a sidecar that parses it panics, again after every restart."""
    await stage.add("order.created", json.dumps({"id": "hostile", "traceparent": 5, "traceid": {"a": 1}}).encode())
    await until(lambda: stage.app.ids() == ["hostile"])
    assert await stage.publish("order.created", "next") == 204
    await until(lambda: "next" in stage.app.ids())


@pytest.mark.parametrize("topic", ["stock.reserved", "nudges", "inventory-dead-letters", "order.craeted"])
async def test_a_topic_outside_the_scope_is_refused(stage: Stage, topic: str) -> None:
    """Each family of events has one publisher, and a spelling mistake has none."""
    assert await stage.publish(topic, "mine") == 403


async def test_whether_a_topic_may_be_published_to_is_asked_without_publishing(stage: Stage) -> None:
    """An empty batch is refused like a full one, and reaches no consumer: the self-check asks in this way."""
    assert await stage.publish("order.created") == 204
    assert await stage.publish("stock.reserved") == 403
    assert await stage.post("/v1.0/publish/bulk/nobodys/checkout.order.created", []) == 404
    assert await stage.publish("order.created", "after") == 204
    await until(lambda: stage.app.ids() == ["after"])


@pytest.mark.parametrize("topic", ["order.created", "order-dead-letters"])
async def test_a_service_may_publish_where_its_declaration_says(stage: Stage, topic: str) -> None:
    """Scopes that refused too much would only show when an event is quarantined."""
    assert await stage.publish(topic, "mine") == 204


@asynccontextmanager
async def postgres(folder: Path) -> AsyncIterator[str]:
    """Start a PostgreSQL, and give the connection string of its database."""
    programs = prepare(Progress.silent(), broker="redis", store="postgres", zipkin=False).database
    assert programs is not None
    ports = Ports(folder / "postgres-port.json")
    server = programs(folder / "postgres", ports.of("postgres"), "checkout")
    server.prepare(Progress.silent())
    program = server.program(folder / "postgres.log")
    with running(list(program.command), program.log):
        async with asyncio.timeout(PATIENCE):
            await program.ready()
        yield server.dsn
    ports.release()


async def test_sqlite_refuses_a_key_that_was_taken_meanwhile(stage: Stage) -> None:
    """The whole transaction is refused with it, so that state and outcome always agree."""
    await refuses_a_taken_key(stage)


async def test_postgres_refuses_a_key_that_was_taken_meanwhile(tools: Tools, tmp_path: Path) -> None:
    """The same on a server that many replicas share."""
    async with postgres(tmp_path) as connection, staged(tools, rendered(), tmp_path, connection, "postgres") as stage:
        await refuses_a_taken_key(stage)


async def refuses_a_taken_key(stage: Stage) -> None:
    """Write one key twice, the second time beside a key that is free."""

    def first_write(key: str) -> dict[str, object]:
        options = {"concurrency": "first-write"}
        return {"operation": "upsert", "request": {"key": key, "value": "mine", "options": options}}

    path = "/v1.0/state/statestore/transaction"
    assert await stage.post(path, {"operations": [first_write("taken")]}) == 204
    assert await stage.post(path, {"operations": [first_write("free"), first_write("taken")]}) == 500
    assert await stage.post(path, {"operations": [first_write("free")]}) == 204


async def test_a_second_resiliency_for_the_broker_would_lose_the_event(tools: Tools, tmp_path: Path) -> None:
    """This is why the lint refuses it: the later of two resources replaces both policies of the other."""
    resources = tmp_path / "resources"
    shutil.copytree(rendered(), resources)
    (resources / "somebody.yaml").write_text(SOMEBODY)
    async with staged(tools, resources, tmp_path) as stage:
        stage.app.refuse_once.add("again")
        assert await stage.publish("order.created", "again") == 204
        # The dead letter topic catches it at its first failure; without such a topic it would be lost.
        await until(lambda: len(stage.app.undelivered) == 1)
        assert stage.app.ids() == ["again"]
