"""Running the reactions to one event on the records it names. Pure: the same input always decides the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from choreography.contracts import Deadline, Entity, Event, Intent, Value
from choreography.decision import Decided, read_decision
from choreography.declaration import ConsumedType, Named, Reaction
from choreography.engine.beside import Rows
from choreography.engine.copies import copied
from choreography.engine.decoding import Heard, in_slot
from choreography.engine.delivery import Delivery
from choreography.engine.envelope import LARGEST_EVENT, Envelope
from choreography.engine.identity import Key, derived_id
from choreography.engine.joining import JoinSlots
from choreography.engine.kept_entities import shown, storable, unshared
from choreography.engine.other_releases import refuse_unknown_joins
from choreography.engine.records import CommittedIntent, EntityRecord, Outgoing, ScheduledDeadline, Written
from choreography.errors import UnsayableEventError
from choreography.own_tables import Change
from choreography.service import Service

_LARGEST_REQUEST: Final = LARGEST_EVENT // 4
_VACANT: Final = EntityRecord()
"""Used where no entity is stored. It is copied before anything in it changes."""


@dataclass(slots=True)
class Ran:
    """The decisions of the reactions to one event: changed records by store key, and everything to publish and do."""

    records: dict[Key, EntityRecord] = field(default_factory=dict)
    written: list[Written] = field(default_factory=list)
    events: list[Outgoing] = field(default_factory=list)
    deadlines: list[ScheduledDeadline] = field(default_factory=list)
    intents: list[CommittedIntent] = field(default_factory=list)
    said: list[Event] = field(default_factory=list)
    """The events as the reactions returned them, for hooks."""
    asked: list[Intent] = field(default_factory=list)
    """The intents as the reactions returned them, for hooks."""
    changes: tuple[Change, ...] = ()
    rows: tuple[Rows, ...] = ()

    @property
    def silent(self) -> bool:
        """Whether nothing changed and nothing is to be published or done."""
        return not (self.records or self.events or self.deadlines or self.intents)


class Reacting:
    """Runs the reactions of one service to one event."""

    def __init__(
        self,
        service: Service,
        subject: ConsumedType,
        delivery: Delivery,
        records: Mapping[Key, EntityRecord],
        now: datetime,
        *,
        heard: Heard,
        named: Iterable[tuple[type[Entity], str]],
    ) -> None:
        envelope = delivery.envelope
        if envelope is None:
            raise TypeError("An event that could not be read has no reactions.")
        self.service, self.subject, self.envelope, self.now = service, subject, envelope, now
        self.traceparent, self.before = delivery.traceparent, records
        self.heard, self.named = heard, named
        # With the digest: if a publisher uses one id for two facts, their consequences must not share ids or keys.
        self.cause = f"{envelope.id}~{envelope.digest}"
        self.ran = Ran()
        self._wider: set[tuple[str, str]] = set()
        """Entities whose stored state holds more than this release knows."""

    def run(self) -> Ran:
        """Run every reaction in the order declared, each on the state that the one before it left.

        Raises:
            Exception: any exception of a reaction; none of its changes remain.
        """
        for entity, logical_id in self.named:
            record = self._record(entity, logical_id)
            if record.slots:
                refuse_unknown_joins(self.service, entity, logical_id, record)
        for reaction in self.subject.reactions:
            heard = self.heard if isinstance(self.heard, dict) else copied(self.heard)
            match reaction.style:
                case "join":
                    self._join(reaction, heard)
                case "undo":
                    self._slots(reaction, heard).undo(self.subject_undone(reaction))
                case "event" | "deadline":
                    self._call(reaction, heard, self._heard_parameters(reaction, heard), self.cause)
        self._schedule()
        if not self.ran.silent:
            self._remember_what_was_read()
        return self.ran

    def _remember_what_was_read(self) -> None:
        """Record the versions of the named but unchanged entities: the decision depends on them as well."""
        for entity, logical_id in self.named:
            key = Key(self.service.name, entity.kind, logical_id)
            if key not in self.ran.records:
                version = self._record(entity, logical_id).version
                self.ran.written.append(Written(entity.kind, logical_id, version, changed=False))

    def subject_undone(self, reaction: Reaction) -> str:
        """Return the wire type whose slot an undo empties."""
        model = reaction.hears[0]
        undone = model.undoes if issubclass(model, Event) else None
        return undone.wire_type if undone else ""

    def _heard_parameters(self, reaction: Reaction, heard: Heard) -> dict[str, Value]:
        if reaction.style == "deadline":
            reminder = Deadline(name=reaction.name, due=self.envelope.time)
            return dict.fromkeys(reaction.event_parameters, reminder)
        return {} if isinstance(heard, dict) else dict.fromkeys(reaction.event_parameters, heard)

    def _join(self, reaction: Reaction, heard: Heard) -> None:
        slots = self._slots(reaction, heard)
        complete = slots.fill(self.envelope, [model.wire_type for model in reaction.hears])
        if complete is None:
            return
        parameters = {
            # Only the events that were delivered before this event must be read from their slots.
            name: heard if type(heard) is model else in_slot(model, complete[getattr(model, "wire_type", "")], reaction)
            for name, model in reaction.event_parameters.items()
        }
        logical_id = reaction.joined.ids(heard)[0]
        # The id of a join's event must not depend on which event happened to come last.
        cause = derived_id("join", self.service.name, reaction.name, reaction.joined.entity.kind, logical_id)
        self._call(reaction, heard, parameters, cause)

    def _slots(self, reaction: Reaction, heard: Heard) -> JoinSlots:
        logical_id = reaction.joined.ids(heard)[0]
        record = self._changed(reaction.joined.entity, logical_id)
        return JoinSlots(record, reaction.name)

    def _call(
        self,
        reaction: Reaction,
        heard: Heard,
        parameters: Mapping[str, Value],
        cause: str,
    ) -> None:
        given: dict[str, Any] = dict(parameters)
        allowed: set[tuple[str, str]] = set()
        for named in reaction.named:
            ids = (str(heard[named.entity.key_field]),) if isinstance(heard, dict) else named.ids(heard)
            allowed |= {(named.entity.kind, one) for one in ids}
            given[named.parameter] = self._show(named, ids)
        decided = read_decision(reaction.function(**given), reaction.name)
        self._keep(reaction, decided, allowed)
        self._say(reaction, decided.events, cause)
        self._commit_intents(reaction, decided.intents, cause)

    def _show(self, named: Named, ids: Iterable[str]) -> Any:
        entities = {one: self._decoded(named, one) for one in ids}
        return entities if named.many else next(iter(entities.values()))

    def _decoded(self, named: Named, logical_id: str) -> Entity | None:
        state = self._record(named.entity, logical_id).state
        if state is not None:
            entity, wider = shown(named.entity, logical_id, state)
            if wider:
                self._wider.add((named.entity.kind, logical_id))
            return entity
        return None if named.optional else unshared(named.entity(**{named.entity.key_field: logical_id}))

    def _record(self, entity: type[Entity], logical_id: str) -> EntityRecord:
        key = Key(self.service.name, entity.kind, logical_id)
        return self.ran.records.get(key) or self.before.get(key) or _VACANT

    def _changed(self, entity: type[Entity], logical_id: str) -> EntityRecord:
        key = Key(self.service.name, entity.kind, logical_id)
        if key not in self.ran.records:
            record = self._record(entity, logical_id).copy()
            record.version += 1
            self.ran.records[key] = record
            self.ran.written.append(Written(entity.kind, logical_id, record.version))
        return self.ran.records[key]

    def _keep(self, reaction: Reaction, decided: Decided, allowed: set[tuple[str, str]]) -> None:
        for entity in (*decided.entities, *decided.gone):
            if (entity.kind, entity.key) not in allowed:
                raise UnsayableEventError(
                    f"The reaction {reaction.name} changed the {entity.kind} {entity.key!r}, which it did not name, "
                    "so nothing guards it against another reaction. Take it as a parameter."
                )
            record = self._changed(type(entity), entity.key)
            record.gone = entity in decided.gone
            stored = record.state if (entity.kind, entity.key) in self._wider else None
            record.state = None if record.gone else storable(entity, stored)

    def _say(self, reaction: Reaction, events: Iterable[Event], cause: str) -> None:
        for position, event in enumerate(events):
            self._refuse_undeclared(reaction, event)
            envelope = Envelope(
                id=derived_id(cause, self.service.name, reaction.name, event.wire_type, str(position)),
                type=event.wire_type,
                source=self.service.name,
                subject=event.subject,
                time=self.now,
                flow_id=self.envelope.flow_id,
                causation_id=self.envelope.id,
                traceparent=self.traceparent,
                data=event.model_dump(mode="json"),
            )
            self.ran.events.append(Outgoing(type(event).topic, event.subject, envelope.encode()))
            self.ran.said.append(event)

    def _commit_intents(self, reaction: Reaction, intents: Iterable[Intent], cause: str) -> None:
        for position, intent in enumerate(intents):
            self._refuse_undeclared(reaction, intent)
            effect = self.service.effects[type(intent)].name
            key = derived_id(cause, self.service.name, reaction.name, effect, str(position))
            body = _written(intent.model_dump(mode="json"), f"The intent {type(intent).__name__}")
            if len(body) > _LARGEST_REQUEST:
                raise UnsayableEventError(
                    f"The intent {type(intent).__name__} has {len(body)} bytes; {_LARGEST_REQUEST} is the "
                    "most that still fits into an event, should a person have to look at it."
                )
            self.ran.intents.append(
                CommittedIntent(effect, key, body.decode(), self.envelope.flow_id, self.now, self.traceparent)
            )
            self.ran.asked.append(intent)

    def _refuse_undeclared(self, reaction: Reaction, said: Event | Intent) -> None:
        if type(said) not in reaction.said:
            words = ", ".join(sorted(kind.__name__ for kind in reaction.said)) or "nothing"
            raise UnsayableEventError(
                f"The reaction {reaction.name} said {type(said).__name__} but declares that it says {words}. "
                f"Add it to its return annotation: -> Decision[... | {type(said).__name__}]."
            )

    def _schedule(self) -> None:
        for reaction in self.service.deadlines.get(self.envelope.type, ()):
            # A publisher whose clock is ahead must not thereby extend anyone's deadline.
            due = min(self.envelope.time, self.now) + (reaction.within or timedelta(0))
            envelope = Envelope(
                id=derived_id(self.cause, self.service.name, reaction.name, "deadline"),
                type=self.service.due_type(reaction),
                source=self.service.name,
                subject=self.envelope.subject,
                time=due,
                flow_id=self.envelope.flow_id,
                causation_id=self.envelope.id,
                traceparent=self.traceparent,
                data={reaction.joined.entity.key_field: reaction.joined.ids(self.heard)[0]},
            )
            self.ran.deadlines.append(ScheduledDeadline(due, envelope.encode()))


def _written(plain: Any, what: str) -> bytes:
    try:
        return orjson.dumps(plain, option=orjson.OPT_STRICT_INTEGER)
    except TypeError as error:
        raise UnsayableEventError(f"{what} cannot be stored: {error}.") from error
