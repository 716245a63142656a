"""Real processes for the integration tests: one checkout flow per store, shared by the tests of a session."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import redis.asyncio

from choreography.up import RunningFlow
from choreography.up.postgres import Postgres
from tests.integration.checkout_client import Checkout
from tests.integration.databases import postgres_in

OVERDUE = "overdue=20s"
"""Long enough for every order that is not meant to be late, short enough to be waited for."""


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
async def checkout(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Checkout]:
    """Start the checkout flow on Redis and one store, with Zipkin, and stop all of it at the end."""
    folder: Path = tmp_path_factory.mktemp(f"checkout-{request.param}")
    flow = RunningFlow(
        "apps/checkout",
        folder,
        store=request.param,
        zipkin=True,
        environment={"CHOREOGRAPHY_DEADLINES": OVERDUE},
        drain=False,
    )
    flow.prepare()
    async with (
        flow,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100)) as session,
        redis.asyncio.Redis(port=flow.redis_port) as broker,
    ):
        yield Checkout(flow, session, broker)


@pytest.fixture(scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    """Run PostgreSQL with an owner and two roles of services."""
    async with postgres_in(tmp_path_factory.mktemp("postgres")) as database:
        yield database
