"""Deleting expired records: in batches, by one replica at a time, so that no statement takes long."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from choreography.stores.port import Store
from choreography.stores.tables import TABLES
from choreography.telemetry import Metrics

_EVERY: Final = 60.0
_AT_ONCE: Final = 1000

log = structlog.get_logger()


class Cleaner:
    """Cleans one store as long as its service runs."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics

    async def forever(self) -> None:
        """Clean again and again, and show how late the cleaning is."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.take_turn()

    async def take_turn(self) -> None:
        """Clean once. After a failure the rest is unknown, so the gauge rises as if no record had been deleted."""
        try:
            await self.clean()
        except Exception:
            # Only storage space depends on the cleaning, and the next turn may succeed.
            log.exception("what is past its time could not be deleted")
            self._metrics.expired.inc(_EVERY)

    async def clean(self) -> int:
        """Delete all expired records; return how many there were."""
        gone = 0
        for table in TABLES:
            while count := await self._store.clean(table, _AT_ONCE):
                gone += count
        self._metrics.expired.set(await self._store.overdue())
        return gone
