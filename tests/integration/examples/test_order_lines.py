"""The example of a projection and a hook, run by the engine on real databases."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.envelope import Envelope
from choreography.engine.memory import Published
from choreography.engine.operations import Commit, Confirm, Limits, Pause, Read
from choreography.engine.settling import Settler
from choreography.in_memory import NOON
from choreography.stores.address import DatabaseAddress
from choreography.stores.migrating import WantedTables, migrate
from choreography.stores.port import Store
from choreography.stores.postgres import PostgresStore
from choreography.stores.sqlite import SqliteStore
from examples.order_lines.orders import Line, OrderPlaced, orders
from tests.integration.postgres_server import postgres_server

TABLES = Path("examples/order_lines/tables.sql").read_text()
Look = Callable[[str], Awaitable[list[tuple[Any, ...]]]]


async def on_postgres(folder: Path) -> AsyncIterator[tuple[Store, Look]]:
    """Open the example's schema on PostgreSQL."""
    async with postgres_server(folder, "flow_orders") as server:
        owned = DatabaseAddress.read(server.url_of("checkout"), "flow_orders")
        await asyncio.to_thread(migrate, WantedTables(orders, owned, "flow_orders"))
        owner = await asyncpg.connect(server.url_of("checkout"), server_settings={"search_path": "flow_orders"})
        await owner.execute(TABLES)
        await owner.execute("grant select, insert, update, delete on order_lines, sold to flow_orders")
        await owner.execute("alter role flow_orders set search_path = flow_orders")

        async def look(question: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in await owner.fetch(question)]

        store = PostgresStore(DatabaseAddress.read(server.url_of("flow_orders"), "flow_orders"), "orders", orders)
        yield store, look
        await store.close()
        await owner.close()


async def on_sqlite(folder: Path) -> AsyncIterator[tuple[Store, Look]]:
    """Open a file with the example's tables."""
    address = DatabaseAddress.read(f"sqlite:///{folder}/orders.db", "orders")
    migrate(WantedTables(orders, address))
    file = sqlite3.connect(address.file)
    file.executescript(TABLES)

    async def look(question: str) -> list[tuple[Any, ...]]:
        return file.execute(question).fetchall()

    store = SqliteStore(address, "orders", orders)
    yield store, look
    await store.close()
    file.close()


@pytest.fixture(params=[on_sqlite, on_postgres], ids=["sqlite", "postgres"])
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Store, Look]]:
    """Open the example on one database."""
    async for both in request.param(tmp_path):
        yield both


def placed(event_id: str, order_id: str, **wanted: int) -> Delivery:
    """Return an order as it is delivered."""
    event = OrderPlaced(order_id=order_id, lines=tuple(Line(sku=sku, quantity=of) for sku, of in wanted.items()))
    data = orjson.loads(event.model_dump_json())
    envelope = Envelope(event_id, event.wire_type, "shop", order_id, NOON, order_id, "cause", "", data)
    return read_delivery(envelope.encode().encode())


async def settle(store: Store, *deliveries: Delivery) -> Sequence[Settled]:
    """Let the engine settle deliveries on a store."""
    orders.check()
    settling = Settler(orders, Limits(snapshot_reads=True), Published(0)).settle(deliveries, NOON)
    answer: Any = None
    while True:
        try:
            operation = settling.send(answer)
        except StopIteration as stop:
            settled: Sequence[Settled] = stop.value
            return settled
        match operation:
            case Read(keys):
                answer = await store.read(keys)
            case Confirm(key):
                answer = await store.confirm(key)
            case Commit(writes, beside):
                answer = await store.commit(writes, "", beside)
            case Pause():
                answer = None
            case _:
                raise AssertionError(f"Settling asks for {operation!r}.")


async def test_rows_and_sums_follow_from_events_once(opened: tuple[Store, Look]) -> None:
    """They count once, in all batches and repeats; a bad event does not affect its neighbours."""
    store, look = opened
    await store.check()
    good = [placed(f"e{number}", f"order-{number}", cup=2, pot=1) for number in range(4)]
    bad = placed("bad", "order-bad", cup=3, jug=-1)
    await settle(store, *good[:2], bad, *good[2:])
    await settle(store, *good, bad)
    lines = await look("select order_id, line, sku, quantity from order_lines where order_id = 'order-1' order by line")
    assert lines == [("order-1", 1, "cup", 2), ("order-1", 2, "pot", 1)]
    assert await look("select count(*) from order_lines") == [(8,)]
    assert await look("select sku, quantity from sold order by sku") == [("cup", 8), ("pot", 4)]
    [(reason, attempts)] = await look("select reason, attempts from quarantine")
    assert "failed in the transaction" in reason
    assert int(attempts) == Limits().reaction_attempts


async def every(store: Store, events: Sequence[Delivery], step: int) -> None:
    """Settle events in batches of this size, each until all of it is settled."""
    for start in range(0, len(events), step):
        left = events[start : start + step]
        while left:
            left = [one.delivery for one in await settle(store, *left) if one.again]


async def test_two_replicas_that_settle_the_same_events_count_each_once(tmp_path: Path) -> None:
    """Their batches overlap, so one wins each time, and the other's writes into own tables are undone."""
    async for first, look in on_postgres(tmp_path):
        assert isinstance(first, PostgresStore)
        second = PostgresStore(first._address, "orders", orders)
        events = [placed(f"e{number}", f"order-{number}", cup=1, pot=2) for number in range(24)]
        async with asyncio.timeout(60):
            await asyncio.gather(every(first, events, 5), every(second, events, 7))
        await second.close()
        assert await look("select sku, quantity from sold order by sku") == [("cup", 24), ("pot", 48)]
        assert await look("select count(*) from order_lines") == [(48,)]
        assert await look("select count(*) from quarantine") == [(0,)]
