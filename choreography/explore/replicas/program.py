"""The work of one replica on one batch, one operation at a time: the engine that ships, driven by its operations.

A generator cannot be copied, but the engine is a pure function of the responses it gets. So its progress is a point in
a tree of responses; the engine runs anew only where no replica has been before.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from choreography.contracts import Answer
from choreography.engine.answering import Answering, UnreadableError
from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery
from choreography.engine.memory import Published
from choreography.engine.operations import CarryOut, Commit, Confirm, Limits, Pause, Publish, Read, Schedule, Together
from choreography.engine.records import CommittedIntent
from choreography.engine.releasing import release
from choreography.engine.settling import Settler
from choreography.in_memory import NOON
from choreography.service import Service

Memory = frozenset[tuple[str, str]]
"""What a replica remembers to have published: ids, and digests of what they said."""


@dataclass(frozen=True, slots=True)
class CallOutside:
    """Ask the outside to carry out the intent."""

    committed: CommittedIntent


Operation = Read | Confirm | Commit | Pause | Publish | Schedule | CallOutside | Together
Steps = Generator[Operation, Any, Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One service, its limits, and how its outside answers."""

    service: Service
    limits: Limits
    answers: Callable[[CommittedIntent], Answer]


Program = Callable[[Setting, Sequence[Delivery], Published], Steps]
"""From a batch to whether each of its deliveries may be acknowledged."""


def as_shipped(setting: Setting, deliveries: Sequence[Delivery], published: Published) -> Steps:
    """Settle a batch and release it, as the driver does in production."""
    settled = yield from Settler(setting.service, setting.limits, published).settle(deliveries, NOON)
    return (yield from released(setting, settled, published))


def released(setting: Setting, settled: Sequence[Settled], published: Published) -> Steps:
    """Release a settled batch, one operation after the other."""
    engine = release(settled, setting.limits, published)
    answers: Any = None
    while True:
        try:
            together = engine.send(answers)
        except StopIteration as end:
            return end.value
        answers = []
        for operation in together.operations if isinstance(together, Together) else ():
            if isinstance(operation, CarryOut):
                answers.append((yield from _carried_out(setting, operation, published)))
            else:
                answers.append((yield operation))


def _carried_out(setting: Setting, operation: CarryOut, published: Published) -> Steps:
    undone = set()
    for index, committed in enumerate(operation.intents):
        if not (yield from _answered(setting, committed, published, repeated=operation.repeated)):
            undone.add(index)
    return frozenset(undone)


def _answered(setting: Setting, committed: CommittedIntent, published: Published, *, repeated: bool) -> Steps:
    answering = Answering(setting.service)
    if repeated:
        try:
            outcome = yield from answering.recall(committed)
        except UnreadableError:
            return False
        if outcome is not None:
            again = Settled(Delivery(None, outcome.heard, outcome.event_id, inside=True), outcome, repeated=True)
            return all((yield from released(setting, [again], published)))
    if not (yield CallOutside(committed)):
        return False
    answer = answering.delivery(committed, setting.answers(committed), NOON)
    return all((yield from as_shipped(setting, [answer], published)))


class _Noted(Published):
    """The memory of a replica, kept so that it can be handed to its next batch."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(1000)
        self.noted = set(memory)
        for identity, digest in memory:
            super().add(identity, digest)

    def add(self, event_id: str, digest: str) -> None:
        """Remember one outcome."""
        super().add(event_id, digest)
        self.noted.add((event_id, digest))


@dataclass(slots=True)
class ProgramPoint:
    """The progress of a replica: the operation it waits for, or its response to the broker and its new memory."""

    batch: tuple[Delivery, ...]
    memory: Memory
    answers: tuple[Any, ...]
    number: int = 0
    operation: Operation | None = None
    done: tuple[bool, ...] = ()
    after: Memory = frozenset()
    next: dict[Any, ProgramPoint] = field(default_factory=dict)


class Places:
    """All points that replicas have reached."""

    def __init__(self, setting: Setting, program: Program) -> None:
        self._setting, self._program = setting, program
        self._first: dict[tuple[tuple[str, ...], Memory], ProgramPoint] = {}
        self._count = 0

    def begin(self, batch: tuple[Delivery, ...], memory: Memory) -> ProgramPoint:
        """Return the point of a replica that has just received a batch."""
        key = (tuple(one.identity for one in batch), memory)
        found = self._first.get(key)
        if found is None:
            found = self._first[key] = self._run(ProgramPoint(batch, memory, ()))
        return found

    def answered(self, place: ProgramPoint, told: Any, answer: Any) -> ProgramPoint:
        """Return the point of a replica after a response; ``told`` distinguishes this response from others."""
        found = place.next.get(told)
        if found is None:
            found = place.next[told] = self._run(ProgramPoint(place.batch, place.memory, (*place.answers, answer)))
        return found

    def _run(self, place: ProgramPoint) -> ProgramPoint:
        self._count += 1
        place.number = self._count
        published = _Noted(place.memory)
        steps = self._program(self._setting, place.batch, published)
        try:
            operation = next(steps)
            for answer in place.answers:
                operation = steps.send(answer)
            place.operation = operation
        except StopIteration as end:
            place.done = tuple(end.value)
            place.after = frozenset(published.noted)
        return place
