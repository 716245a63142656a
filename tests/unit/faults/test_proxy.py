"""The proxy works as declared: without faults it is not noticed, and each fault looks as on a real wire."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from faults.proxy import Proxy


@dataclass
class Echo:
    """A server that records its requests and echoes them."""

    heard: list[bytes] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Echo every request."""
        while data := await reader.read(65536):
            self.heard.append(data)
            writer.write(data)
        writer.close()


@asynccontextmanager
async def wired() -> AsyncIterator[tuple[Echo, Proxy]]:
    """An echo behind a proxy."""
    echo = Echo()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    async with server, Proxy(lambda: echo.port, random.Random(1)) as proxy:
        yield echo, proxy


async def _connect(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port)


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: bytes) -> bytes:
    writer.write(words)
    async with asyncio.timeout(5):
        return await reader.readexactly(len(words))


async def test_an_honest_proxy_is_not_noticed() -> None:
    """Every byte, in order, both ways."""
    async with wired() as (_, proxy):
        ends = await _connect(proxy)
        words = random.Random(2).randbytes(3_000_000)
        assert await _say(*ends, words) == words
        ends[1].close()


async def test_a_cut_breaks_what_is_there_and_refuses_what_comes() -> None:
    """Then it heals."""
    async with wired() as (_, proxy):
        reader, writer = await _connect(proxy)
        assert await _say(reader, writer, b"hello") == b"hello"
        proxy.behave("refuses")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _say(reader, writer, b"still there?")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _say(*await _connect(proxy), b"let me in")
        proxy.behave()
        assert await _say(*await _connect(proxy), b"again") == b"again"


async def test_what_is_late_arrives_in_order_also_when_the_delay_ends() -> None:
    """A byte that overtook another would be a fault of the proxy, not of the wire."""
    async with wired() as (echo, proxy):
        reader, writer = await _connect(proxy)
        proxy.behave("late", late=0.2)
        began = time.monotonic()
        assert await _say(reader, writer, b"one") == b"one"
        assert time.monotonic() - began >= 0.4
        writer.write(b"two")
        await asyncio.sleep(0.05)
        proxy.behave()
        assert await _say(reader, writer, b"three") == b"twoth"
        assert b"".join(echo.heard) == b"onetwothree"


async def test_silence_holds_everything_and_loses_nothing() -> None:
    """TCP does the same when a cable is pulled and plugged in again."""
    async with wired() as (echo, proxy):
        reader, writer = await _connect(proxy)
        proxy.behave("silent")
        writer.write(b"anybody?")
        await asyncio.sleep(0.2)
        assert not echo.heard
        proxy.behave()
        async with asyncio.timeout(5):
            assert await reader.readexactly(8) == b"anybody?"


async def test_a_lost_answer_belongs_to_a_request_that_went_through() -> None:
    """The server carried out the request, and the client gets no reply."""
    async with wired() as (echo, proxy):
        reader, writer = await _connect(proxy)
        proxy.behave("loses answers", share=0.1, telling=(b"commit",))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _say(reader, writer, b"commit")
        assert echo.heard == [b"commit"]
        assert proxy.lost_answers == 1


async def test_a_server_that_is_not_there_looks_like_one() -> None:
    """The client sees its connection break."""
    async with Proxy(lambda: 1, random.Random(1)) as proxy:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _say(*await _connect(proxy), b"hello")
