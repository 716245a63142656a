"""The driver: performs what the engine asks for. Group commit lives here, the rules live in the engine."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from choreography.engine.answering import Answering
from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate
from choreography.engine.memory import Newcomers, Published
from choreography.engine.operations import (
    CarryOut,
    Commit,
    Confirm,
    Limits,
    Operation,
    Pause,
    Publish,
    Read,
    Remind,
    Schedule,
    Together,
)
from choreography.engine.records import Outcome, Wish
from choreography.engine.releasing import nudged_deadlines, release
from choreography.engine.settling import Settler
from choreography.runtime.publishing import Publishing
from choreography.runtime.time_limit import time_limit
from choreography.service import Service
from choreography.sidecar.client import Sidecar
from choreography.stores.port import Store
from choreography.telemetry import Metrics, named
from choreography.tracing.traceparent import of_all

_LARGEST_GROUP: Final = 400
_SURE: Final = 100
"""Events in a row that began a record, before the next are expected to. Four of twelve reads of an order are saved."""
BUSY: Final = 3
GATHERING: Final = 0.01
"""Seconds for which a busy lane lets more deliveries come: what a commit costs does not depend on how many it serves.
Measured beside none at all, it is a tenth less CPU for an order, and latencies at half of capacity fall by a sixth."""
_PROBATION_SECONDS: Final = 150.0
"""Longer than any broker of ours takes to redeliver what a dead replica held."""


log = structlog.get_logger()

_Waiting = tuple[Sequence[Delivery], asyncio.Future[list[Settled]]]


class EffectLane(Protocol):
    """Carries out one committed intent; True once it is answered and the answer is settled."""

    async def __call__(self, wish: Wish, *, repeated: bool, nudge: str = "") -> bool:
        """Carry it out."""
        ...


class Driver:
    """Runs the engine of one service against one sidecar.

    Deliveries of all topics that wait at the same moment are committed together; while what they led to is being
    published, the next group commits. At low load nothing waits.
    """

    def __init__(
        self,
        service: Service,
        sidecar: Sidecar,
        store: Store,
        limits: Limits,
        *,
        metrics: Metrics,
        replica: str = "one",
    ) -> None:
        self._sidecar, self._store, self._limits, self.metrics = sidecar, store, limits, metrics
        self.publishing = Publishing(sidecar, limits)
        self._published = Published(limits.remembered)
        # A read of everything is one round trip there, so there is nothing to save by not reading.
        newcomers = None if limits.snapshot_reads else Newcomers(_SURE)
        self._settler = Settler(service, limits, self._published, time_limit, replica, newcomers=newcomers)
        self.answering = Answering(service)
        self.concerns = self._settler.planner.concerns
        self.carry_out: EffectLane | None = None
        self.broken = asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._arrived = asyncio.Event()
        self._began: float | None = None
        self._lane = asyncio.create_task(self._commit_groups(), name="group commit")

    async def close(self) -> None:
        """Stop committing; what waits is delivered again by the broker."""
        self._lane.cancel()
        await asyncio.gather(self._lane, return_exceptions=True)
        await self.publishing.close()
        if self._began is not None and self.failed is None:
            await self.drive(self._settler.suspects.end(), "")

    async def begin(self) -> None:
        """Find out how this replica's last life ended, before anything is run."""
        while not await self.drive(self._settler.suspects.begin(), ""):  # noqa: ASYNC110 - stores tell nobody
            await asyncio.sleep(1)
        self._began = asyncio.get_running_loop().time()

    @property
    def failed(self) -> BaseException | None:
        """Why the commit lane ended, if it did: the process is then of no use any more."""
        return self._lane.exception() if self._lane.done() and not self._lane.cancelled() else None

    async def submit(self, deliveries: Sequence[Delivery]) -> list[bool]:
        """Settle deliveries and release what follows from them. Return for each whether it may be acknowledged."""
        return [fate.done for fate in await self.account(deliveries)]

    async def account(self, deliveries: Sequence[Delivery]) -> list[Fate]:
        """Settle deliveries and release what follows from them. Return what became of each."""
        if not deliveries:
            return []
        future: asyncio.Future[list[Settled]] = asyncio.get_running_loop().create_future()
        self._waiting.append((deliveries, future))
        self._arrived.set()
        settled = await future
        done = await self.release(settled)
        # What a deadline said once it had fired is part of what a nudge asks for.
        fired = nudged_deadlines(settled, datetime.now(UTC))
        if fired and not all(await self.submit(fired)):
            return [Fate.AGAIN] * len(settled)
        return [one.fate if ended else Fate.AGAIN for one, ended in zip(settled, done, strict=True)]

    async def release(self, settled: Sequence[Settled]) -> list[bool]:
        """Publish, schedule and carry out what was settled."""
        trace, chatty = of_all(one.delivery.traceparent for one in settled), log.is_enabled_for(logging.DEBUG)
        done: list[bool] = await self.drive(release(settled, self._limits, self._published), trace)
        for one in settled:
            if one.outcome and one.outcome.quarantined and not one.repeated:
                log.warning("quarantined", reason=one.outcome.quarantined.reason, **named(one.delivery))
            elif one.outcome and chatty:
                log.debug("settled", repeated=one.repeated, events=len(one.outcome.events), **named(one.delivery))
        return done

    def distrust_confirms(self) -> None:
        """Publish again whatever is delivered again, also what the sidecar has confirmed."""
        self._published.distrust()

    def has_answered(self, wish: Wish) -> bool:
        """Tell whether this replica has itself settled and fully published the answer of an intent."""
        return self._published.knows(wish.answer_id)

    async def recall(self, wish: Wish) -> Outcome | None:
        """Find the outcome of an intent's answer, if it has one."""
        found: Outcome | None = await self.drive(self.answering.recall(wish), wish.traceparent)
        return found

    async def _commit_groups(self) -> None:
        count = 0
        while True:
            await self._arrived.wait()
            if count >= BUSY:
                await asyncio.sleep(GATHERING)
            group: list[_Waiting] = []
            rest: list[_Waiting] = []
            count = 0
            for deliveries, future in self._waiting:
                if not group or count + len(deliveries) <= _LARGEST_GROUP:
                    group.append((deliveries, future))
                    count += len(deliveries)
                else:
                    rest.append((deliveries, future))
            self._waiting = rest
            if not rest:
                self._arrived.clear()
            try:
                await self._commit(group)
            except Exception as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
                # Not to be survived: the next life of this replica finds the event that did it, and sets it apart.
                log.exception("the engine failed", events=[one.identity for one in group[0][0]][:10])
                self.broken.set()
                raise

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        batch = [delivery for deliveries, _ in group for delivery in deliveries]
        await self._maybe_acquit()
        with self.metrics.settling.time():
            trace = of_all(delivery.traceparent for delivery in batch)
            settled = await self.drive(self._settler.settle(batch, datetime.now(UTC)), trace)
        self.metrics.batch.observe(len(batch))
        start = 0
        for deliveries, future in group:
            if not future.done():
                future.set_result(settled[start : start + len(deliveries)])
            start += len(deliveries)

    async def _maybe_acquit(self) -> None:
        suspects, now = self._settler.suspects, asyncio.get_running_loop().time()
        if suspects.on_probation and self._began is not None and now - self._began > _PROBATION_SECONDS:
            await self.drive(suspects.acquit(), "")

    async def drive(self, engine: Generator[Operation | Remind, Any, Any], trace: str) -> Any:
        """Perform what a part of the engine asks for until it is done, and return what it returns."""
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
                # Two replicas that collided must not do so again in step.
                await asyncio.sleep(min(2.0, 0.01 * 3**attempt) * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret
                return None

    async def _together(
        self, operations: Sequence[Publish | Schedule | CarryOut], trace: str
    ) -> Sequence[frozenset[int] | bool]:
        if len(operations) == 1:
            # As most have. A task would cost more than all else here.
            return (await self._side(operations[0], trace),)
        return await asyncio.gather(*(self._side(one, trace) for one in operations))

    async def _side(self, operation: Publish | Schedule | CarryOut, trace: str) -> frozenset[int] | bool:
        match operation:
            case Publish(events):
                self.metrics.published.inc(len(events))
                return await self.publishing.publish(events, trace)
            case Schedule(dues):
                return await self._sidecar.schedule(dues, datetime.now(UTC), trace)
            case CarryOut(wishes, repeated, nudge):
                if self.carry_out is None:
                    raise RuntimeError("No lane carries out intents.")
                answered = await asyncio.gather(
                    *(self.carry_out(wish, repeated=repeated, nudge=nudge) for wish in wishes)
                )
                return frozenset(index for index, done in enumerate(answered) if not done)
