"""Looks after accepted commands where the broker's word is not enough.

What a reaction publishes is protected by the delivery that caused it: until that is acknowledged it comes again. A
command has no delivery before it. If its event was confirmed and lost, nobody would ever miss it but the customer.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from choreography.engine.commanding import Accepted, Commanding, Earlier
from choreography.sidecar.client import Sidecar
from choreography.sidecar.driver import Driver

_AFTER: Final = timedelta(seconds=10)
_EVERY: Final = 5.0
_AT_ONCE: Final = 200
_MOST: Final = 20_000

log = structlog.get_logger()


class LookingAfter:
    """Accepted commands of this replica that nobody is known to have settled, bounded; the oldest give way."""

    def __init__(self, commanding: Commanding, driver: Driver, sidecar: Sidecar) -> None:
        self._commanding, self._driver, self._sidecar = commanding, driver, sidecar
        self._unsettled: OrderedDict[str, Accepted] = OrderedDict()

    def add(self, accepted: Accepted) -> None:
        """Look after one."""
        if accepted.envelope.id not in self._unsettled:
            self._driver.metrics.in_hand.inc()
        self._unsettled[accepted.envelope.id] = accepted
        if len(self._unsettled) > _MOST:
            self._unsettled.popitem(last=False)
            self._driver.metrics.in_hand.dec()

    async def forever(self) -> None:
        """Look every few seconds."""
        while True:
            await asyncio.sleep(_EVERY)
            await self.look(datetime.now(UTC))

    async def look(self, now: datetime) -> int:
        """Publish again what was accepted a while ago and has no outcome. Return how many that were.

        The event is the same to the byte, so one that was only slow is a repeat.
        """
        old = [one for one in self._unsettled.values() if one.envelope.time + _AFTER <= now]
        again = 0
        for start in range(0, len(old), _AT_ONCE):
            again += await self._look_at(old[start : start + _AT_ONCE], now)
        if again:
            log.warning("accepted commands had no outcome and were published again", commands=again)
        return again

    async def _look_at(self, group: list[Accepted], now: datetime) -> int:
        earlier: list[Earlier] = await self._driver.drive(self._commanding.earlier(group, now), "")
        lost: dict[str, list[Accepted]] = {}
        for known, one in zip(earlier, group, strict=True):
            if known.digest is not None:
                if self._unsettled.pop(one.envelope.id, None):
                    self._driver.metrics.in_hand.dec()
            elif known.readable:
                lost.setdefault(one.outgoing.topic, []).append(one)
            elif known.problem:
                told = "nobody can tell whether an accepted command was settled"
                log.error(told, event_id=one.envelope.id, exc_info=known.problem)
        for same_topic in lost.values():
            # Whether it worked is seen at the next look.
            await self._sidecar.publish([one.outgoing for one in same_topic])
        return sum(map(len, lost.values()))
