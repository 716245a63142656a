"""How far one replica has come with the events of its own commands: which events still wait, and which are lost.

Commands can be accepted faster than their events are handled. An event that is younger than the events handled at this
moment is still on the broker, and publishing a second copy of it would only add load.
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
    """Compares an event without an outcome with the latest event that was settled.

    It can only postpone a verdict: once the replica has passed the time of an event, or settles nothing more, the event
    counts as lost.
    """

    def __init__(self, source: str, types: Iterable[str], lasts: timedelta) -> None:
        """Begin before anything was settled.

        Args:
            source: the service, as the ``source`` of its events.
            types: the wire types of the events of its commands.
            lasts: how long after the last settled event the replica counts as being at work on them.
        """
        self._source, self._types, self._lasts = source, frozenset(types), lasts
        self._reached: datetime | None = None
        self._moved: datetime | None = None

    def ended(self, deliveries: Sequence[Delivery], fates: Sequence[Fate], now: datetime) -> None:
        """Note deliveries that ended. Repeats are not counted, as they do not show how far the replica has come."""
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
        """Tell whether an event of that time is probably still on the broker."""
        if self._reached is None or self._moved is None:
            return False
        return now - self._moved <= self._lasts and at > self._reached - _OUT_OF_ORDER
