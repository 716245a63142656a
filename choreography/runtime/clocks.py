"""How far other clocks differ from that of this service: the store's, and those of the publishers it consumes from.

A database with a direct connection is asked for the time. Behind a sidecar the time is derived: a record written with a
time to live comes back with its time of expiry, which PostgreSQL, MySQL and SQLite compute by their own clock (on MySQL
in the session's time zone, so it must be UTC). A publisher's clock can only be seen to be ahead: an event from the
future proves it, while one from the past may have waited on the broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from choreography.engine.delivery import Delivery
from choreography.engine.identity import Key
from choreography.engine.operations import Limits
from choreography.errors import SelfCheckError
from choreography.stores.port import Store
from choreography.telemetry import Metrics

WORTH_A_WORD: Final = timedelta(minutes=1)
"""A difference beyond this is logged, and raises an alert."""
_EVERY: Final = 60.0
_MOST_SOURCES: Final = 100

log = structlog.get_logger()


class Clocks:
    """Compares the clock of one replica with other clocks, and shows the differences."""

    def __init__(self, service: str, replica: str, store: Store, metrics: Metrics, limits: Limits) -> None:
        self._service, self._store, self._metrics = service, store, metrics
        self._key = Key(service, "probe", f"clock/{replica}")
        self._allowed = timedelta(seconds=limits.skew_seconds)
        self._lead = timedelta(0)
        self._told: set[str] = set()

    async def check(self) -> None:
        """Compare with the store's clock at the start.

        Raises:
            SelfCheckError: this clock is so wrong that every consumer would quarantine the events of this service.
        """
        ahead = await self.measure()
        if ahead is not None and abs(ahead) > self._allowed:
            raise SelfCheckError(
                f"The clock of the store is {_words(ahead)} that of {self._service}, and {self._allowed} is allowed: "
                "consumers would quarantine what it publishes. Correct whichever clock is wrong (NTP)."
            )

    async def forever(self) -> None:
        """Compare again and again; differences seen in publishers' events meanwhile are shown as well."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.measure()
            self._metrics.clock_skew("publishers", self._lead.total_seconds())
            self._lead = timedelta(0)

    async def measure(self) -> timedelta | None:
        """Return how far the store's clock is ahead of this one; None if the store does not report its time."""
        before = datetime.now(UTC)
        clock = await self._store.clock(self._key)
        after = datetime.now(UTC)
        if clock is None:
            return None
        ahead = clock.at - (before + (after - before) / 2)
        if abs(ahead) <= clock.within + (after - before) / 2:
            ahead = timedelta(0)
        self._metrics.clock_skew("store", ahead.total_seconds())
        if abs(ahead) > WORTH_A_WORD:
            log.warning("the clock of the store is not that of this service", store=_words(ahead))
        return ahead

    def saw(self, deliveries: Iterable[Delivery]) -> None:
        """Note events that are from the future."""
        now = datetime.now(UTC)
        for delivery in deliveries:
            envelope = delivery.envelope
            if envelope is not None and envelope.time > now and not delivery.inside:
                self._noticed(envelope.source, envelope.time - now)

    def _noticed(self, source: str, lead: timedelta) -> None:
        self._lead = max(self._lead, lead)
        if lead > WORTH_A_WORD and source not in self._told and len(self._told) < _MOST_SOURCES:
            self._told.add(source)
            log.warning("a publisher's clock is ahead, or this one is behind", source=source, by=str(lead))


def _words(ahead: timedelta) -> str:
    return f"{abs(ahead)} {'ahead of' if ahead > timedelta(0) else 'behind'}"
