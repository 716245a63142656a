"""Breadth-first search through everything that can happen to the replicas of one service, operation by operation."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from choreography.contracts import Answer, Entity
from choreography.engine.delivery import Delivery
from choreography.engine.identity import Key
from choreography.engine.operations import Limits
from choreography.engine.records import CommittedIntent, EntityRecord, Outcome, Outgoing
from choreography.explore.replicas.operation_faults import Budget, FaultyWay, ways
from choreography.explore.replicas.program import Memory, Places, Program, ProgramPoint, Setting, as_shipped
from choreography.explore.replicas.rows import Rows, outcomes, row
from choreography.service import Service

NOBODY: Memory = frozenset()


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """One process: its memory, and its progress in its batch, if it has one."""

    memory: Memory = NOBODY
    place: int = 0
    holds: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """One state: the store, the published events, the deliveries of each replica, and the remaining faults.

    Attributes:
        waiting: deliveries, by number, that no replica holds and that are not acknowledged.
    """

    rows: Rows
    published: frozenset[Outgoing]
    scheduled: frozenset[str]
    called: tuple[tuple[str, str], ...]
    waiting: frozenset[int]
    replicas: tuple[ReplicaState, ...]
    budget: Budget

    @property
    def outcomes(self) -> list[Outcome]:
        """Every outcome in the store."""
        return list(outcomes(self.rows))

    def record(self, service: Service, entity: type[Entity], key: str) -> EntityRecord | None:
        """Return the record of one entity."""
        stored = row(self.rows, Key(service.name, entity.kind, key))
        return EntityRecord.decode(stored.value) if stored else None

    @property
    def at_rest(self) -> bool:
        """Everything is acknowledged and no replica is at work."""
        return not self.waiting and not any(one.place for one in self.replicas)


Check = Callable[[Situation], bool]


@dataclass(slots=True)
class EngineFound:
    """A property that fails, and a shortest run to the failure."""

    name: str
    run: list[str]
    situation: Situation


@dataclass(slots=True)
class EngineResult:
    """The findings of an exploration of the engine."""

    states: int = 0
    steps: int = 0
    depth: int = 0
    ends: int = 0
    cpu: float = 0.0
    found: EngineFound | None = None


@dataclass(slots=True)
class EngineScope:
    """One service, the events that are delivered to it, and the possible faults.

    Attributes:
        always: the properties that hold in every state, by name.
        eventually: the properties that hold once everything is acknowledged, by name.
    """

    service: Service
    deliveries: Sequence[Delivery]
    answers: Callable[[CommittedIntent], Answer]
    replicas: int = 1
    budget: Budget = field(default_factory=Budget)
    limits: Limits = field(default_factory=lambda: Limits(attempts=2))
    program: Program = as_shipped
    always: Mapping[str, Check] = field(default_factory=dict)
    eventually: Mapping[str, Check] = field(default_factory=dict)

    def explore(self) -> EngineResult:
        """Explore every state."""
        collecting = gc.isenabled()
        gc.disable()
        try:
            return _Search(self).run()
        finally:
            if collecting:
                gc.enable()


class _Search:
    def __init__(self, scope: EngineScope) -> None:
        self._scope = scope
        self._places = Places(Setting(scope.service, scope.limits, scope.answers), scope.program)
        self._at: dict[int, ProgramPoint] = {}
        self._judged: dict[Any, str] = {}

    def run(self) -> EngineResult:
        scope, result, cpu = self._scope, EngineResult(), time.process_time()
        every = frozenset(range(len(scope.deliveries)))
        first = Situation((), frozenset(), frozenset(), (), every, (ReplicaState(),) * scope.replicas, scope.budget)
        seen: dict[Situation, tuple[Situation, str] | None] = {first: None}
        level = [first]
        while level and result.found is None:
            following: list[Situation] = []
            for situation in level:
                broken = self._broken(situation)
                if broken:
                    result.found = EngineFound(broken, _run_to(situation, seen), situation)
                    break
                result.ends += situation.at_rest
                for label, after in self._steps(situation):
                    result.steps += 1
                    if after not in seen:
                        seen[after] = (situation, label)
                        following.append(after)
            level = following
            result.depth += 1 if level else 0
        result.states, result.cpu = len(seen), time.process_time() - cpu
        return result

    def _broken(self, one: Situation) -> str:
        key = (one.rows, one.published, one.scheduled, one.called, one.at_rest)
        broken = self._judged.get(key)
        if broken is None:
            checks = {**self._scope.always, **(self._scope.eventually if one.at_rest else {})}
            broken = self._judged[key] = next((name for name, check in checks.items() if not check(one)), "")
        return broken

    def _steps(self, one: Situation) -> Iterator[tuple[str, Situation]]:
        for number, replica in enumerate(one.replicas):
            if number and replica == one.replicas[number - 1]:
                continue
            if replica.place:
                yield from self._working(one, number, replica)
            else:
                yield from self._taking(one, number, replica)

    def _taking(self, one: Situation, number: int, replica: ReplicaState) -> Iterator[tuple[str, Situation]]:
        waiting = tuple(sorted(one.waiting))
        batches = [(single,) for single in waiting] + ([waiting] if len(waiting) > 1 else [])
        for batch in batches:
            yield self._taken(one, number, replica, batch, again=False)
        if one.budget.redeliveries:
            for single in range(len(self._scope.deliveries)):
                if single not in one.waiting:
                    yield self._taken(one, number, replica, (single,), again=True)

    def _taken(
        self, one: Situation, number: int, replica: ReplicaState, batch: tuple[int, ...], *, again: bool
    ) -> tuple[str, Situation]:
        place = self._kept(self._places.begin(tuple(self._scope.deliveries[each] for each in batch), replica.memory))
        busy = replace(replica, place=place, holds=batch)
        budget = one.budget.without("redeliveries") if again else one.budget
        after = replace(one, waiting=one.waiting - set(batch), budget=budget)
        told = ", ".join(self._scope.deliveries[each].identity for each in batch)
        return f"a replica is given {told}{' again' if again else ''}", _with(after, number, busy)

    def _working(self, one: Situation, number: int, replica: ReplicaState) -> Iterator[tuple[str, Situation]]:
        place = self._at[replica.place]
        if one.budget.crashes:
            died = replace(one, waiting=one.waiting | set(replica.holds), budget=one.budget.without("crashes"))
            yield f"the replica dies {_before(place)}", _with(died, number, ReplicaState())
        if place.operation is None:
            undone = {each for each, done in zip(replica.holds, place.done, strict=True) if not done}
            after = replace(one, waiting=one.waiting | undone)
            told = "hands back what is not done" if undone else "acknowledges"
            yield f"the replica {told}", _with(after, number, ReplicaState(place.after))
            return
        for change in ways(place.operation, one.rows, one.budget):
            following = self._kept(self._places.answered(place, change.told, change.answer))
            yield change.label, _with(_changed(one, change), number, replace(replica, place=following))

    def _kept(self, place: ProgramPoint) -> int:
        self._at[place.number] = place
        return place.number


def _changed(one: Situation, change: FaultyWay) -> Situation:
    called = one.called
    if change.called and change.called not in called:
        called = tuple(sorted((*called, change.called)))
    return replace(
        one,
        rows=one.rows if change.rows is None else change.rows,
        published=one.published.union(change.published),
        scheduled=one.scheduled.union(change.scheduled),
        called=called,
        budget=change.budget,
    )


def _with(one: Situation, number: int, replica: ReplicaState) -> Situation:
    others = (*one.replicas[:number], *one.replicas[number + 1 :])
    order = sorted((*others, replica), key=lambda each: (each.place, each.holds, sorted(each.memory)))
    return replace(one, replicas=tuple(order))


def _before(place: ProgramPoint) -> str:
    return f"before its {type(place.operation).__name__.lower()}" if place.operation else "before it answers"


def _run_to(one: Situation, seen: Mapping[Situation, tuple[Situation, str] | None]) -> list[str]:
    run: list[str] = []
    step = seen[one]
    while step is not None:
        run.append(step[1])
        step = seen[step[0]]
    return run[::-1]


def said(event: Outgoing) -> tuple[str, Any]:
    """Return the id and the content of a published event."""
    told = orjson.loads(event.encoded)
    return told["id"], told["data"]
