"""A small shop with every kind of command and view, served over a sidecar that is a model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import orjson
import uvicorn

from choreography import Decision, Entity, Event, Id, Request, Service
from choreography.web.app import Front, build_app
from choreography.web.http_limits import LimitedHttp
from choreography.web.serving import configuration
from tests.unit.sidecar.fake_sidecar import FakeSidecar, alive, ready, until


class Placed(Event, type="order.placed.v1", subject="order_id"):
    """An order was placed."""

    order_id: str


class Order(Entity, key="order_id"):
    """One order."""

    order_id: str


class Place(Request):
    """Place an order under an id of one's own."""

    order_id: str


shop = Service("shop", publishes=[Placed])


@shop.command("POST /orders")
def place(body: Place) -> Placed:
    """Place an order."""
    return Placed(order_id=body.order_id)


@shop.command("POST /orders/{order_id}/again")
def again(order_id: Id) -> Placed:
    """Place an order once more; a command without a body."""
    return Placed(order_id=order_id)


@shop.command("POST /broken")
def broken(body: Place) -> Placed:
    """Fail."""
    raise KeyError(f"a mistake of the flow's author over {body.order_id}")


shop.view("/orders/{order_id}", Order)


@shop.on(Placed)
def begin(order: Order, _: Placed) -> Decision:
    """Keep the order."""
    return order.but()


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """What it says."""
        return orjson.loads(self.raw)

    @property
    def detail(self) -> str:
        """Why it was refused; every refusal is JSON."""
        assert self.headers["content-type"] == "application/json"
        return str(self.body["detail"])


@asynccontextmanager
async def shop_app(**settings: Any) -> AsyncIterator[tuple[Front, FakeSidecar]]:
    """Start the shop's app on a sidecar."""
    sidecar = FakeSidecar()
    async with sidecar.listening():
        app = build_app(shop, sidecar.settings(self_check=False, **settings), lambda _: None)
        async with alive(app):
            await until(lambda: ready(app))
            yield app, sidecar


async def _has_started(server: uvicorn.Server) -> bool:
    return server.started


@asynccontextmanager
async def shop_server(http: type[LimitedHttp] = LimitedHttp, **settings: Any) -> AsyncIterator[tuple[int, FakeSidecar]]:
    """Serve the shop as production does, on a free port of loopback."""
    sidecar = FakeSidecar()
    async with sidecar.listening():
        made = sidecar.settings(self_check=False, port=0, **settings)
        app = build_app(shop, made, lambda _: None)
        server = uvicorn.Server(configuration(app, made, http))
        # pytest handles signals.
        serving = asyncio.create_task(server._serve())
        try:
            await until(lambda: _has_started(server))
            await until(lambda: ready(app))
            yield server.servers[0].sockets[0].getsockname()[1], sidecar
        finally:
            server.should_exit = True
            await serving


async def send(
    app: Front,
    method: str,
    path: str,
    body: bytes = b"",
    headers: Iterable[tuple[str, str]] = (),
    *,
    gone: bool = False,
) -> Answer:
    """Send one request straight to an ASGI app; its client may leave before its body came."""
    coming: list[dict[str, Any]] = [] if gone else [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return coming.pop(0) if coming else {"type": "http.disconnect"}

    async def take(message: Any) -> None:
        sent.append(dict(message))

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in (("host", "shop.example"), *headers)],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    await app(scope, receive, take)
    fields = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], fields, b"".join(message.get("body", b"") for message in sent[1:]))
