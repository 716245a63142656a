"""The checkout flow as customers and operators reach it: over HTTP, and over the broker for faults."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import orjson
import redis.asyncio
from multidict import CIMultiDict

from choreography.flow import services_of
from choreography.topics import CONTROL, TopicNaming
from choreography.up import RunningFlow

PATIENCE = 60.0
ON_BROKER = TopicNaming("checkout").on_broker

T = TypeVar("T")


@dataclass(frozen=True)
class Event:
    """One event as it stands on the broker; its topic is named as in the flow."""

    topic: str
    entry: str
    raw: bytes

    @property
    def attributes(self) -> dict[str, Any]:
        """The attributes of the event, its envelope included."""
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed


class Checkout:
    """One running checkout flow."""

    topics = tuple(sorted({topic for service in services_of("apps.checkout") for topic in service.topics}))

    def __init__(self, flow: RunningFlow, session: aiohttp.ClientSession, broker: redis.asyncio.Redis) -> None:
        self.flow, self._session, self.broker = flow, session, broker

    async def post(
        self, service: str, path: str, body: Any, key: str = "", raw: bytes | None = None
    ) -> tuple[int, Any]:
        """Send one request."""
        status, answer, _ = await self.post_with_headers(service, path, body, key, raw)
        return status, answer

    async def post_with_headers(
        self, service: str, path: str, body: Any, key: str = "", raw: bytes | None = None
    ) -> tuple[int, Any, CIMultiDict[str]]:
        """Send one request and return the answer's headers too."""
        headers = {"content-type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        data = raw if raw is not None else orjson.dumps(body)
        async with self._session.post(self.flow.address(service) + path, data=data, headers=headers) as response:
            return response.status, await _json(response), response.headers.copy()

    async def put(self, service: str, path: str, body: Any) -> tuple[int, Any]:
        """Send one request."""
        async with self._session.put(self.flow.address(service) + path, json=body) as response:
            return response.status, await _json(response)

    async def get(self, service: str, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Ask."""
        async with self._session.get(self.flow.address(service) + path, headers=headers) as response:
            return response.status, await _json(response)

    async def stock(self, sku: str, quantity: int) -> None:
        """Put goods on a shelf and wait until they are there."""
        _, before = await self.get("inventory", f"/stock/{sku}")
        had = before.get("available", 0)
        status, _ = await self.post("inventory", "/stock", {"sku": sku, "quantity": quantity})
        assert status == 202
        await self.until(lambda: self._available(sku), lambda available: available >= had + quantity)

    async def _available(self, sku: str) -> int:
        _, shelf = await self.get("inventory", f"/stock/{sku}")
        return int(shelf.get("available", 0))

    async def place(self, sku: str, quantity: int = 1, price: int = 500, key: str = "") -> str:
        """Place an order of one line."""
        body = {
            "customer_id": "customer-1",
            "currency": "EUR",
            "lines": [{"sku": sku, "quantity": quantity, "unit_price": price}],
        }
        status, answer = await self.post("order", "/orders", body, key)
        assert status == 202, answer
        return str(answer["order_id"])

    async def order(self, order_id: str) -> dict[str, Any]:
        """Show an order."""
        _, order = await self.get("order", f"/orders/{order_id}")
        return dict(order)

    async def ended(self, order_id: str, status: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Wait until an order has ended as it should."""
        order = await self.until(
            lambda: self.order(order_id), lambda one: one.get("status") in ("completed", "cancelled"), patience
        )
        assert order["status"] == status, order
        return order

    async def ledger(self, order_id: str) -> dict[str, Any]:
        """Return the provider's totals for an order: the sums of charges and refunds, and the number of charges."""
        _, entries = await self.get("payment-provider", f"/ledger/{order_id}")
        return {
            "charged": sum(one["amount"] for one in entries["charges"]),
            "refunded": sum(one["amount"] for one in entries["refunds"]),
            "charges": len(entries["charges"]),
        }

    async def faults(self, **faults: Any) -> None:
        """Set the provider's fault switches; none means that it behaves."""
        status, answer = await self.put("payment-provider", "/faults", faults)
        assert status == 200, answer

    async def events(self, flow_id: str) -> list[Event]:
        """Return every event of one flow, in the order in which the broker took them."""
        found: list[Event] = []
        for topic in self.topics:
            found += [event for event in await self.entries(topic) if flow_id.encode() in event.raw]
        return sorted(found, key=lambda event: tuple(int(part) for part in event.entry.split("-")))

    async def entries(self, topic: str) -> list[Event]:
        """Return everything the broker holds on one topic."""
        found: Any = await self.broker.xrange(ON_BROKER(topic))
        return [Event(topic, entry.decode(), fields[b"data"]) for entry, fields in found]

    async def inject(self, topic: str, raw: bytes) -> None:
        """Put a message straight on the broker, as another program could."""
        await self.broker.xadd(ON_BROKER(topic), {"data": raw})

    async def forget(self, event: Event) -> None:
        """Delete an event from the broker, as an operator's mistake could."""
        await self.broker.xdel(ON_BROKER(event.topic), event.entry)

    async def dead_letters(self, service: str) -> list[dict[str, Any]]:
        """Return the dead letters of a service."""
        return [event.attributes["data"] for event in await self.entries(f"{service}-dead-letters")]

    async def nudge(self, nudge: str, events: list[Event]) -> None:
        """Ask every service to publish again what it recorded for these events, as the chronicle would."""
        sidecar = await self.flow.also_sidecar("chronicle", ON_BROKER(CONTROL))
        seen = [event.attributes for event in events]
        body = {
            "specversion": "1.0",
            "id": nudge,
            "type": "choreography.nudge.v1",
            "source": "chronicle",
            "subject": nudge,
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "data": {"events": seen},
        }
        async with self._session.post(
            f"{sidecar.url}/v1.0/publish/pubsub/{ON_BROKER(CONTROL)}?metadata.rawPayload=true",
            data=orjson.dumps(body),
            headers={"dapr-api-token": sidecar.token, "content-type": "application/cloudevents+json"},
        ) as response:
            assert response.status == 204, await response.text()

    async def until(self, ask: Callable[[], Awaitable[T]], holds: Callable[[T], bool], patience: float = PATIENCE) -> T:
        """Repeat a check until it holds."""
        deadline = time.monotonic() + patience
        while True:
            answer = await ask()
            if holds(answer):
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"after {patience} s it was still {answer!r}")
            await asyncio.sleep(0.05)


async def _json(response: aiohttp.ClientResponse) -> Any:
    text = await response.text()
    try:
        return orjson.loads(text) if text else {}
    except orjson.JSONDecodeError:
        return {"text": text}
