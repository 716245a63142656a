"""Accepted means accepted: the broker loses events of orders before delivery, on real sidecars."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import pytest
import redis.asyncio

from choreography.up import RunningFlow
from faults.audit.evidence import every_record, postgres_rows
from tests.integration.checkout_client import Checkout

EVERY: Final = 8.0
"""Seconds after which a reminder comes; long enough to see that nothing else healed what it heals."""
WITHIN: Final = 3 * EVERY + 15.0
"""Seconds within which an order that nobody asks for has ended after all: the first reminder on a machine that is not
busy, with a restart in between, or the next one where accepting took so long that the first one came meanwhile."""
_FAR: Final = "9999999999999-0"


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
async def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Checkout]:
    """Run the flow on Redis with one replica of order, or with two where the store can be shared."""
    flow = RunningFlow(
        "apps/checkout",
        tmp_path_factory.mktemp(f"accepted-{request.param}"),
        store=request.param,
        replicas={} if request.param == "sqlite" else {"order": 2},
        environment={"CHOREOGRAPHY_REMINDER": f"{EVERY:g}s"},
        drain=False,
    )
    await asyncio.to_thread(flow.prepare)
    async with flow, aiohttp.ClientSession() as session, redis.asyncio.Redis(port=flow.redis_port) as client:
        one = Checkout(flow, session, client)
        await one.stock("sku", 1000)
        yield one


@asynccontextmanager
async def losing(broker: Any) -> AsyncIterator[list[str]]:
    """Keep published events from subscribers and delete them; the list then names the deleted ones."""
    places: dict[tuple[str, str], str] = {}
    newest: dict[str, str] = {}
    async for key in broker.scan_iter(_type="stream"):
        stream = key.decode()
        last = await broker.xrevrange(stream, count=1)
        newest[stream] = last[0][0].decode() if last else "0"
        for group in await broker.xinfo_groups(stream):
            places[stream, group["name"].decode()] = group["last-delivered-id"].decode()
            await broker.xgroup_setid(stream, group["name"], _FAR)
    lost: list[str] = []
    try:
        yield lost
    finally:
        for stream, last in newest.items():
            for entry, fields in await broker.xrange(stream, min=f"({last}"):
                lost.append(fields[b"data"].decode())
                await broker.xdel(stream, entry)
        for (stream, name), place in places.items():
            await broker.xgroup_setid(stream, name, place)


def body(sku: str = "sku") -> dict[str, Any]:
    """Return an order of one line."""
    lines = [{"sku": sku, "quantity": 1, "unit_price": 500}]
    return {"customer_id": "customer-1", "currency": "EUR", "lines": lines}


async def accepted_and_lost(shop: Checkout, *keys: str) -> list[str]:
    """Place orders that are accepted and whose events are then lost."""
    async with losing(shop.broker) as lost:
        answers = await asyncio.gather(*(shop.post("order", "/orders", body(), key) for key in keys))
        await asyncio.sleep(0.3)
    assert [status for status, _ in answers] == [202] * len(keys)
    ids = [str(answer["order_id"]) for _, answer in answers]
    assert all(any(one in event for event in lost) for one in ids)
    return ids


async def told(shop: Checkout, order_id: str) -> int:
    """Ask notification whether the customer got a message; the order service is not asked."""
    return (await shop.get("notification", f"/notices/{order_id}"))[0]


async def completed(shop: Checkout, order_id: str, within: float) -> None:
    """Wait until an order has ended, and look at it only then."""
    await shop.until(lambda: told(shop, order_id), lambda status: status == 200, within)
    await shop.ended(order_id, "completed")
    assert (await shop.ledger(order_id))["charges"] == 1


async def test_a_retry_with_the_same_key_heals_a_lost_order(shop: Checkout) -> None:
    """The retry works at once, and it is the same order."""
    key = uuid.uuid4().hex
    (order_id,) = await accepted_and_lost(shop, key)
    status, answer = await shop.post("order", "/orders", body(), key)
    assert (status, answer["order_id"]) == (202, order_id)
    await completed(shop, order_id, 5.0)
    other = {**body(), "currency": "USD"}
    assert (await shop.post("order", "/orders", other, key))[0] == 422


async def test_another_body_under_the_key_of_a_lost_order_is_refused_everywhere(shop: Checkout) -> None:
    """It has no outcome yet, but a record."""
    key = uuid.uuid4().hex
    (order_id,) = await accepted_and_lost(shop, key)
    for name in shop.flow._programs.addresses:
        if name.startswith("order"):
            status, _ = await shop.post(name, "/orders", {**body(), "currency": "USD"}, key)
            assert status == 422
    await completed(shop, order_id, WITHIN)


async def test_whoever_asks_for_a_lost_order_is_never_told_that_it_never_was(shop: Checkout) -> None:
    """This holds after a restart, at each replica; and the GET publishes the event again."""
    order_ids = await accepted_and_lost(shop, *(uuid.uuid4().hex for _ in range(20)))
    replicas = [name for name in shop.flow._programs.addresses if name.startswith("order")]
    for name in replicas:
        await shop.flow.kill(name)
        await shop.flow.start(name)
    for name in replicas:
        answers = await asyncio.gather(*(shop.get(name, f"/orders/{one}") for one in order_ids))
        assert {status for status, _ in answers} <= {200, 202}
        assert (await shop.get(name, "/orders/never-heard-of"))[0] == 404
    for one in order_ids:
        await shop.ended(one, "completed", WITHIN)


async def test_lost_orders_that_nobody_asks_for_end_within_a_reminder(shop: Checkout) -> None:
    """Many orders are lost, in one group and in several."""
    order_ids = await accepted_and_lost(shop, *(uuid.uuid4().hex for _ in range(20)))
    await asyncio.sleep(1)
    assert {await told(shop, one) for one in order_ids} == {404}
    for one in order_ids:
        await completed(shop, one, WITHIN)


async def test_a_kill_between_commit_and_publish_loses_no_order(shop: Checkout) -> None:
    """The broker is frozen, and service and sidecar die: no client has a 202, but the command is recorded."""
    key = uuid.uuid4().hex
    shop.flow.pause("redis")
    asking = asyncio.create_task(shop.post("order", "/orders", body(), key))
    await asyncio.sleep(1.5)
    assert not asking.done()
    await shop.flow.kill("order")
    await shop.flow.kill_sidecar("order")
    shop.flow.resume("redis")
    with pytest.raises(aiohttp.ClientError):
        await asking
    await shop.flow.start_sidecar("order", wait=False)
    await shop.flow.start("order")
    # A retry shows the order's id; an unrecorded order would be made only by the retry.
    before = time.time()
    status, answer = await shop.post("order", "/orders", body(), key)
    assert status == 202
    order_id = str(answer["order_id"])
    await completed(shop, order_id, WITHIN)
    (created,) = {
        event.attributes["time"] for event in await shop.events(order_id) if "order.created" in str(event.attributes)
    }
    assert time.mktime(time.strptime(created[:19], "%Y-%m-%dT%H:%M:%S")) < before - 0.5


async def test_what_is_kept_of_accepted_orders_goes_with_their_outcomes(shop: Checkout) -> None:
    """Only the orders' own records grow in number."""
    order_ids = [await shop.place("sku") for _ in range(5)]
    for one in order_ids:
        await shop.ended(one, "completed")
    assert await shop.until(lambda: kept(shop), lambda count: count == 0, 2 * WITHIN) == 0


async def kept(shop: Checkout) -> int:
    """Count the records of accepted commands in the store of order, read directly."""
    if shop.flow.store == "postgres":
        keys = list((await postgres_rows(shop.flow.postgres_dsn, ["order"]))["order"])
    else:
        with sqlite3.connect(shop.flow.state_file("order")) as file:
            keys = [f"order.{kind}.{ident}" for kind, ident, _ in file.execute(every_record())]
    assert any(key.startswith("order.order.") for key in keys)
    return sum(key.startswith("order.accepted") for key in keys)
