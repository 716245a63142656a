"""One service and its store in a dictionary, driven through the engine that serves it in production.

Nothing fails here and nothing waits: this exercises the decisions of the reactions, and not a broker.
"""

from __future__ import annotations

import itertools
import typing
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import orjson
from pydantic import ValidationError

from choreography.authored import place_in
from choreography.contracts import Answer, Entity, Event
from choreography.earlier_names import EarlierName
from choreography.engine.beside import Rows
from choreography.engine.deciding import Settled
from choreography.engine.delivery import Delivery, read_delivery
from choreography.engine.envelope import Envelope
from choreography.engine.identity import Key, derived_id
from choreography.engine.memory import Published
from choreography.engine.operations import (
    ANY_ETAG,
    NOTHING_FAILED,
    CarryOut,
    Commit,
    Committed,
    Confirm,
    Conflict,
    Limits,
    Publish,
    Read,
    Schedule,
    Stored,
    Together,
    Values,
    Write,
)
from choreography.engine.records import CommittedIntent, EntityRecord, Outgoing, ScheduledDeadline
from choreography.engine.releasing import release
from choreography.engine.settling import Settler
from choreography.service import Service

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""The time of everything that happens in memory."""

Result = TypeVar("Result")


@dataclass(slots=True)
class Delivered:
    """The fates of some deliveries, and everything that was released because of them."""

    settled: Sequence[Settled] = ()
    events: list[Outgoing] = field(default_factory=list)
    deadlines: list[ScheduledDeadline] = field(default_factory=list)
    intents: list[CommittedIntent] = field(default_factory=list)
    rows: list[Rows] = field(default_factory=list)

    dues = EarlierName("deadlines")
    wishes = EarlierName("intents")

    @property
    def quarantined(self) -> list[str]:
        """The reasons for which deliveries were quarantined."""
        bad = (one.outcome.quarantined for one in self.settled if one.outcome)
        return [one.reason for one in bad if one]

    @property
    def explained(self) -> list[str]:
        """The reasons for quarantines, each with the file and line of the author's code that failed."""
        bad = (one.outcome.quarantined for one in self.settled if one.outcome)
        return [f"{one.reason} ({place})" if (place := place_in(one.stack)) else one.reason for one in bad if one]

    @property
    def waits(self) -> bool:
        """Whether some deliveries were quarantined for another release, which replays them by itself."""
        return any(one.outcome.quarantined.needs for one in self.settled if one.outcome and one.outcome.quarantined)


class InMemory:
    """One service with its store."""

    def __init__(
        self,
        service: Service,
        store: dict[Key, Stored] | None = None,
        versions: Iterator[int] | None = None,
        limits: Limits | None = None,
    ) -> None:
        service.check()
        self.service, self.now = service, NOON
        self._limits = limits or Limits()
        self._store: dict[Key, Stored] = {} if store is None else store
        self._versions = versions or itertools.count(1)
        # No memory of published events, so that every repeat has to find its outcome in the store.
        self._published = Published(0)
        self._settler = Settler(service, self._limits, self._published)
        self._released = Delivered()

    @property
    def entities(self) -> dict[tuple[str, str], Entity]:
        """Every entity it keeps, by kind and key, without the entities of another release that this one cannot read."""
        kinds = {entity.kind: entity for entity in self.service.entities}
        kept: dict[tuple[str, str], Entity] = {}
        for key, stored in sorted(self._store.items()):
            kind = kinds.get(key.kind)
            state = EntityRecord.decode(stored.value).state if kind else None
            if kind and state is not None:
                with suppress(ValidationError):
                    entity = kind.model_validate_json(orjson.dumps(state))
                    kept[entity.kind, entity.key] = entity
        return kept

    def beside(self, service: Service) -> InMemory:
        """Return another release of this service on the same store."""
        return InMemory(service, self._store, self._versions, self._limits)

    def copied(self) -> InMemory:
        """Return this service on a copy of its store."""
        return InMemory(self.service, dict(self._store), self._versions, self._limits)

    def records(self) -> Iterator[tuple[str, EntityRecord]]:
        """Yield the kind and record of everything that it keeps, including the slots of joins that still wait."""
        kinds = {entity.kind for entity in self.service.entities}
        for key, stored in sorted(self._store.items()):
            if key.kind in kinds:
                yield key.kind, EntityRecord.decode(stored.value)

    def put(self, entity: Entity) -> None:
        """Store an entity as if an earlier event had led to it."""
        if type(entity) not in self.service.entities:
            known = ", ".join(sorted(one.__name__ for one in self.service.entities))
            raise TypeError(f"{self.service.name} does not own {type(entity).__name__}; it owns {known}.")
        key = Key(self.service.name, entity.kind, entity.key)
        record = EntityRecord.decode(self._store[key].value) if key in self._store else EntityRecord()
        record.version, record.state = record.version + 1, entity.model_dump(mode="json")
        self._store[key] = Stored(record.encode(), str(next(self._versions)))

    def restore(self, records: Mapping[tuple[str, str], EntityRecord]) -> None:
        """Forget everything except these records, which are given by kind and key."""
        self._store = {
            Key(self.service.name, *place): Stored(record.encode(), str(next(self._versions)))
            for place, record in records.items()
        }

    def record(self, kind: str, key: str) -> EntityRecord:
        """Return one record; a vacant record if none is stored."""
        stored = self._store.get(Key(self.service.name, kind, key))
        return EntityRecord.decode(stored.value) if stored else EntityRecord()

    def delivery(self, said: Event | Answer, number: int = 1) -> Delivery:
        """Return an event, or an effect's answer, as it would be delivered. Another number makes another event."""
        if said.wire_type not in self.service.subjects:
            known = ", ".join(sorted({subject.model.__name__ for subject in self.service.subjects.values()}))
            raise TypeError(f"{self.service.name} does not react to {type(said).__name__}; it hears {known}.")
        inside = isinstance(said, Answer)
        own = inside or type(said) in self.service.publishes
        subject = "the outside" if isinstance(said, Answer) else said.subject
        envelope = Envelope(
            id=derived_id(said.wire_type, said.model_dump_json(), str(number)),
            type=said.wire_type,
            source=self.service.name if own else _publisher_of(said),
            subject=subject,
            time=self.now,
            flow_id=subject,
            causation_id="",
            traceparent="",
            data=said.model_dump(mode="json"),
        )
        return read_delivery(envelope.encode().encode())._replace(inside=inside)

    def fired(self, due: ScheduledDeadline) -> Delivery:
        """Return a fired deadline as a delivery."""
        return read_delivery(due.encoded.encode())._replace(inside=True)

    def hear(self, *deliveries: Delivery) -> Delivered:
        """Settle deliveries as one batch, and release their outcomes."""
        self._released = Delivered()
        settled = _driven(self._settler.settle(deliveries, self.now), self._perform)
        _driven(release(settled, self._limits, self._published), self._perform)
        self._released.settled = settled
        return self._released

    def _perform(self, operation: Any) -> Any:
        match operation:
            case Read(keys):
                return Values({key: self._store[key] for key in keys if key in self._store})
            case Confirm(key):
                return self._store.get(key)
            case Commit(writes, beside):
                self._released.rows += beside.rows if beside else ()
                return self._commit(writes)
            case Together(parts):
                return [self._release(part) for part in parts]
            case _:
                raise AssertionError(f"The engine asks for {operation!r}, though nothing can fail in memory.")

    def _commit(self, writes: Iterable[Write]) -> Committed | Conflict:
        for write in writes:
            stored = self._store.get(write.key)
            if write.etag not in (ANY_ETAG, stored.etag if stored else None):
                return Conflict(str(write.key))
        for write in writes:
            if write.value is None:
                self._store.pop(write.key, None)
            else:
                self._store[write.key] = Stored(write.value, str(next(self._versions)))
        return Committed()

    def _release(self, part: Publish | Schedule | CarryOut) -> bool | frozenset[int]:
        match part:
            case Publish(events):
                self._released.events += events
            case CarryOut(intents):
                self._released.intents += intents
            case Schedule(deadlines):
                self._released.deadlines += deadlines
                return True
        return NOTHING_FAILED


def _publisher_of(said: Event | Answer) -> str:
    """Return the source of another service's event: its owner, or a stand-in if no owner is declared."""
    return (type(said).owned_by or type(said).topic) if isinstance(said, Event) else ""


def _driven(steps: Generator[Any, Any, Result], perform: Callable[[Any], Any]) -> Result:
    answer = None
    while True:
        try:
            operation = steps.send(answer)
        except StopIteration as end:
            return typing.cast("Result", end.value)
        answer = perform(operation)
