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
        GoneError: the body broke off.
    """
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def beginning_of(parts: AsyncIterator[bytes], most: int) -> tuple[bytes, bool]:
    """Read a body until it ends, or exceeds a size. Return the bytes read, and whether they are the whole body."""
    read: list[bytes] = []
    size = 0
    async for part in parts:
        read.append(part)
        size += len(part)
        if size > most:
            return b"".join(read), False
    return b"".join(read), True


async def kept(parts: AsyncIterator[bytes], most: int) -> bytes | Overlong:
    """Read a body to its end. Return it, or its placeholder if it is larger than the bound."""
    keeping = Keeping(most)
    async for part in parts:
        keeping.add(part)
    return keeping.result()


async def chained(beginning: bytes, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Return a whole body again of which a beginning was read already."""
    yield beginning
    async for part in parts:
        yield part
