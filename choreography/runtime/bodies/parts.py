"""Request bodies, part by part as they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from choreography.engine.delivery import Overlong
from choreography.runtime.bodies.overlong import Keeping

_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class GoneError(Exception):
    """The client closed the connection before the request was complete, so no answer can be sent."""


async def parts_of(receive: _Receive) -> AsyncIterator[bytes]:
    """Read a request's body.

    Raises:
        GoneError: it broke off.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def beginning_of(parts: AsyncIterator[bytes], most: int) -> tuple[bytes, bool]:
    """Read a body until it ends, or has grown beyond a size. Return what was read, and whether that is all of it."""
    read: list[bytes] = []
    size = 0
    async for part in parts:
        read.append(part)
        size += len(part)
        if size > most:
            return b"".join(read), False
    return b"".join(read), True


async def kept(parts: AsyncIterator[bytes], most: int) -> bytes | Overlong:
    """Read a body to its end. Return it, or what stands for it if it is larger than that."""
    keeping = Keeping(most)
    async for part in parts:
        keeping.add(part)
    return keeping.result()


async def chained(beginning: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return a body from its beginning, although some of it was read."""
    yield beginning
    async for part in parts:
        yield part
