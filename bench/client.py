"""A small HTTP client for the load: its CPU time is taken from the machine that is being measured.

A general client costs several times as much. This client understands only the responses of uvicorn: one response at a
time over a connection that stays open, with its length in the header.
"""

from __future__ import annotations

import asyncio
import re
import time
from typing import Final
from urllib.parse import urlsplit

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LOOPBACK: Final = ("127.0.0.1", "localhost")
_IDLE: Final = 30.0
"""Seconds; servers here close what was idle for longer than a minute."""


class Answer:
    """Status and body."""

    __slots__ = ("body", "status")

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, body


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a TCP connection has one
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self._received, 0, end)
        size = int(length.group(1)) if length else 0
        if len(self._received) < end + 4 + size:
            return
        answer = Answer(int(self._received[9:12]), self._received[end + 4 : end + 4 + size])
        self._received = b""
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionResetError("the server closed the connection"))

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Answer:
        if self._transport is None:
            raise ConnectionResetError("the server closed the connection")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._waiting

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class Client:
    """Connections to one server, as many as are needed at once."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        if parts.hostname not in _LOOPBACK or parts.port is None:
            raise ValueError(f"{base} is not on this machine, and load is sent to nobody else's.")
        self._host, self._port = parts.hostname, parts.port
        self._free: list[tuple[float, _Connection]] = []

    async def ask(self, method: str, path: str, body: bytes = b"", key: str = "") -> Answer:
        """Send one request and return its answer."""
        named = f"Idempotency-Key: {key}\r\n" if key else ""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n{named}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection = await self._connection()
        answer = await connection.ask(head.encode() + body)
        self._free.append((time.monotonic(), connection))
        return answer

    async def _connection(self) -> _Connection:
        while self._free:
            since, connection = self._free.pop()
            if connection.open and time.monotonic() - since < _IDLE:
                return connection
            connection.close()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, self._host, self._port)
        return connection

    def close(self) -> None:
        """Close all connections."""
        for _, connection in self._free:
            connection.close()
        self._free.clear()
