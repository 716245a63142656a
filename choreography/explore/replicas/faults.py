"""Every way in which one operation can be answered, and how many wrong answers are still to come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

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
    Unknown,
    Values,
)
from choreography.engine.records import Outgoing
from choreography.explore.replicas.program import Call, Operation
from choreography.explore.replicas.rows import Rows, row, shown, written


@dataclass(frozen=True, slots=True)
class Budget:
    """How much may go wrong in one run.

    Attributes:
        crashes: processes that die, before or after any operation.
        unknown: answers that do not come, whether or not what was asked for was done.
        hidden: bulk gets that show nothing though something is there.
        redeliveries: deliveries of what another replica holds, or of what is long acknowledged.
    """

    crashes: int = 0
    unknown: int = 0
    hidden: int = 0
    redeliveries: int = 0

    def without(self, name: str) -> Budget:
        """Return what is left when one of these has happened."""
        return replace(self, **{name: getattr(self, name) - 1})


@dataclass(frozen=True, slots=True)
class Change:
    """One answer, and what is different afterwards."""

    label: str
    told: Any
    answer: Any
    budget: Budget
    rows: Rows | None = None
    published: tuple[Outgoing, ...] = ()
    scheduled: tuple[str, ...] = ()
    called: tuple[str, str] | None = None


def ways(operation: Operation, rows: Rows, budget: Budget) -> Iterator[Change]:
    """Return every way in which an operation can be answered."""
    less = budget.without("unknown") if budget.unknown else None
    match operation:
        case Read(keys):
            found = shown(rows, keys)
            told = tuple(sorted((key, stored.value, stored.etag) for key, stored in found.found.items()))
            yield Change("it reads", told, found, budget)
            if budget.hidden and told:
                yield Change("it reads, and is shown nothing", (), Values({}), budget.without("hidden"))
            if less:
                failed = Values({}, frozenset(keys))
                yield Change("it reads, and the read fails", "failed", failed, less)
        case Confirm(key):
            stored = row(rows, key)
            yield Change("it reads one key", stored, stored, budget)
            if less:
                yield Change("it reads one key, and gets no answer", "unknown", Unknown(), less)
        case Commit(writes):
            yield from _commits(writes, rows, budget, less)
        case Pause():
            yield Change("it waits", None, None, budget)
        case Publish(events):
            yield Change("it publishes", "all", NOTHING_FAILED, budget, published=events)
            if less:
                missed = frozenset(range(len(events)))
                yield Change("it publishes, and the reply is lost", "none", missed, less, published=events)
                yield Change("it publishes, and nothing gets through", "none", missed, less)
        case Schedule(dues):
            jobs = tuple(due.encoded for due in dues)
            yield Change("it schedules", True, True, budget, scheduled=jobs)
            if less:
                yield Change("it schedules, and the reply is lost", False, False, less, scheduled=jobs)
        case Call(wish):
            call = (wish.key, wish.body)
            yield Change("it calls the outside", True, True, budget, called=call)
            if less:
                yield Change("it calls the outside, and the reply is lost", False, False, less, called=call)


def _commits(writes: Any, rows: Rows, budget: Budget, less: Budget | None) -> Iterator[Change]:
    after = written(rows, writes)
    if isinstance(after, Conflict):
        yield Change("it commits, and there is a conflict", "conflict", after, budget)
    else:
        yield Change("it commits", "committed", Committed(), budget, rows=after)
        if less:
            yield Change("it commits, and the reply is lost", "unknown", Unknown(), less, rows=after)
    if less:
        yield Change("it commits, and nothing is written", "unknown", Unknown(), less)
