"""Deleting what is past its time: in batches, by one replica at a time, so that no statement is long."""

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
    """Cleans one store for as long as its service runs."""

    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics

    async def forever(self) -> None:
        """Clean again and again, and show how far behind it is."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.take_turn()

    async def take_turn(self) -> None:
        """Clean once. After a failure nobody knows how much is left, so the gauge rises as if nothing was deleted."""
        try:
            await self.clean()
        except Exception:
            # Nothing but room depends on it, and the next time may be better.
            log.exception("what is past its time could not be deleted")
            self._metrics.expired.inc(_EVERY)

    async def clean(self) -> int:
        """Delete all that is past its time; return how many records there were."""
        gone = 0
        for table in TABLES:
            while count := await self._store.clean(table, _AT_ONCE):
                gone += count
        self._metrics.expired.set(await self._store.overdue())
        return gone
