"""How far one replica has come with the events of its own commands: which of them only wait, and which are lost.

Commands can be accepted faster than their events are handled. An event that is younger than those that are handled at
this moment is still on the broker, and a second copy of it would only be more to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate

_OUT_OF_ORDER: Final = timedelta(seconds=5)
"""By how much a younger event may be handled before an older one: replicas, partitions and clocks keep no order."""


class Backlog:
    """Compares an event without an outcome with the latest that was settled.

    It only ever postpones: once the replica has come past the moment of an event, or stands still, the event is lost.
    """

    def __init__(self, source: str, types: Iterable[str], lasts: timedelta) -> None:
        """Begin knowing nothing.

        Args:
            source: the service, as its events name it.
            types: the wire types of the events of its commands.
            lasts: for how long after the last one was settled the replica counts as being at work on them.
        """
        self._source, self._types, self._lasts = source, frozenset(types), lasts
        self._reached: datetime | None = None
        self._moved: datetime | None = None

    def ended(self, deliveries: Sequence[Delivery], fates: Sequence[Fate], now: datetime) -> None:
        """Note deliveries that came to an end; a repeat shows nothing about how far the replica has come."""
        if not self._types:
            return
        for delivery, fate in zip(deliveries, fates, strict=True):
            envelope = delivery.envelope
            if (
                fate is Fate.SETTLED
                and envelope is not None
                and envelope.type in self._types
                and envelope.source == self._source
            ):
                self._moved = now
                if self._reached is None or envelope.time > self._reached:
                    self._reached = envelope.time

    def holds(self, at: datetime, now: datetime) -> bool:
        """Tell whether an event of that moment is probably still to come."""
        if self._reached is None or self._moved is None:
            return False
        return now - self._moved <= self._lasts and at > self._reached - _OUT_OF_ORDER
