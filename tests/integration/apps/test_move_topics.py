"""A running system moves to the topics of families: events recorded for old topics go to new ones."""

from __future__ import annotations

import asyncio
import sqlite3
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import redis.asyncio

from choreography.up import RunningFlow
from tests.integration.checkout_client import Checkout, Event

FLOW = Path("apps/checkout")
ONCE = {"order": "orders", "stock": "stock", "payment": "payments", "shipment": "shipments"}
"""The topics of the time when a service had one for all of its events, by the first word of an event."""


@asynccontextmanager
async def checkout(folder: Path, topic_prefix: str = "") -> AsyncIterator[Checkout]:
    """Run the flow on the state and broker of the last run; a foreign prefix stands for unused topics."""
    environment = {"CHOREOGRAPHY_TOPIC_PREFIX": topic_prefix} if topic_prefix else {}
    flow = RunningFlow(FLOW, folder, environment=environment, drain=False)
    await asyncio.to_thread(flow.prepare)
    async with flow, aiohttp.ClientSession() as session, redis.asyncio.Redis(port=flow.redis_port) as broker:
        yield Checkout(flow, session, broker)


def name_old_topics(state: Path) -> int:
    """Let every record of a service name old topics, and return the number of those that did not."""
    changed = 0
    with sqlite3.connect(state) as store:
        for kind, ident, record in store.execute("select kind, id, record from outcome_records").fetchall():
            text = record
            for word, topic in ONCE.items():
                for event in ("created", "reserved", "charged"):
                    text = text.replace(f'["{word}.{event}",', f'["{topic}",')
            if text != record:
                store.execute("update outcome_records set record = ? where kind = ? and id = ?", (text, kind, ident))
                changed += 1
    return changed


async def test_an_order_that_old_topics_hold_completes_on_the_topics_of_families(tmp_path: Path) -> None:
    """None of its events is on the new topics before a nudge, and nothing happens twice."""
    sku = f"sku-{uuid.uuid4().hex[:12]}"
    async with checkout(tmp_path, "before") as shop:
        await shop.stock(sku, 5)
        await shop.flow.stop("billing")
        await shop.flow.stop("billing-sidecar")
        order_id = await shop.place(sku, quantity=2)
        await shop.until(lambda: shop.order(order_id), lambda order: order.get("status") == "placed")
        await shop.until(lambda: shop.get("inventory", f"/stock/{sku}"), lambda answer: answer[1]["taken"] == 2)
        kept: Any = await shop.broker.xrange("before.order.created")
        [(_, fields)] = kept
        states = [shop.flow.state_file(service) for service in ("order", "inventory")]
    assert all(name_old_topics(state) for state in states)
    async with checkout(tmp_path) as shop:
        assert (await shop.order(order_id))["status"] == "placed"
        assert await shop.events(order_id) == []
        await shop.nudge(f"nudge-{uuid.uuid4().hex[:8]}", [Event("order.created", "", fields[b"data"])])
        await shop.ended(order_id, "completed")
        assert (await shop.ledger(order_id))["charges"] == 1
        assert (await shop.get("inventory", f"/stock/{sku}"))[1] == {"sku": sku, "available": 3, "taken": 2}
