"""The delivery route: what the sidecar brings. A plain ASGI endpoint, since it is asked a thousand times a second."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

import orjson

from choreography.engine.delivery import Delivery, read_control, read_delivery, read_parsed, unreadable
from choreography.service import Service
from choreography.sidecar.client import Sidecar
from choreography.sidecar.driver import Driver
from choreography.sidecar.effects import Effects
from choreography.sidecar.self_check import Canaries
from choreography.telemetry import Metrics, Spans, traceparent_of
from choreography.topics import CONTROL, intents

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LARGEST_BODY: Final = 32 * 1024 * 1024


class Deliveries:
    """Takes deliveries, has them settled, and answers SUCCESS or RETRY for each. Never DROP: it ends the sidecar."""

    def __init__(
        self,
        service: Service,
        driver: Driver,
        sidecar: Sidecar,
        canaries: Canaries,
        effects: Effects,
        *,
        metrics: Metrics,
        spans: Spans,
        token: str,
        intake_open: bool = True,
    ) -> None:
        self._service, self._driver, self._sidecar, self._canaries = service, driver, sidecar, canaries
        self._effects = effects
        self._concerns, self._topics = driver.concerns, frozenset(service.hears)
        self._metrics, self._spans, self._token = metrics, spans, token.encode()
        self._intake_open = intake_open
        self.open = asyncio.Event()

    def trusts(self, scope: Scope) -> bool:
        """Tell whether the caller showed the sidecar's token."""
        shown = next((value for name, value in scope["headers"] if name == b"dapr-api-token"), b"")
        return not self._token or hmac.compare_digest(shown, self._token)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request of the sidecar."""
        if not self.trusts(scope):
            await _answer(send, 401, {"detail": "Only this service's own sidecar may deliver events."})
            return
        body = await _read(receive)
        if body is None:
            await _answer(send, 413, {"detail": f"A delivery must come whole and may have {_LARGEST_BODY} bytes."})
            return
        try:
            message = orjson.loads(body)
        except orjson.JSONDecodeError:
            message = {"data_base64": base64.b64encode(body).decode()}
        if isinstance(message, dict) and isinstance(message.get("entries"), list):
            await _answer(send, 200, {"statuses": await self._bulk(message)})
        else:
            done = await self._single(message if isinstance(message, dict) else {}, scope["path"])
            await _answer(send, 200, {"status": "SUCCESS" if done else "RETRY"})

    async def _bulk(self, message: dict[str, Any]) -> list[dict[str, str]]:
        topic = str(message.get("topic", ""))
        entries = [entry for entry in message["entries"] if isinstance(entry, dict)]
        deliveries = [self._entry(topic, entry) for entry in entries]
        done = iter(await self._settle(topic, [one for one in deliveries if one is not None]))
        return [
            {"entryId": str(entry.get("entryId")), "status": "SUCCESS" if one is None or next(done) else "RETRY"}
            for entry, one in zip(entries, deliveries, strict=True)
        ]

    def _entry(self, topic: str, entry: dict[str, Any]) -> Delivery | None:
        """Read one entry of a batch; None if it is no business of this service, as most are."""
        event = entry.get("event")
        raw = _decoded(event) if isinstance(event, str) else orjson.dumps(event)
        try:
            parsed = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return read_delivery(raw)
        if topic in self._topics and isinstance(parsed, dict) and not self._concerns(parsed.get("type")):
            return None
        return read_parsed(parsed, raw)

    async def _single(self, message: dict[str, Any], path: str) -> bool:
        raw = _raw_bytes(message)
        if path == "/undelivered":
            problem = "The sidecar could not read this message, so it is no event any service could have reacted to."
            delivery = unreadable(raw if raw is not None else orjson.dumps(message), problem)
        elif raw is not None:
            delivery = read_delivery(raw)
        else:
            delivery = read_parsed(message, orjson.dumps(message))
        return all(await self._settle(str(message.get("topic", "")), [delivery]))

    async def _settle(self, topic: str, deliveries: Sequence[Delivery]) -> list[bool]:
        with self._metrics.in_hand.track_inprogress():
            return await self._settled(topic, deliveries)

    async def _settled(self, topic: str, deliveries: Sequence[Delivery]) -> list[bool]:
        self._metrics.delivered.inc(len(deliveries))
        if not deliveries:
            return []
        if topic == self._canaries.topic:
            return [await self._canaries.arrived(delivery, self._sidecar) for delivery in deliveries]
        # Held and not refused, until the store is known to be safe: some brokers forget what was refused.
        await self.open.wait()
        spans = self._spans.begin(deliveries)
        traced = [
            delivery._replace(topic=topic, traceparent=traceparent_of(span) or delivery.traceparent)
            for delivery, span in zip(deliveries, spans, strict=True)
        ]
        try:
            if topic == CONTROL:
                return [all(await self._driver.submit(read_control(one, self._service.name))) for one in traced]
            if topic == intents(self._service.name):
                return list(await asyncio.gather(*(self._effects.later(one) for one in traced)))
            return await self._driver.submit(traced)
        finally:
            for span in spans:
                if span:
                    span.end()

    async def due(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a fired job: the deadlines of one batch, each an ordinary event of this service."""
        if not self.trusts(scope):
            await _answer(send, 401, {"detail": "Only this service's own sidecar may fire deadlines."})
            return
        if not self._intake_open:
            # The scheduler keeps it and asks again. What it says would go to a broker that is about to be left.
            await _answer(send, 503, {"detail": "The intake of this service is closed, so its deadlines wait."})
            return
        body = await _read(receive)
        events = _fired(body or b"")
        if events is None:
            # 404 would count as done, and the deadline would be gone.
            await _answer(send, 500, {"detail": "This job holds no deadlines that this release can read."})
            return
        deliveries = [read_delivery(event.encode())._replace(inside=True) for event in events]
        done = await self._settle("", deliveries)
        await _answer(send, 200 if all(done) else 500, {"fired": sum(done)})


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return text.encode()


def _raw_bytes(message: dict[str, Any]) -> bytes | None:
    encoded = message.get("data_base64")
    return _decoded(encoded) if isinstance(encoded, str) else None


def _fired(body: bytes) -> list[str] | None:
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if isinstance(data, dict) and isinstance(data.get("value"), dict):
        data = data["value"]
    events = data.get("events") if isinstance(data, dict) else None
    return [str(event) for event in events] if isinstance(events, list) and events else None


async def _read(receive: Receive) -> bytes | None:
    """Read a body; None if it is too large, or if the sidecar went away in the middle of it."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part = message.get("body", b"")
        size += len(part)
        if size > _LARGEST_BODY:
            return None
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


async def _answer(send: Send, status: int, body: dict[str, Any]) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})
