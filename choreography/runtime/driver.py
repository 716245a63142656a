"""The driver: performs the operations that the engine asks for. It decides nothing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import Any

from choreography.engine.operations import (
    CarryOut,
    Commit,
    Confirm,
    Operation,
    Pause,
    Publish,
    Read,
    Remind,
    Schedule,
    Together,
)
from choreography.runtime.intents import Intents
from choreography.runtime.publishing import Publishing
from choreography.sidecar.client import SidecarClient
from choreography.stores.port import Store
from choreography.telemetry import Metrics


class Driver:
    """Performs a service's operations: reads and commits in its store, publishes, schedules, hands intents over."""

    def __init__(
        self, store: Store, sidecar: SidecarClient, publishing: Publishing, intents: Intents, metrics: Metrics
    ) -> None:
        self._store, self._sidecar = store, sidecar
        self._publishing, self._intents, self.metrics = publishing, intents, metrics

    async def drive(self, engine: Generator[Operation | Remind, Any, Any], trace: str) -> Any:
        """Perform the operations of a part of the engine until it is done, and return its result."""
        answer: Any = None
        while True:
            try:
                operation = engine.send(answer)
            except StopIteration as stop:
                return stop.value
            answer = await self._perform(operation, trace)

    async def _perform(self, operation: Operation | Remind, trace: str) -> Any:
        match operation:
            case Read(keys):
                return await self._store.read(keys, trace)
            case Confirm(key):
                return await self._store.confirm(key, trace)
            case Remind(slot, events, keys):
                reminding = self._sidecar.remind(slot, events, datetime.now(UTC), trace)
                return tuple(await asyncio.gather(reminding, self._store.read(keys, trace)))
            case Commit(writes, beside):
                return await self._store.commit(writes, trace, beside)
            case Together(operations):
                return await self._together(operations, trace)
            case Pause(attempt):
                self.metrics.attempts.inc()
                # Two replicas that collided must not retry at the same moment.
                await asyncio.sleep(min(2.0, 0.01 * 3**attempt) * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
                return None

    async def _together(
        self, operations: Sequence[Publish | Schedule | CarryOut], trace: str
    ) -> Sequence[frozenset[int] | bool]:
        if len(operations) == 1:
            # Most operations end here. A task would cost more than everything else in this method.
            return (await self._side(operations[0], trace),)
        return await asyncio.gather(*(self._side(one, trace) for one in operations))

    async def _side(self, operation: Publish | Schedule | CarryOut, trace: str) -> frozenset[int] | bool:
        match operation:
            case Publish(events):
                self.metrics.published.inc(len(events))
                return await self._publishing.publish(events, trace)
            case Schedule(deadlines):
                return await self._sidecar.schedule(deadlines, datetime.now(UTC), trace)
            case CarryOut(intents, repeated, nudge):
                return await self._intents.carry_out(intents, repeated=repeated, nudge=nudge)
