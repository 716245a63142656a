"""The connections of a service to PostgreSQL: their number, their choice, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from choreography.stores import connections
from choreography.stores.address import DatabaseAddress
from choreography.stores.connections import Connections
from choreography.stores.own_connection import OwnConnection
from choreography.up.postgres import Postgres


@pytest.fixture
async def opened(server: Postgres) -> AsyncIterator[Connections]:
    """Open the connections of one service."""
    one = Connections(DatabaseAddress.read(server.url_of("checkout_order"), "checkout_order"))
    yield one
    one.end_all()


async def pid(connection: OwnConnection) -> int:
    """Return the server process of a connection."""
    return int(await connection.fetchval("select pg_backend_pid()"))


async def slow_pid(connection: OwnConnection) -> int:
    """Run a slow query; return the server process of its connection."""
    return int(await connection.fetchval("select pg_backend_pid() from pg_sleep(0.2)"))


async def test_one_after_another_shares_a_connection_and_many_at_once_share_eight(opened: Connections) -> None:
    """A server serves the replicas of many services and limits the number of connections."""
    assert len({await opened.use(pid) for _ in range(5)}) == 1
    assert len(set(await asyncio.gather(*(opened.use(slow_pid) for _ in range(20))))) == 8


async def test_a_statement_that_the_server_refuses_costs_no_connection(opened: Connections) -> None:
    """A conflict is such a refusal, and is frequent."""
    before = await opened.use(pid)
    with pytest.raises(asyncpg.UndefinedTableError):
        await opened.use(lambda connection: connection.fetch("select 1 from nothing_of_the_kind"))
    assert await opened.use(pid) == before


async def test_whoever_gives_up_leaves_no_connection_behind_on_which_a_statement_may_still_run(
    opened: Connections,
) -> None:
    """Otherwise the next statement would get the reply of the one before it."""
    before = await opened.use(pid)
    waiting = asyncio.create_task(opened.use(lambda connection: connection.fetchval("select pg_sleep(30)")))
    await asyncio.sleep(0.1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert await opened.use(pid) != before


async def test_a_server_that_goes_away_is_asked_over_a_new_connection(opened: Connections) -> None:
    """Each idle connection may be dead, and one that is known to be dead makes no statement fail."""
    first = await opened.use(pid)

    async def killed(connection: OwnConnection) -> Any:
        return await connection.fetchval("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await opened.use(killed)
    assert await opened.use(pid) != first


async def test_a_connection_that_nobody_used_for_long_is_not_used_again(
    opened: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network device may have dropped the connection silently, so a statement would wait in vain."""
    now = 1000.0
    monkeypatch.setattr(connections, "_now", lambda: now)
    first = await opened.use(pid)
    now += 299
    assert await opened.use(pid) == first
    now += 301
    assert await opened.use(pid) != first


async def test_those_that_a_burst_needed_are_ended_afterwards(
    server: Postgres, opened: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that are used meanwhile stay open."""
    now = 1000.0
    monkeypatch.setattr(connections, "_now", lambda: now)
    pids = set(await asyncio.gather(*(opened.use(slow_pid) for _ in range(8))))
    kept = set()
    for _ in range(4):
        now += 100
        kept.add(await opened.use(pid))
    assert len(kept) == 1
    await asyncio.sleep(0.2)
    watching = await asyncpg.connect(server.url_of("checkout_order"))
    alive = {row[0] for row in await watching.fetch("select pid from pg_stat_activity")}
    await watching.close()
    assert alive & pids == kept


async def test_retired_connections_end_as_soon_as_they_are_free(opened: Connections) -> None:
    """Statements under way on them are not disturbed."""
    running = asyncio.create_task(opened.use(slow_pid))
    await asyncio.sleep(0.05)
    opened.retire()
    first = await running
    assert await opened.use(pid) != first
