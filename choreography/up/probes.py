"""Finds out when a program is ready for its clients, by using it as they will."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_PAUSE = 0.1
_PATIENCE = aiohttp.ClientTimeout(total=3)


async def http_ready(url: str, token: str = "") -> None:
    """Wait until a GET is answered with 2xx."""
    headers = {"dapr-api-token": token} if token else {}
    async with aiohttp.ClientSession(timeout=_PATIENCE, headers=headers) as session:
        while True:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(url) as answer:
                    if answer.ok:
                        return
            await asyncio.sleep(_PAUSE)


async def listening(port: int) -> None:
    """Wait until a server accepts connections."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(_PAUSE)


async def listening_at(path: Path) -> None:
    """Wait until a server accepts connections at a Unix socket: the file alone may be left from a crash."""
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_unix_connection(path)
            writer.close()
            return
        await asyncio.sleep(_PAUSE)


async def redis_ready(port: int) -> None:
    """Wait for a PONG: a Redis that still loads its file accepts connections but answers LOADING."""
    while True:
        with contextlib.suppress(OSError, TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"PING\r\n")
            answer = await asyncio.wait_for(reader.readline(), 2)
            writer.close()
            if answer == b"+PONG\r\n":
                return
        await asyncio.sleep(_PAUSE)


async def amqp_ready(port: int) -> None:
    """Wait until an AMQP broker sends its greeting: a RabbitMQ that still recovers its queues closes at once."""
    while True:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"AMQP\x00\x00\x09\x01")
            frame = await asyncio.wait_for(reader.readexactly(1), 2)
            writer.close()
            if frame == b"\x01":
                return
        await asyncio.sleep(_PAUSE)


async def mysql_ready(port: int) -> None:
    """Wait until a MySQL server greets."""
    while True:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            greeting = await asyncio.wait_for(reader.readexactly(5), 2)
            writer.close()
            if greeting[4] == 10:  # the version of the protocol; 255 would be a refusal
                return
        await asyncio.sleep(_PAUSE)


def succeeds(command: Sequence[str]) -> Callable[[], Awaitable[None]]:
    """Wait until a helper program succeeds: a starting PostgreSQL accepts connections, then refuses them."""

    async def ready() -> None:
        while True:
            helper = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            if await helper.wait() == 0:
                return
            await asyncio.sleep(_PAUSE)

    return ready
