"""Publishes the events that a service's application has left in the database, as long as the service runs."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final, Protocol, runtime_checkable

import structlog

from choreography.engine.identity import POSTED
from choreography.engine.operations import Limits
from choreography.engine.posting import Note, Posting
from choreography.runtime.driver import Driver
from choreography.service import Service

_EVERY: Final = 0.2
"""Seconds between two looks. A pooler passes no notification on, so the database cannot announce new events."""
_MOST: Final = 200
_CLAIMED: Final = 10.0
"""Seconds for which a note belongs to the replica that found it. After that another replica may take it."""

log = structlog.get_logger()


@runtime_checkable
class Claims(Protocol):
    """A store in which notes can be claimed, so that two replicas do not both publish all of them."""

    async def claim(self, kind: str, most: int, seconds: float) -> list[tuple[str, str, str]]:
        """Claim notes of a kind; return the id, the version and the text of each."""
        ...


class PollingPublisher:
    """Publishes the events that an application has committed."""

    def __init__(self, service: Service, store: Claims, driver: Driver, limits: Limits) -> None:
        self._posting, self._store, self._driver = Posting(service, limits), store, driver

    async def forever(self) -> None:
        """Look for events again and again, without a pause while there are many."""
        while True:
            try:
                more = await self.once() == _MOST
            except Exception:
                # The notes stay in the database, and the next look may find the store healthy.
                log.exception("what the application published could not be passed on")
                more = False
            if not more:
                await asyncio.sleep(_EVERY)

    async def once(self) -> int:
        """Publish the noted events; return how many events were published."""
        claimed = await self._store.claim(POSTED, _MOST, _CLAIMED)
        if not claimed:
            return 0
        notes = [Note(*one) for one in claimed]
        posted: int = await self._driver.drive(self._posting.post(notes, datetime.now(UTC)), "")
        return posted
