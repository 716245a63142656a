"""The effect lane: carries out committed intents concurrently, bounded and timed, never inside a commit."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import aiohttp
import structlog

from choreography.contracts import Answer
from choreography.declaration import Effect
from choreography.engine.answering import Answering, OutsideRequest, UnreadableError
from choreography.engine.copies import copied
from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery
from choreography.engine.fate import Fate
from choreography.engine.memory import Failures, Published
from choreography.engine.records import CommittedIntent, Outcome
from choreography.errors import ChoreographyError, NotYetError, OutsideUnavailableError
from choreography.runtime.calling import Call, read_address, setting_of
from choreography.runtime.driver import Driver
from choreography.runtime.intents import Handed, Intents
from choreography.runtime.pipeline import Pipeline
from choreography.runtime.publishing import Publishing
from choreography.service import Service

_IN_BATCH: Final = 0.3
"""Seconds that the outside may take over an intent before its batch stops waiting for it. The service's own work does
not count: it is slow under load, and handing intents over would add to the load."""
_PAUSES: Final = (0.02, 0.1, 0.4)
_PATIENCE: Final = 1.0
_LONGEST_PAUSE: Final = 5.0
"""Seconds. An intent keeps its place in the lane during a pause, and people wait, so pauses are short."""

log = structlog.get_logger()


def require_addresses(service: Service, outsides: Mapping[str, str]) -> None:
    """Refuse to serve a service if the address of an outside is missing or cannot be called.

    Raises:
        ChoreographyError: such an outside exists; the message names its setting.
    """
    missing = sorted({effect.outside for effect in service.effects.values()} - outsides.keys())
    if missing:
        names = ", ".join(map(setting_of, missing))
        raise ChoreographyError(
            f"{service.name} calls {', '.join(missing)}, but nobody said where that is. Set {names} to its base URL."
        )
    for effect in service.effects.values():
        read_address(effect.outside, outsides[effect.outside])


class Effects:
    """Carries out the intents of one service: released intents, and those that come back from the lane for slow ones.

    An answer of the outside becomes a delivery like any other, which the pipeline settles and releases.
    """

    def __init__(
        self,
        service: Service,
        intents: Intents,
        pipeline: Pipeline,
        driver: Driver,
        publishing: Publishing,
        *,
        published: Published,
        outsides: Mapping[str, str],
    ) -> None:
        self._intents, self._pipeline, self._driver = intents, pipeline, driver
        self._publishing, self._published, self._outsides = publishing, published, outsides
        self._answering, self._metrics = Answering(service), driver.metrics
        for effect in service.effects.values():
            self._metrics.unanswered_by(effect.outside)
        self._places = {effect.name: asyncio.Semaphore(effect.at_once) for effect in service.effects.values()}
        self._moved = dict.fromkeys(self._places, 0.0)
        """When a call of an effect last ended, by the clock of the event loop."""
        self._outside_since: dict[str, float] = {}
        """When the call of an intent began, by the clock of the event loop; infinity once it is answered."""
        self._under_way: dict[str, asyncio.Task[bool]] = {}
        self._failures: dict[str, int] = {}
        """How often an unacknowledged intent got no answer; intents without failures are not listed."""
        self._broken = Failures()
        """Which intents fail for a reason that will not pass."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), auto_decompress=False)
        self._handling: set[asyncio.Task[bool]] = set()
        self._lane = asyncio.create_task(self._take_intents(), name="effects")

    async def close(self) -> None:
        """Cancel the work under way (the intents are committed, so they will be resumed) and close connections."""
        tasks = [self._lane, *self._handling, *self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._intents.close()
        await self._session.close()

    async def _take_intents(self) -> None:
        while True:
            handed = await self._intents.next()
            task = asyncio.create_task(self._handle(handed))
            self._handling.add(task)
            task.add_done_callback(self._handling.discard)
            task.add_done_callback(partial(_tell, handed.ended))

    async def _handle(self, handed: Handed) -> bool:
        """Carry out one intent, or hand it over if it takes long. False if it must be tried again.

        The delivery that led to it is unacknowledged meanwhile, and so is its whole batch: a provider that hangs over
        one order must not delay the others.
        """
        committed, repeated, nudge, _ = handed
        if repeated and not nudge and self._has_answered(committed):
            return True
        task = self._under_way_with(committed, repeated=repeated, nudge=nudge)
        if await self._ends_in_time(task, committed) and task.result():
            return True
        later = self._answering.for_later(committed, datetime.now(UTC))
        return not await self._publishing.publish([later], committed.traceparent)

    def _has_answered(self, committed: CommittedIntent) -> bool:
        """Tell whether this replica itself has settled and fully published the answer of an intent."""
        return self._published.knows(committed.answer_id)

    async def later(self, delivery: Delivery) -> Fate:
        """Carry out an intent that was handed over, however long it takes. Quarantine a delivery that is no intent."""
        committed = self._answering.read_later(delivery)
        if committed is None:
            [fate] = await self._pipeline.account([delivery])
            return fate
        if self._has_answered(committed):
            return Fate.REPEATED
        done = await asyncio.shield(self._under_way_with(committed, repeated=True))
        return Fate.SETTLED if done else Fate.AGAIN

    async def _ends_in_time(self, task: asyncio.Task[bool], committed: CommittedIntent) -> bool:
        """Wait while the outside answers in time: this intent, or other intents while this one waits for a place."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not task.done():
            since = self._outside_since.get(committed.key, max(began, self._moved.get(committed.effect, began)))
            left = since + _IN_BATCH - loop.time()
            if left <= 0:
                return False
            await asyncio.wait({task}, timeout=min(left, _IN_BATCH))
        return True

    def _under_way_with(self, committed: CommittedIntent, *, repeated: bool, nudge: str = "") -> asyncio.Task[bool]:
        task = self._under_way.get(committed.key)
        if task is None:
            task = self._under_way[committed.key] = asyncio.create_task(
                self._isolated(committed, repeated=repeated, nudge=nudge)
            )
            self._metrics.in_hand.inc()
            task.add_done_callback(lambda _: self._forget(committed.key))
        return task

    def _forget(self, key: str) -> None:
        self._metrics.in_hand.dec()
        self._under_way.pop(key, None)
        self._outside_since.pop(key, None)

    async def _isolated(self, committed: CommittedIntent, *, repeated: bool, nudge: str) -> bool:
        """Carry out one intent; no failure of it may delay the intents that came with it."""
        try:
            return await self._carry_out(committed, repeated=repeated, nudge=nudge)
        except Exception as error:
            if self._pipeline.failed:
                return False
            if not self._broken.enough(committed.key, error):
                log.exception("intent not carried out", effect=committed.effect, flow_id=committed.flow_id)
                return False
            problem = f"Carrying it out failed {self._broken.most} times in the same way: {_words(error)}"
        self._broken.forget(committed.key)
        return await self._settle(self._answering.for_a_person(committed, problem, datetime.now(UTC)))

    async def _carry_out(self, committed: CommittedIntent, *, repeated: bool, nudge: str) -> bool:
        request = self._answering.request(committed)
        if repeated:
            self._outside_since[committed.key] = math.inf
            try:
                recalling = self._answering.recall(committed, request)
                outcome: Outcome | None = await self._driver.drive(recalling, committed.traceparent)
            except UnreadableError:
                return False
            if outcome is not None:
                return await self._release_again(committed, outcome, nudge)
            del self._outside_since[committed.key]
        return await self._ask(committed, request)

    async def _ask(self, committed: CommittedIntent, request: OutsideRequest | NotYetError) -> bool:
        """Call the outside and settle its answer; quarantine the intent if this release cannot or must not call."""
        now = datetime.now(UTC)
        if isinstance(request, NotYetError):
            return await self._settle(self._answering.for_another_release(committed, request, now))
        effect = request.effect
        if problem := _why_not(effect, committed, now):
            return await self._settle(self._answering.for_a_person(committed, problem, now))
        failures = self._failures.pop(committed.key, 0)
        try:
            call = self._call_again(request, committed, failures) if failures else self._patiently(request, committed)
            answered = self._answering.delivery(committed, await call, datetime.now(UTC))
        except OutsideUnavailableError as error:
            self._failures[committed.key] = failures + 1
            self._metrics.unanswered_by(effect.outside).inc()
            log.warning("no answer from the outside", effect=effect.name, flow_id=committed.flow_id, reason=str(error))
            return False
        except Exception as error:
            log.exception("effect failed", effect=effect.name, flow_id=committed.flow_id)
            problem = f"The effect {effect.name} failed: {_words(error)}"
            return await self._settle(self._answering.for_a_person(committed, problem, now))
        return await self._settle(answered)

    async def _call_again(self, request: OutsideRequest, committed: CommittedIntent, failures: int) -> Answer:
        """Call an outside again that gave no answer, after a pause that grows each time, to spare the outside."""
        await asyncio.sleep(min(_LONGEST_PAUSE, 0.25 * 2.0**failures))
        return await self._call(request, committed)

    async def _patiently(self, request: OutsideRequest, committed: CommittedIntent) -> Answer:
        """Try a few times within a second: a delivery that is answered RETRY delays its whole batch for longer."""
        begun = asyncio.get_running_loop().time()
        for pause in _PAUSES:
            try:
                return await self._call(request, committed)
            except OutsideUnavailableError:
                if asyncio.get_running_loop().time() - begun > _PATIENCE:
                    raise
                await asyncio.sleep(pause)
        return await self._call(request, committed)

    async def _call(self, request: OutsideRequest, committed: CommittedIntent) -> Answer:
        effect = request.effect
        call = Call(self._session, effect.outside, self._outsides[effect.outside], committed)
        clock = asyncio.get_running_loop().time
        async with self._places[effect.name]:
            self._outside_since.setdefault(committed.key, clock())
            try:
                async with asyncio.timeout(effect.timeout.total_seconds()):
                    answer: Answer = await effect.function(copied(request.intent), call)
            except TimeoutError as error:
                raise OutsideUnavailableError(f"{effect.outside} did not answer within {effect.timeout}.") from error
            finally:
                self._moved[effect.name] = clock()
        self._outside_since[committed.key] = math.inf
        return answer

    async def _settle(self, delivery: Delivery) -> bool:
        [fate] = await self._pipeline.account([delivery])
        if fate is Fate.QUARANTINED:
            self._metrics.quarantined_inside.inc()
        return fate.done

    async def _release_again(self, committed: CommittedIntent, outcome: Outcome, nudge: str) -> bool:
        delivery = Delivery(
            None,
            outcome.heard,
            outcome.event_id,
            traceparent=committed.traceparent,
            inside=True,
            purpose="nudge" if nudge else "run",
            nudge=nudge,
        )
        return all(await self._pipeline.release([Settled(delivery, outcome, repeated=True)]))


def _why_not(effect: Effect, committed: CommittedIntent, now: datetime) -> str:
    if now - committed.at > effect.keeps_keys - timedelta(minutes=5):
        return (
            f"The intent {committed.key} is from {committed.at:%Y-%m-%d %H:%M:%S}; {effect.outside} may have "
            "forgotten its key, so calling it could do the same thing twice. A person must look."
        )
    return ""


def _tell(ended: asyncio.Future[bool], task: asyncio.Task[bool]) -> None:
    """Report the end of an intent's handling to the task that waits for it."""
    if ended.done():
        return
    if task.cancelled():
        ended.cancel()
    elif (error := task.exception()) is not None:
        ended.set_exception(error)
    else:
        ended.set_result(task.result())


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
