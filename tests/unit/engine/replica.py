"""One replica of a service, driven one operation at a time, so that a test can end it between any two of them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import orjson

from choreography.contracts import Answer as OutsideAnswer
from choreography.engine.answering import Answering, UnreadableError
from choreography.engine.control import read_control
from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery
from choreography.engine.memory import Newcomers, Published
from choreography.engine.operations import (
    CarryOut,
    Commit,
    Confirm,
    Limits,
    Pause,
    Publish,
    Read,
    Remind,
    Schedule,
    Together,
)
from choreography.engine.records import CommittedIntent, ScheduledDeadline
from choreography.engine.releasing import release
from choreography.engine.settling import Settler
from choreography.service import Service
from tests.unit.engine.broker import Broker, Provider, Scheduler
from tests.unit.engine.store import Store

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)

Result = TypeVar("Result")
Step = Read | Remind | Confirm | Commit | Pause | Publish | Schedule | CommittedIntent
Steps = Generator[Step, None, Result]
Outside = Callable[[CommittedIntent], OutsideAnswer]


def no_answer(_commit_intents: CommittedIntent) -> OutsideAnswer:
    """Refuse to answer: this test expects no effect."""
    raise AssertionError("no effect was expected")


@dataclass(slots=True)
class World:
    """The store, broker, scheduler and provider that all replicas of a service share."""

    service: Service
    answers: Outside = no_answer
    store: Store = field(default_factory=Store)
    broker: Broker = field(default_factory=Broker)
    scheduler: Scheduler = field(default_factory=Scheduler)
    provider: Provider = field(default_factory=Provider)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Let the provider see whether its request was committed first."""
        self.provider.committed = lambda committed: any(committed in one.intents for one in self.store.outcomes())

    def recorded(self) -> set[str]:
        """Return the texts of all events that outcomes record for publishing."""
        return {event.encoded for one in self.store.outcomes() for event in one.events}

    def wished(self) -> dict[str, str]:
        """Return the requests of all intents that outcomes hold, by key."""
        return {committed.key: committed.body for one in self.store.outcomes() for committed in one.intents}

    def due(self) -> set[ScheduledDeadline]:
        """Return the deadlines that outcomes hold."""
        return {due for one in self.store.outcomes() for due in one.deadlines}

    def assert_released(self) -> None:
        """Check that exactly the bytes that outcomes hold were published, scheduled and called."""
        assert set(self.broker.texts()) == self.recorded()
        assert set(self.scheduler.deadlines) == self.due()
        assert self.provider.done == self.wished()


class Replica:
    """One process; its memory is lost when it dies."""

    def __init__(
        self,
        world: World,
        *,
        now: datetime = NOON,
        service: Service | None = None,
        guard: Callable[[float], AbstractContextManager[None]] = lambda _: nullcontext(),
        name: str = "one",
        newcomers: Newcomers | None = None,
    ) -> None:
        self.world, self.now, self.service = world, now, service or world.service
        self.published = Published(world.limits.remembered)
        self.settler = Settler(self.service, world.limits, self.published, guard, name, newcomers=newcomers)
        self.answering = Answering(self.service)
        self.pauses: list[int] = []

    def begin(self) -> bool:
        """Read how the previous process of this replica ended."""
        begun: bool = self.drive(self.settler.suspects.begin())
        return begun

    def acquit(self) -> None:
        """End the probation."""
        self.drive(self.settler.suspects.acquit())

    def end(self) -> None:
        """End tidily."""
        self.drive(self.settler.suspects.end())

    def drive(self, engine: Generator[Any, Any, Any]) -> Any:
        """Perform all operations of a part of the engine, and return its result."""
        return finish(self._drive(engine))

    def deliver(self, *deliveries: Delivery) -> list[bool]:
        """Take deliveries from the broker; return for each whether it may be acknowledged."""
        return finish(self.delivering(deliveries))

    def settle(self, *deliveries: Delivery) -> list[Settled]:
        """Settle and release nothing."""
        return finish(self.settling(deliveries))

    def control(self, control: Delivery) -> list[bool]:
        """Take a nudge or a replay request."""
        return self.deliver(*read_control(control, self.service.name))

    def delivering(self, deliveries: Sequence[Delivery]) -> Steps[list[bool]]:
        """Deliver one operation at a time: each is yielded before it is performed."""
        settled = yield from self.settling(deliveries)
        return (yield from self.releasing(settled))

    def settling(self, deliveries: Sequence[Delivery]) -> Steps[list[Settled]]:
        """Settle one operation at a time."""
        engine = self.settler.settle(deliveries, self.now)
        settled: list[Settled] = yield from self._drive(engine)
        return settled

    def releasing(self, settled: Sequence[Settled]) -> Steps[list[bool]]:
        """Release one operation at a time."""
        done: list[bool] = yield from self._drive(release(settled, self.world.limits, self.published))
        return done

    def _drive(self, engine: Generator[Any, Any, Any]) -> Steps[Any]:
        answer: Any = None
        while True:
            try:
                operation = engine.send(answer)
            except StopIteration as stop:
                return stop.value
            if isinstance(operation, Together):
                answer = []
                for one in operation.operations:
                    answer.append((yield from self._side(one)))
            else:
                yield operation
                answer = self._perform(operation)

    def _perform(self, operation: Read | Remind | Confirm | Commit | Pause) -> Any:
        match operation:
            case Remind(slot, events, keys):
                return self.world.scheduler.remind(slot, events), self.world.store.read(keys)
            case Read(keys):
                return self.world.store.read(keys)
            case Confirm(key):
                return self.world.store.confirm(key)
            case Commit(writes, beside):
                return self.world.store.commit(writes, beside)
            case Pause(attempt):
                self.pauses.append(attempt)
                return None

    def _side(self, operation: Publish | Schedule | CarryOut) -> Steps[frozenset[int] | bool]:
        match operation:
            case Publish(events):
                yield operation
                return self.world.broker.publish(events)
            case Schedule(deadlines):
                yield operation
                return self.world.scheduler.schedule(deadlines)
            case CarryOut(intents, repeated):
                open_ones = set()
                for index, committed in enumerate(intents):
                    if not (yield from self._carry_out(committed, repeated=repeated)):
                        open_ones.add(index)
                return frozenset(open_ones)

    def _carry_out(self, committed: CommittedIntent, *, repeated: bool) -> Steps[bool]:
        if repeated:
            try:
                outcome = yield from self._drive(self.answering.recall(committed))
            except UnreadableError:
                return False
            if outcome is not None:
                delivery = Delivery(None, outcome.heard, outcome.event_id, inside=True)
                return all((yield from self.releasing([Settled(delivery, outcome, repeated=True)])))
        not_yet = self.answering.not_yet(committed, self.now)
        if not_yet is not None:
            return all((yield from self.delivering([not_yet])))
        yield committed
        if not self.world.provider.call(committed):
            return False
        answer = self.answering.delivery(committed, self.world.answers(committed), self.now)
        return all((yield from self.delivering([answer])))


def finish(steps: Generator[Any, None, Result]) -> Result:
    """Let it run to its end."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            result: Result = stop.value
            return result


def die_after(steps: Generator[Any, None, Any], operations: int) -> bool:
    """End the process after so many operations; return False if it was done before that."""
    for _ in range(operations + 1):
        try:
            next(steps)
        except StopIteration:
            return False
    steps.close()
    return True


def interleaved(first: Steps[Any], second: Steps[Any], turns: Iterator[bool]) -> tuple[Any, Any]:
    """Let two replicas take turns: True lets the first perform its next operation."""
    running, results = {True: first, False: second}, {}
    while running:
        turn = next(turns, True)
        whose = turn if turn in running else not turn
        try:
            next(running[whose])
        except StopIteration as stop:
            results[whose] = stop.value
            del running[whose]
    return results[True], results[False]


def said(encoded: str) -> dict[str, Any]:
    """Return the content of one published event."""
    data: dict[str, Any] = orjson.loads(encoded)["data"]
    return data
