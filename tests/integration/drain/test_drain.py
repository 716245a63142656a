"""A running system moves to another broker (closed, drained, moved, opened) and loses nothing."""

from __future__ import annotations

import asyncio
import io
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
import redis.asyncio
from rich.console import Console

from choreography.drain.command import run
from choreography.up import RunningFlow
from faults.hostile import ORDER, order_event
from tests.integration.checkout_client import Checkout

LATE = 12.0
UNDER_WAY = 30
LATER = uuid.uuid4().hex
"""The key of an order that is refused while the intake is closed, and sent again later."""


@asynccontextmanager
async def checkout_on(broker: str, folder: Path, store: str, **replicas: int) -> AsyncIterator[Checkout]:
    """Run the flow on one broker; state and deadlines are those of the last time."""
    flow = RunningFlow(
        "apps/checkout",
        folder,
        broker=broker,
        store=store,
        replicas=replicas,
        environment={"CHOREOGRAPHY_DEADLINES": f"overdue={LATE:.0f}s", "CHOREOGRAPHY_REMINDER": "3s"},
        drain=False,
    )
    await asyncio.to_thread(flow.prepare)
    port = flow.redis_port
    async with flow, aiohttp.ClientSession() as session, redis.asyncio.Redis(port=port) as client:
        yield Checkout(flow, session, client)


def replicas_of(flow: RunningFlow) -> list[str]:
    """Return every app of the flow, second replicas included."""
    return list(flow._programs.addresses)


async def close_intake(flow: RunningFlow) -> None:
    """Restart one replica after the other, as an upgrade of the chart would."""
    for name in replicas_of(flow):
        process = flow._processes.find(name)
        environment = {**process.program.environment, "CHOREOGRAPHY_INTAKE": "closed"}
        process.program = replace(process.program, environment=environment)
        await flow.stop(name)
        await flow.start(name, wait=False)
    await asyncio.gather(*(flow._processes.find(name).until_ready() for name in replicas_of(flow)))


async def drained(flow: RunningFlow, within: float) -> tuple[int, str]:
    """Run the command beside the flow; return its exit code and output."""
    console = Console(file=io.StringIO(), width=400)
    resources, places = flow._programs.resources, [flow.address(name) for name in replicas_of(flow)]
    spans = {"within": timedelta(seconds=within), "grace": timedelta(0)}
    code = await asyncio.to_thread(run, resources, flow.broker_at, places, console=console, **spans)
    assert isinstance(console.file, io.StringIO)
    return code, console.file.getvalue()


async def test_a_running_system_moves_from_redis_to_nats_and_loses_nothing(tmp_path: Path) -> None:
    """Every accepted order ends once, also the order whose deadline is due while the intake is closed."""
    sku = f"sku-{uuid.uuid4().hex[:12]}"
    stuck = uuid.uuid4().hex
    async with checkout_on("redis", tmp_path, "postgres", order=2) as shop:
        await shop.stock(sku, 1000)
        code, said = await drained(shop.flow, within=2)
        assert code == 1
        assert "the intake of order is open" in said

        await shop.faults(delay_ms=800)
        orders = await asyncio.gather(*(shop.place(sku) for _ in range(UNDER_WAY)))
        # Billing cannot charge zero, so it quarantines the event, and this order waits only for its deadline.
        data = {"order_id": stuck} | ORDER | {"total": 0}
        data["lines"] = [{"sku": sku, "quantity": 1, "unit_price": 1}]
        await shop.inject("order.created", order_event(data=data, subject=stuck))
        due = time.monotonic() + LATE
        await close_intake(shop.flow)

        body = {"customer_id": "c", "currency": "EUR", "lines": [{"sku": sku, "quantity": 1, "unit_price": 5}]}
        status, answer, headers = await shop.post_with_headers("order", "/orders", body, key=LATER)
        assert (status, headers["Retry-After"], headers["Idempotency-Key"]) == (503, "15", LATER)
        assert headers["Connection"] == "close", "a client that retries must be able to reach another replica"
        assert "The intake of this service is closed" in answer["detail"]

        code, said = await drained(shop.flow, within=30)
        assert code == 0, said
        assert "billing-dead-letters keeps" in said
        assert [(await shop.order(one))["status"] for one in orders] == ["completed"] * UNDER_WAY
        assert (await shop.order(stuck))["status"] == "placed"

        # The deadline fires while the intake is closed, and none of its events may reach this broker.
        before = [len(await shop.entries(topic)) for topic in shop.topics]
        await asyncio.sleep(max(0.0, due - time.monotonic()) + 2)
        assert [len(await shop.entries(topic)) for topic in shop.topics] == before
        assert (await drained(shop.flow, within=10))[0] == 0

    async with checkout_on("nats", tmp_path, "postgres", order=2) as shop:
        order = await shop.ended(stuck, "cancelled")
        assert order["reason"] == "not completed in time"
        await shop.faults()
        status, answer, _ = await shop.post_with_headers("order", "/orders", body, key=LATER)
        assert status == 202
        await shop.ended(answer["order_id"], "completed")
        assert [(await shop.order(one))["status"] for one in orders] == ["completed"] * UNDER_WAY
        ledgers = [await shop.ledger(one) for one in orders]
        assert ledgers == [{"charged": 500, "refunded": 0, "charges": 1}] * UNDER_WAY
        shelf = await shop.get("inventory", f"/stock/{sku}")
        assert shelf[1] == {"sku": sku, "available": 1000 - UNDER_WAY - 1, "taken": UNDER_WAY + 1}


@pytest.mark.parametrize("broker", ["nats"])
async def test_orders_under_way_when_the_intake_closes_end_before_the_flow_counts_as_drained(
    tmp_path: Path, broker: str
) -> None:
    """Each broker's own counts show it."""
    sku = f"sku-{uuid.uuid4().hex[:12]}"
    async with checkout_on(broker, tmp_path, "sqlite") as shop:
        await shop.stock(sku, 100)
        await shop.faults(delay_ms=800)
        orders = await asyncio.gather(*(shop.place(sku) for _ in range(10)))
        await close_intake(shop.flow)
        code, said = await drained(shop.flow, within=60)
        assert code == 0, said
        assert [(await shop.order(one))["status"] for one in orders] == ["completed"] * len(orders)
