"""An application with its own tables and sessions takes part in a flow: on a real PostgreSQL and real sidecars."""

from __future__ import annotations

import asyncio
import importlib
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
import uvicorn
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from choreography.errors import ChoreographyError
from choreography.up import RunningFlow
from choreography.up.ports import Ports
from examples.existing_shop.models import Base
from examples.paid_orders.contracts import OrderPlaced

FLOW = Path("examples/paid_orders")
ROLES = ("paid_orders", "paid_orders_shop")
"""The owner of the database, and the role of the service, with which the application logs in as well."""
NOTES = "select count(*) from paid_orders_shop.note_records where kind = 'to-publish'"
GRANTS = """
    grant usage on schema paid_orders_shop, public to paid_orders_shop;
    grant select, insert, update, delete on shop_orders to paid_orders_shop
"""


@dataclass
class Shop:
    """The application, the flow beside it, and the database of both."""

    flow: RunningFlow
    module: ModuleType
    address: str
    http: aiohttp.ClientSession
    owner: AsyncEngine

    async def place(self, total: int, key: str) -> tuple[int, str]:
        """Place an order; return the status and the id."""
        headers = {"Idempotency-Key": key}
        async with self.http.post(f"{self.address}/orders", json={"total": total}, headers=headers) as answer:
            return answer.status, (await answer.json()).get("order_id", "")

    async def paid(self, order_id: str) -> int:
        """Return how much of an order is paid."""
        async with self.http.get(f"{self.address}/orders/{order_id}") as answer:
            return int((await answer.json())["paid"])

    async def ask(self, question: str) -> Any:
        """Ask the database for one value."""
        async with self.owner.connect() as connection:
            return (await connection.execute(text(question))).scalar()

    async def until_posted(self) -> None:
        """Wait until everything that the application has committed is published."""
        await until(lambda: self.ask(NOTES), 0)


async def until(ask: Callable[[], Awaitable[Any]], expected: object) -> None:
    """Wait for an answer."""
    async with asyncio.timeout(40):
        while await ask() != expected:  # noqa: ASYNC110 - a database tells nobody
            await asyncio.sleep(0.1)


@pytest.fixture(scope="module")
async def shop(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shop]:
    """Run the flow, and the application with the database role of its service."""
    folder = tmp_path_factory.mktemp("existing-shop")
    flow = RunningFlow(FLOW, folder, store="postgres", drain=False)
    await asyncio.to_thread(flow.prepare)
    async with flow, aiohttp.ClientSession() as http:
        database: Any = flow._programs.kept.database
        urls = [database.url_of(role).replace("postgresql", "postgresql+asyncpg") for role in ROLES]
        owner = create_async_engine(urls[0])
        async with owner.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
            for statement in GRANTS.split(";"):
                await connection.execute(text(statement))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DATABASE_URL", urls[1])
            sys.modules.pop("examples.existing_shop.app", None)
            module = importlib.import_module("examples.existing_shop.app")
        port = Ports(folder / "app-ports.json").of("app")
        server = uvicorn.Server(uvicorn.Config(module.app, port=port, log_level="warning"))
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 - a server tells nobody
            await asyncio.sleep(0.05)
        yield Shop(flow, module, f"http://127.0.0.1:{port}", http, owner)
        server.should_exit = True
        await serving
        await module.engine.dispose()
        await owner.dispose()


async def test_what_the_application_commits_is_published_and_comes_back_into_its_table(shop: Shop) -> None:
    """The order is placed, payments takes the money, and the hook updates the application's own row."""
    status, order_id = await shop.place(500, uuid.uuid4().hex)
    assert status == 201
    await until(lambda: shop.paid(order_id), 500)


async def test_what_the_application_rolls_back_is_never_published(shop: Shop) -> None:
    """The event is a row of the same transaction."""
    await shop.until_posted()
    key = uuid.uuid4().hex
    status, _ = await shop.place(2_000_000, key)
    assert status == 422
    assert await shop.ask(NOTES) == 0
    status, order_id = await shop.place(300, key)
    assert status == 201
    await until(lambda: shop.paid(order_id), 300)


async def test_what_was_committed_before_a_crash_is_published_once(shop: Shop) -> None:
    """The service dies before it reads the notes, and again while it publishes many; none is lost or doubled."""
    await shop.flow.kill("shop")
    placed = [await shop.place(100 + number, uuid.uuid4().hex) for number in range(5)]
    assert [status for status, _ in placed] == [201] * 5
    await shop.flow.start("shop")
    for number in range(20):
        placed.append(await shop.place(200 + number, uuid.uuid4().hex))
        if number == 10:
            await shop.flow.kill("shop")
    await shop.flow.start("shop")
    totals = [100 + number for number in range(5)] + [200 + number for number in range(20)]
    for (_, order_id), total in zip(placed, totals, strict=True):
        await until(partial(shop.paid, order_id), total)
    await shop.until_posted()
    assert await shop.ask("select count(*) from shop_orders where paid > total") == 0


async def test_a_retry_publishes_nothing_more_and_another_event_under_its_key_is_refused(shop: Shop) -> None:
    """This holds whether the first was published yet or not."""
    key = uuid.uuid4().hex
    _, order_id = await shop.place(700, key)
    assert await shop.place(700, key) == (201, order_id)
    await until(lambda: shop.paid(order_id), 700)
    await shop.until_posted()
    assert await shop.place(700, key) == (201, order_id)
    assert await shop.ask(NOTES) == 0
    async with shop.module.sessions() as session:
        with pytest.raises(ChoreographyError, match="used for another event"):
            await shop.module.outbox.publish(session, OrderPlaced(order_id=order_id, total=1), key=order_id)
    assert await shop.paid(order_id) == 700
