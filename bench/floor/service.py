"""One service of the floor: takes batches, publishes batches, keeps nothing."""

import asyncio
import base64
import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson

from bench.floor.events import TOPIC, created, encode, follow

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_LARGEST_GROUP = 200


class Floor:
    """An ASGI app without a framework."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._session: aiohttp.ClientSession | None = None
        self._waiting: list[tuple[bytes, str, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        body = await _read(receive)
        match scope["path"]:
            case "/events":
                await _answer(send, 200, await self._deliver(orjson.loads(body)))
            case "/orders":
                await _answer(send, 202, await self._place(orjson.loads(body)))
            case "/readyz" | "/healthz":
                await _answer(send, 200, {"status": "ready"})
            case _:
                await _answer(send, 404, {})

    async def _deliver(self, message: dict[str, Any]) -> dict[str, Any]:
        moment = _now()
        said: list[tuple[bytes, str]] = []
        for entry in message["entries"]:
            event = orjson.loads(base64.b64decode(entry["event"]))
            if (says := follow(self._service, event["type"], event["data"])) is not None:
                said.append((encode(self._service, *says, moment, event["id"]), says[1]["order_id"]))
        if said:
            await self._publish(said)
        return {"statuses": [{"entryId": entry["entryId"], "status": "SUCCESS"} for entry in message["entries"]]}

    async def _place(self, new: dict[str, Any]) -> dict[str, str]:
        order_id = os.urandom(16).hex()
        event = encode(self._service, "order.created.v1", created(order_id, new), _now(), "")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((event, order_id, future))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush())
        await future
        return {"order_id": order_id, "status": "accepted"}

    async def _flush(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:_LARGEST_GROUP], self._waiting[_LARGEST_GROUP:]
            await self._publish([(event, key) for event, key, _ in group])
            for _, _, future in group:
                future.set_result(None)

    async def _publish(self, events: Sequence[tuple[bytes, str]]) -> None:
        entries = [
            {
                "entryId": str(index),
                "event": base64.b64encode(event).decode(),
                "contentType": "application/octet-stream",
                "metadata": {"partitionKey": key},
            }
            for index, (event, key) in enumerate(events)
        ]
        path = f"/v1.0/publish/bulk/pubsub/{TOPIC[self._service]}?metadata.rawPayload=true"
        async with self._sidecar().post(path, data=orjson.dumps(entries)) as answer:
            if answer.status >= 300:
                raise RuntimeError(f"The sidecar did not publish: {answer.status} {await answer.text()}")

    def _sidecar(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                f"http://127.0.0.1:{os.environ['DAPR_HTTP_PORT']}",
                headers={"dapr-api-token": os.environ["DAPR_API_TOKEN"], "content-type": "application/json"},
            )
        return self._session


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _read(receive: Receive) -> bytes:
    parts: list[bytes] = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    encoded = orjson.dumps(body)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(encoded)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": encoded})
