"""The load's own HTTP client, against a server that answers as uvicorn does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.client import Client


@asynccontextmanager
async def server(*parts: bytes, pause: float = 0.0) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answer every request with these parts, and keep what was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            asked.append(head + await reader.readexactly(length))
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)

    async def until_gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except asyncio.IncompleteReadError:
            writer.close()

    listening = await asyncio.start_server(until_gone, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked


async def test_an_answer_in_one_piece() -> None:
    """This is the common case."""
    async with server(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok") as (address, asked):
        client = Client(address)
        answer = await client.ask("POST", "/orders", b"{}", "key-1")
        client.close()
    assert (answer.status, answer.body) == (202, b"ok")
    assert b"Idempotency-Key: key-1\r\n" in asked[0]
    assert asked[0].endswith(b"\r\n\r\n{}")


async def test_an_answer_in_pieces() -> None:
    """A response may arrive in as many parts as the network likes."""
    parts = (b"HTTP/1.1 200 OK\r\ncontent-le", b"ngth: 4\r\n", b"\r\nab", b"cd")
    async with server(*parts, pause=0.01) as (address, _):
        client = Client(address)
        assert (await client.ask("GET", "/")).body == b"abcd"
        client.close()


async def test_a_connection_is_used_again() -> None:
    """A new connection for every order would measure the kernel."""
    async with server(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as (address, asked):
        client = Client(address)
        for _ in range(3):
            await client.ask("GET", "/")
        assert len(client._free) == 1
        client.close()
    assert len(asked) == 3


async def test_load_is_sent_to_nobody_else() -> None:
    """The bench loads this machine and no other."""
    with pytest.raises(ValueError, match="not on this machine"):
        Client("http://192.0.2.1:8000")
