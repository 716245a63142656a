"""The intake: every delivery of a service, from any source, passes through it and gets its fate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

import structlog

from choreography.engine.backlog import Backlog
from choreography.engine.control import read_control
from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate
from choreography.engine.memory import Failures
from choreography.runtime.clocks import Clocks
from choreography.runtime.effects import Effects
from choreography.runtime.old_events import OldEvents
from choreography.runtime.pipeline import Pipeline
from choreography.runtime.self_check import Canaries
from choreography.service import Service
from choreography.telemetry import Metrics, named
from choreography.topics import CONTROL, intents
from choreography.tracing.spans import Spans

_WORST_FIRST: Final = (Fate.AGAIN, Fate.QUARANTINED)

log = structlog.get_logger()

Way = Callable[[Sequence[Delivery]], Awaitable[list[Fate]]]


class Intake:
    """Takes deliveries of every topic and returns the fate of each."""

    def __init__(
        self,
        service: Service,
        pipeline: Pipeline,
        effects: Effects,
        canaries: Canaries,
        *,
        metrics: Metrics,
        spans: Spans,
        clocks: Clocks,
        backlog: Backlog,
    ) -> None:
        self._service, self._pipeline = service, pipeline
        self._effects, self._canaries = effects, canaries
        self._metrics, self._spans, self._clocks = metrics, spans, clocks
        self._backlog = backlog
        self._old_events = OldEvents()
        self._failures = Failures()
        self.open = asyncio.Event()
        """Until this is set, deliveries are held and not refused: some brokers forget a refused message."""

    def ignore(self, wire_type: object) -> None:
        """Count a delivery that need not be read, since this service does not consume its type."""
        self._metrics.delivered.inc()
        self._metrics.ignored(wire_type)

    async def take(self, topic: str, deliveries: Sequence[Delivery]) -> list[Fate]:
        """Handle deliveries of one topic, or of none, and count the fate of each, also when an exception is raised."""
        self._metrics.delivered.inc(len(deliveries))
        self._clocks.saw(deliveries)
        fates = [Fate.AGAIN] * len(deliveries)
        with self._metrics.in_hand.track_inprogress():
            try:
                fates = await self._traced(topic, deliveries)
            finally:
                self._metrics.ended(fates, deliveries)
                self._backlog.ended(deliveries, fates, datetime.now(UTC))
                for delivery, fate in zip(deliveries, fates, strict=True):
                    if fate is Fate.TOO_OLD:
                        self._old_events.saw(delivery)
        return fates

    async def _traced(self, topic: str, deliveries: Sequence[Delivery]) -> list[Fate]:
        began, spans = time.time_ns(), self._spans.begin(deliveries)
        traced = [
            delivery._replace(topic=topic, traceparent=span.traceparent if span else delivery.traceparent)
            if span or delivery.topic != topic
            else delivery
            for delivery, span in zip(deliveries, spans, strict=True)
        ]
        try:
            return await self._isolated(self._way(topic), traced)
        finally:
            self._spans.end(spans, began)

    def _way(self, topic: str) -> Way:
        if topic == self._canaries.topic:
            return self._canary
        if topic == CONTROL:
            return self._control
        return self._intents if topic == intents(self._service.name) else self._events

    async def _isolated(self, way: Way, deliveries: Sequence[Delivery]) -> list[Fate]:
        """Handle deliveries together; if that raises, handle each by itself, so that none fails because of another."""
        if len(deliveries) > 1:
            try:
                return await way(deliveries)
            except Exception:
                if self._pipeline.failed:
                    raise
                log.exception("deliveries are handled one by one, as they failed together")
        return [await self._alone(way, delivery) for delivery in deliveries]

    async def _alone(self, way: Way, delivery: Delivery) -> Fate:
        """Handle one delivery. If it raises the same again and again, quarantine it, as it would never succeed."""
        try:
            [fate] = await way([delivery])
        except Exception as error:
            if self._pipeline.failed:
                raise
            if not self._failures.enough(delivery.identity, error):
                log.exception("a delivery failed and will be delivered again", **named(delivery))
                return Fate.AGAIN
            problem = (
                f"Its handling failed {self._failures.most} times in the same way: {type(error).__name__}: {error}"
            )
            aside = delivery._replace(identity=f"{delivery.identity}~failing", problem=problem)
            [fate] = await self._pipeline.account([aside])
        self._failures.forget(delivery.identity)
        return fate

    async def _events(self, deliveries: Sequence[Delivery]) -> list[Fate]:
        await self.open.wait()
        return await self._pipeline.account(deliveries)

    async def _canary(self, deliveries: Sequence[Delivery]) -> list[Fate]:
        """Take canaries, even before the store is known to be safe; other events wait for that."""
        return [
            (Fate.SETTLED if await self._canaries.arrived(one) else Fate.AGAIN)
            if self._canaries.knows(one)
            else (await self._events([one]))[0]
            for one in deliveries
        ]

    async def _control(self, deliveries: Sequence[Delivery]) -> list[Fate]:
        await self.open.wait()
        return [_together(await self._pipeline.account(read_control(one, self._service.name))) for one in deliveries]

    async def _intents(self, deliveries: Sequence[Delivery]) -> list[Fate]:
        await self.open.wait()
        return list(await asyncio.gather(*(self._effects.later(one) for one in deliveries)))


def _together(fates: Iterable[Fate]) -> Fate:
    """Return the fate of a request from the fates of all deliveries that it asked for."""
    found = set(fates)
    if not found:
        return Fate.IGNORED
    return next((fate for fate in _WORST_FIRST if fate in found), Fate.SETTLED)
