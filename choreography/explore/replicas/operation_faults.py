"""Every possible response to one operation, and the number of faults that are still possible."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from choreography.engine.identity import Key
from choreography.engine.operations import (
    NOTHING_FAILED,
    Commit,
    Committed,
    Confirm,
    Conflict,
    Pause,
    Publish,
    Read,
    Schedule,
    Together,
    Unknown,
    Values,
    Write,
)
from choreography.engine.records import Outgoing
from choreography.explore.replicas.program import CallOutside, Operation
from choreography.explore.replicas.rows import Rows, row, shown, written


@dataclass(frozen=True, slots=True)
class Budget:
    """The number of faults that are still possible in one run.

    Attributes:
        crashes: processes that die, before or after any operation.
        unknown: responses that do not arrive, whether the operation was done or not.
        hidden: bulk gets that return nothing though the row exists.
        redeliveries: deliveries of an event that another replica holds, or that is acknowledged already.
    """

    crashes: int = 0
    unknown: int = 0
    hidden: int = 0
    redeliveries: int = 0

    def without(self, name: str) -> Budget:
        """Return the rest of the budget after one of these faults."""
        return replace(self, **{name: getattr(self, name) - 1})


@dataclass(frozen=True, slots=True)
class FaultyWay:
    """One response, and the state after it."""

    label: str
    told: Any
    answer: Any
    budget: Budget
    rows: Rows | None = None
    published: tuple[Outgoing, ...] = ()
    scheduled: tuple[str, ...] = ()
    called: tuple[str, str] | None = None


def ways(operation: Operation, rows: Rows, budget: Budget) -> Iterator[FaultyWay]:
    """Return every possible response to an operation."""
    less = budget.without("unknown") if budget.unknown else None
    match operation:
        case Read(keys):
            yield from _reads(keys, rows, budget, less)
        case Confirm(key):
            stored = row(rows, key)
            yield FaultyWay("it reads one key", stored, stored, budget)
            if less:
                yield FaultyWay("it reads one key, and gets no answer", "unknown", Unknown(), less)
        case Commit(writes):
            yield from _commits(writes, rows, budget, less)
        case Pause():
            yield FaultyWay("it waits", None, None, budget)
        case Publish() | Schedule() | CallOutside():
            yield from _releases(operation, budget, less)
        case Together():
            raise TypeError("A program lets things out one after the other, so that it may die in between.")


def _reads(keys: tuple[Key, ...], rows: Rows, budget: Budget, less: Budget | None) -> Iterator[FaultyWay]:
    found = shown(rows, keys)
    told = tuple(sorted((key, stored.value, stored.etag) for key, stored in found.found.items()))
    yield FaultyWay("it reads", told, found, budget)
    if budget.hidden and told:
        yield FaultyWay("it reads, and is shown nothing", (), Values({}), budget.without("hidden"))
    if less:
        yield FaultyWay("it reads, and the read fails", "failed", Values({}, frozenset(keys)), less)


def _commits(writes: tuple[Write, ...], rows: Rows, budget: Budget, less: Budget | None) -> Iterator[FaultyWay]:
    after = written(rows, writes)
    if isinstance(after, Conflict):
        yield FaultyWay("it commits, and there is a conflict", "conflict", after, budget)
    else:
        yield FaultyWay("it commits", "committed", Committed(), budget, rows=after)
        if less:
            yield FaultyWay("it commits, and the reply is lost", "unknown", Unknown(), less, rows=after)
    if less:
        yield FaultyWay("it commits, and nothing is written", "unknown", Unknown(), less)


def _releases(operation: Publish | Schedule | CallOutside, budget: Budget, less: Budget | None) -> Iterator[FaultyWay]:
    match operation:
        case Publish(events):
            missed = frozenset(range(len(events)))
            done = FaultyWay("it publishes", "all", NOTHING_FAILED, budget, published=events)
            lost = replace(done, told="none", answer=missed)
        case Schedule(deadlines):
            done = FaultyWay("it schedules", True, True, budget, scheduled=tuple(due.encoded for due in deadlines))
            lost = replace(done, told=False, answer=False)
        case CallOutside(committed):
            done = FaultyWay("it calls the outside", True, True, budget, called=(committed.key, committed.body))
            lost = replace(done, told=False, answer=False)
    yield done
    if less:
        yield replace(lost, label=f"{done.label}, and the reply is lost", budget=less)
        none = replace(lost, label=f"{done.label}, and nothing gets through", budget=less)
        yield replace(none, published=(), scheduled=(), called=None)
