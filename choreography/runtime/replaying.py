"""Replays by itself the events that another release has quarantined as *not yet*, once this release knows them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from choreography.engine.answering import Answering
from choreography.engine.delivery import INTENT_TYPE, Delivery
from choreography.engine.not_yet import NotYet
from choreography.engine.operations import Limits
from choreography.runtime.driver import Driver
from choreography.runtime.effects import Effects
from choreography.runtime.pipeline import Pipeline
from choreography.service import Service

_EVERY: Final = 30.0
"""Seconds. Older replicas go on quarantining events that they do not know until the rollout of a release ends."""
_FIRST: Final = 4.0
"""Seconds until the second look; each later pause is twice as long. The replica that a new one replaces is about to
end, and the events that it has quarantined should not wait for half a minute."""
_AT_ONCE: Final = 100

log = structlog.get_logger()


class Replaying:
    """Looks for events that wait for this release: at its start, then ever more rarely, down to each half minute."""

    def __init__(self, service: Service, driver: Driver, pipeline: Pipeline, effects: Effects, limits: Limits) -> None:
        self._driver, self._pipeline, self._effects = driver, pipeline, effects
        self._answering = Answering(service)
        self._not_yet = NotYet(service, limits.horizon_seconds + 2 * limits.skew_seconds)

    async def forever(self) -> None:
        """Look again and again, also after trouble in the store."""
        pause = min(_FIRST, _EVERY)
        while True:
            try:
                await self.look(datetime.now(UTC))
            except Exception:
                log.exception("nobody can tell what waits for this release; it is looked for again")
            # Replicas that started together should not all look at the same moment.
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
            pause = min(2 * pause, _EVERY)

    async def look(self, now: datetime) -> int:
        """Replay the events that this release knows. Return how many events and intents that were."""
        known: list[str] = await self._driver.drive(self._not_yet.known(), "")
        replayed = 0
        for start in range(0, len(known), _AT_ONCE):
            replayed += await self._replay(known[start : start + _AT_ONCE], now)
        if replayed:
            log.info("what another release had quarantined was replayed", events=replayed)
        return replayed

    async def _replay(self, identities: Sequence[str], now: datetime) -> int:
        found: dict[str, Delivery | None] = await self._driver.drive(self._not_yet.waiting(identities), "")
        waiting = {one: delivery for one, delivery in found.items() if delivery}
        intents = {one: delivery for one, delivery in waiting.items() if _is_intent(delivery)}
        events = {one: delivery for one, delivery in waiting.items() if one not in intents}
        settled = await self._pipeline.submit(list(events.values()))
        carried_out = await asyncio.gather(*(self._carry_out(*pair, now) for pair in intents.items()))
        done = [one for one, ended in zip([*events, *intents], [*settled, *carried_out], strict=True) if ended]
        # If the store, the broker or the outside was the reason that one did not end, the next look tries it again.
        await self._driver.drive(self._not_yet.tried([*(found.keys() - waiting.keys()), *done]), "")
        return len(done)

    async def _carry_out(self, identity: str, delivery: Delivery, now: datetime) -> bool:
        committed = self._answering.read_later(delivery)
        if committed is None or self._answering.not_yet(committed, now):
            return True
        ended = (await self._effects.later(delivery)).done
        if ended:
            await self._driver.drive(self._not_yet.resolve(identity, now), "")
        return ended


def _is_intent(delivery: Delivery) -> bool:
    return delivery.envelope is not None and delivery.envelope.type == INTENT_TYPE
