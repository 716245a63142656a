"""The store's view of the orders: which have ended, and when. It does not depend on the broker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Final, Self

import psycopg

from bench.broker import UnfinishedError

_LOOK_EVERY: Final = 0.25
_ENDED: Final = """
    SELECT order_id, status, extract(epoch FROM changed_at)::float8 AS at
    FROM checkout_order.orders WHERE status IN ('completed', 'cancelled')
"""


class Books:
    """The records of the order service, read from PostgreSQL beside the service."""

    def __init__(self, connection: psycopg.AsyncConnection[tuple[str, str, float]]) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: str) -> Self:
        """Connect."""
        return cls(await psycopg.AsyncConnection.connect(url, autocommit=True))

    async def close(self) -> None:
        """Close the connection."""
        await self._connection.close()

    async def ended(self) -> dict[str, tuple[str, float]]:
        """Return how each order ended, and when this was written, in seconds since the epoch."""
        cursor = await self._connection.execute(_ENDED)
        return {order_id: (status, at) async for order_id, status, at in cursor}

    async def until_ended(self, sent: Collection[str], within: float) -> dict[str, tuple[str, float]]:
        """Wait until all of these orders have ended.

        Raises:
            UnfinishedError: it takes longer than the given time.
        """
        bound = time.monotonic() + within
        while True:
            ended = await self.ended()
            missing = [order_id for order_id in sent if order_id not in ended]
            if not missing:
                return ended
            if time.monotonic() > bound:
                raise UnfinishedError(f"After {within:.0f} s {len(missing)} of {len(sent)} orders have not ended.")
            await asyncio.sleep(_LOOK_EVERY)
