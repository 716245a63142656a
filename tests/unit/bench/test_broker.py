"""A real Redis shows when nothing is under way: a clock that stops too early would miss work."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotYetError

from bench.broker import Broker

pytestmark = pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server here")


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Any]:
    """A Redis with one stream and one group that reads it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    client: Any = Redis(host="127.0.0.1", port=port, protocol=2)
    until = time.monotonic() + 20
    while True:
        try:
            await client.xgroup_create("orders", "billing", mkstream=True)
            break
        except NotYetError:
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
    yield client
    await client.aclose()
    server.terminate()
    await server.wait()


def port_of(redis: Any) -> int:
    """Return the port on which it listens."""
    return int(redis.connection_pool.connection_kwargs["port"])


async def say(redis: Any) -> None:
    """Publish an event for dispatched orders."""
    await redis.xadd("orders", {"data": '{"type":"order.created.v1","order_id":"o1"}'})


async def handle(redis: Any) -> None:
    """Read and acknowledge everything."""
    for _, entries in await redis.xreadgroup("billing", "one", {"orders": ">"}):
        await redis.xack("orders", "billing", *(identity for identity, _ in entries))


async def test_what_was_not_read_or_not_acknowledged_is_under_way(redis: Any) -> None:
    """An event that was only read is still under way."""
    broker = Broker(port_of(redis))
    assert await broker.quiet()
    await say(redis)
    assert not await broker.quiet()
    read = await redis.xreadgroup("billing", "one", {"orders": ">"})
    assert not await broker.quiet()
    await redis.xack("orders", "billing", *(identity for identity, _ in read[0][1]))
    assert await broker.quiet()
    await broker.close()


async def test_what_stands_in_an_outbox_is_under_way(redis: Any) -> None:
    """The event is not in a stream yet."""
    answers = iter([False, True])

    async def empty() -> bool:
        return next(answers)

    broker = Broker(port_of(redis), elsewhere=empty)
    assert not await broker.quiet()
    assert await broker.quiet()
    await broker.close()


async def test_what_left_an_outbox_while_it_was_looked_at_is_under_way(redis: Any) -> None:
    """The streams were quiet before, the outbox is empty now, and neither look sees the event."""

    async def relayed_just_now() -> bool:
        await say(redis)
        return True

    async def and_handled() -> bool:
        await say(redis)
        await handle(redis)
        return True

    for elsewhere in (relayed_just_now, and_handled):
        broker = Broker(port_of(redis), elsewhere=elsewhere)
        assert not await broker.quiet()
        await handle(redis)
        await broker.close()


async def test_events_of_before_are_left_out(redis: Any) -> None:
    """A turn counts its own arrivals, not those of earlier turns."""
    broker = Broker(port_of(redis))
    await say(redis)
    assert set(await broker.arrivals("order.created.v1")) == {"o1"}
    assert await broker.arrivals("order.created.v1", time.time() + 1) == {}
    await broker.close()
