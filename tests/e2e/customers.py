"""A stream of orders while the cluster is disturbed, and the auditor who then reads all records."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as GoneError
from redis.exceptions import TimeoutError as LateError

from faults.audit import Finding, Seen, gather, judge
from faults.audit.evidence import Books, waiting
from faults.orders import HOT, PLENTY, SHELVES, Customers
from faults.replicated_flow import Broker, call_off
from faults.watching import Watch
from tests.e2e.checkout import OUTSIDE, Checkout, until

PER_SECOND = 5.0
QUIET = 240.0


class Stream:
    """Customers who order all the time."""

    def __init__(self, checkout: Checkout, broker: Broker, customers: Customers, delivered: dict[str, int]) -> None:
        self._checkout, self._broker, self._delivered = checkout, broker, delivered
        self.customers = customers
        self.watch = Watch()
        self.ordering = asyncio.create_task(customers.order(PER_SECOND, 0, 1_000_000, self.watch.ends))

    async def goes_on(self, orders: int = 25) -> None:
        """Wait until so many more orders have ended, which shows that the flow still works."""
        wanted = len(self.watch.ends) + orders

        async def ended() -> int:
            return len(self.watch.ends)

        await until(ended, lambda number: number >= wanted, within=180)

    async def audited(self) -> list[Finding]:
        """Stop the orders, wait until all is quiet, and check every rule."""
        await call_off(self.ordering)
        await self.customers.go_home()

        async def left() -> list[str]:
            behind = [one.topic for one in await waiting(self._broker) if one.pending or one.behind]
            ordered = [one for order in self.customers.orders for one in order.order_ids]
            return [*behind, *(one for one in ordered if one not in self.watch.ends)]

        await until(left, lambda some: not some, within=QUIET)
        await asyncio.sleep(5)  # an event that was answered late may still be published again
        now = (datetime.now(UTC) - timedelta(seconds=10)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        seen = Seen(self.customers.orders, self.watch.ends, {}, self._delivered, now)
        books = Books(
            dsn=await _dsn(self._checkout),
            broker=self._broker,
            session=self._checkout.session,
            provider=self._checkout.address(OUTSIDE),
        )
        return judge(await gather(books, seen))


@asynccontextmanager
async def ordering(checkout: Checkout) -> AsyncIterator[Stream]:
    """Stock the shelves and let customers order until the end."""
    at = urlsplit(checkout.address("redis"))
    patient = Retry(ConstantBackoff(0.5), 60)
    async with redis.asyncio.Redis(
        host=at.hostname or "", port=at.port or 0, retry=patient, retry_on_error=[GoneError, LateError]
    ) as client:
        delivered = dict.fromkeys(SHELVES, PLENTY) | {HOT: 200}
        await _stock(checkout, delivered)
        chance = random.Random(7)
        customers = Customers(checkout.session, [checkout.address("order")], chance, f"e2e-{time.time_ns():x}")
        stream = Stream(checkout, client, customers, delivered)
        watching = asyncio.create_task(stream.watch.ends_of_orders(client))
        try:
            yield stream
        finally:
            await call_off(stream.ordering, watching)


async def _stock(checkout: Checkout, delivered: dict[str, int]) -> None:
    address = f"{checkout.address('inventory')}/stock"
    for sku, quantity in delivered.items():
        async with checkout.session.post(address, json={"sku": sku, "quantity": quantity}) as answer:
            assert answer.status == 202, await answer.text()
    for sku, quantity in delivered.items():
        await until(lambda sku=sku: checkout.get("inventory", f"/stock/{sku}"), _holds(quantity))  # type: ignore[misc]


def _holds(quantity: int) -> Callable[[tuple[int, Any]], bool]:
    return lambda answer: answer[0] == 200 and answer[1]["available"] == quantity


async def _dsn(checkout: Checkout) -> str:
    """Return the owner's database URL from its Secret, with an address reachable from here."""
    secret = json.loads(await checkout.kubectl("get", "secret", "choreography-database-owner", "--output", "json"))
    url = base64.b64decode(secret["data"]["url"]).decode()
    return url.replace("@postgres:5432/", f"@{urlsplit(checkout.address('postgres')).netloc}/")


def broken(findings: Iterable[Finding]) -> list[str]:
    """Return the broken rules, each with a few of the findings."""
    return [f"{one.rule}: {len(one.offenders)}, such as {one.offenders[:4]}" for one in findings if one.offenders]
