"""The connections of one service to its PostgreSQL: few, kept open, and closed when their state is unknown.

The pool of asyncpg costs as much as the statements that run on it: it shields, times and resets connections, while here
each use is one statement in one transaction.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import asyncpg

from choreography.stores.address import DatabaseAddress
from choreography.stores.own_connection import OwnConnection

SECONDS: Final = 10.0
"""How long one statement may take, network included, and how long a call waits for a free connection."""
_MOST: Final = 8
_LONGEST_IDLE: Final = 300.0
"""Seconds. A firewall or proxy in between may drop an idle connection without notice."""
_ELSEWHERE: Final = ("25006", "57P01", "57P02", "57P03")
"""The server is read-only now, or shuts down: another connection may reach the server that took over."""

Result = TypeVar("Result")


class Connections:
    """Opens connections as they are needed, up to a bound, and uses the most recently used one.

    Args:
        prepare: whether the connections keep prepared statements.
    """

    def __init__(self, address: DatabaseAddress, *, prepare: bool = True) -> None:
        self._address, self._prepare, self._longest_idle = address, prepare, _LONGEST_IDLE
        self._free = asyncio.Semaphore(_MOST)
        self._open: set[OwnConnection] = set()
        self._idle: deque[tuple[OwnConnection, float]] = deque()

    async def use(self, run: Callable[[OwnConnection], Awaitable[Result]]) -> Result:
        """Run a function on one connection, which is closed afterwards if its state may be unknown."""
        connection = await self._taken()
        try:
            return await run(connection)
        except BaseException as error:
            if not isinstance(error, asyncpg.PostgresError) or error.sqlstate in _ELSEWHERE:
                self._end(connection)
            raise
        finally:
            self._give_back(connection)

    def retire(self) -> None:
        """Close idle connections now, and each of the others as soon as it is free."""
        self._longest_idle = 0.0
        while self._idle:
            self._end(self._idle.pop()[0])

    def end_all(self) -> None:
        """Close every connection; statements under way end with it."""
        for connection in list(self._open):
            self._end(connection)
        self._idle.clear()

    async def _taken(self) -> OwnConnection:
        if self._free.locked():
            await asyncio.wait_for(self._free.acquire(), SECONDS)
        else:
            await self._free.acquire()
        try:
            while self._idle:
                connection, since = self._idle.pop()
                if not connection.is_closed() and _now() - since < self._longest_idle:
                    return connection
                self._end(connection)
            return await self._opened()
        except BaseException:
            self._free.release()
            raise

    def _give_back(self, connection: OwnConnection) -> None:
        self._free.release()
        if connection in self._open:
            self._idle.append((connection, _now()))
        while self._idle and _now() - self._idle[0][1] >= self._longest_idle:
            self._end(self._idle.popleft()[0])

    def _end(self, connection: OwnConnection) -> None:
        self._open.discard(connection)
        connection.terminate()

    async def _opened(self) -> OwnConnection:
        # Each caller opens a connection by itself: if the server hangs, all find out at the same moment.
        connection: OwnConnection = await asyncpg.connect(
            **self._address.arguments,
            timeout=SECONDS,
            command_timeout=SECONDS,
            statement_cache_size=100 if self._prepare else 0,
            connection_class=OwnConnection,
        )
        self._open.add(connection)
        return connection


def _now() -> float:
    return asyncio.get_running_loop().time()
