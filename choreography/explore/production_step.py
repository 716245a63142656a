"""One step of one service: settled and released by the engine that serves it in production.

Reactions are pure, so the engine decides each situation once and the exploration remembers it. The explorer does not
trust that they are pure: it makes each decision again under another clock, environment and seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, NamedTuple

import orjson

from choreography.contracts import Event
from choreography.engine.decoding import heard_value, named_ids
from choreography.engine.delivery import QUARANTINED_TYPE, Delivery, read_delivery
from choreography.engine.envelope import Envelope
from choreography.engine.identity import digest_of
from choreography.engine.records import EntityRecord
from choreography.errors import InvalidEventError
from choreography.explore.carrying_out import CarriedOut, ways
from choreography.explore.determinism import Call, Watched, other_than, shown_calls, wavered
from choreography.explore.elsewhere import Elsewhere, ImpureError
from choreography.explore.model import Model
from choreography.explore.properties import ExploreError
from choreography.in_memory import NOON, Delivered, InMemory

Place = tuple[str, str, str]
"""Where an entity is kept: service, kind, logical id."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery to one service: an event, an answer of an effect, or a deadline that is due."""

    style: str
    service: str
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Consequences:
    """The result of a delivery: new records, events, intents, deadlines and writes; or why it was quarantined."""

    kept: tuple[tuple[Place, EntityRecord], ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    intents: tuple[tuple[str, str], ...] = ()
    deadlines: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    not_yet: bool = False
    """It was quarantined for another release, which runs it by itself."""

    @property
    def told(self) -> str:
        """The decision in short."""
        kept = (f"{kind} {key}: {canonical(record.state)}" for (_, kind, key), record in self.kept)
        said = (f"{name} {text}" for name, text in (*self.said, *self.intents, *self.deadlines))
        return "; ".join((*kept, *said, *([self.problem] if self.problem else []))) or "nothing"


class Made(NamedTuple):
    """One decision: the delivery, the state before, the result, and what each reaction returned."""

    heard: Arrival
    kept: tuple[tuple[Place, EntityRecord], ...]
    decided: Consequences
    calls: tuple[Call, ...]


class Tried(NamedTuple):
    """One intent, every way to carry it out, and the calls and replies in them."""

    service: str
    effect: str
    body: str
    ways: tuple[CarriedOut, ...]
    calls: tuple[Call, ...]


class _Once(NamedTuple):
    released: Delivered
    decided: Consequences
    after: Mapping[Place, EntityRecord]


_LATER: Final = timedelta(0)


def canonical(data: Any) -> str:
    """Return data as its canonical text; equal data has equal text."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()


class Deciding:
    """Runs the reactions to one delivery."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.made: list[Made] = []
        self.tried: list[Tried] = []
        self.elsewhere = Elsewhere(model.modules)
        self._watched = Watched()
        self._services = {service.name: service for service in model.services}
        self._memories = {service.name: InMemory(self._watched.service(service)) for service in model.services}

    @property
    def ran(self) -> AbstractSet[tuple[str, str]]:
        """The service and the name of each reaction that ran at least once."""
        return self._watched.ran

    def envelope(self, heard: Arrival) -> Envelope:
        """Return an event as it would be delivered, under an id derived from its content."""
        service = self._services[heard.service]
        data: dict[str, Any] = orjson.loads(heard.text)
        subject = service.subjects[heard.type]
        source, about, later = service.name, "the outside", _LATER
        if heard.style == "event" and issubclass(subject.model, Event):
            source = self._model.source(heard.type)
            about = str(data.get(subject.model.subject_field, heard.type))
        elif heard.style == "deadline":
            later = subject.reactions[0].within or _LATER
        identity = digest_of(heard.type, source, about, data)
        return Envelope(identity, heard.type, source, about, NOON + later, about, "", "", data)

    def named(self, heard: Arrival) -> tuple[Place, ...]:
        """Return the places of the entities that the reactions to this event name; None if it breaks its contract."""
        service = self._services[heard.service]
        subject = service.subjects[heard.type]
        try:
            ids = named_ids(subject, heard_value(subject, self.envelope(heard)))
        except InvalidEventError:
            return ()
        return tuple((service.name, entity.kind, logical_id) for entity, logical_id in ids)

    def decide(self, heard: Arrival, kept: Mapping[Place, EntityRecord]) -> Consequences:
        """Deliver something to a service, on copies of its stored state, and deliver it again.

        Raises:
            ImpureError: a reaction decided something else when it was called again.
            ExploreError: the second delivery had another result, against the promise of the engine.
        """
        delivery, memory, watched = self._delivery(heard), self._memories[heard.service], self._watched
        with watched.also_in(self.elsewhere):
            released, decided, after = self._hear(heard, kept, delivery)
        calls = watched.taken()
        self._refuse_impure(heard, kept, decided, calls)
        again = memory.hear(delivery)
        same = {place: memory.record(*place[1:]) for place in kept} == after
        if not same or (again.events, again.intents, again.deadlines) != (
            released.events,
            released.intents,
            released.deadlines,
        ):
            raise ExploreError(
                f"{heard.service} heard {heard.type} {heard.text} twice, and the second time something else came "
                "of it. That is against what the engine promises: please report it."
            )
        self.made.append(Made(heard, tuple(kept.items()), decided, tuple(calls)))
        return decided

    def _refuse_impure(
        self, heard: Arrival, kept: Mapping[Place, EntityRecord], decided: Consequences, calls: Sequence[Call]
    ) -> None:
        """Raise the evidence against impure reactions, with the decision if the decision shows it."""
        given, impure = f"{heard.type} {heard.text}", self._watched.impure
        if impure:
            raise ImpureError(impure[0].name, given, *impure[0].came)
        if wavering := wavered(calls):
            with self.elsewhere:
                again, _ = self.anew(heard, kept)
            raise ImpureError(f"{heard.service}.{wavering}", given, decided.told, again.told)

    def settled(self, heard: Arrival) -> tuple[InMemory, Delivery]:
        """Return a service with its stored state at its last delivery, and this delivery, which may be repeated."""
        return self._memories[heard.service].copied(), self._delivery(heard)

    def anew(self, heard: Arrival, kept: Mapping[Place, EntityRecord]) -> tuple[Consequences, list[Call]]:
        """Deliver something to a service, on copies of its stored state; return also what each reaction returned."""
        decided = self._hear(heard, kept, self._delivery(heard)).decided
        return decided, self._watched.taken()

    def carry_out(self, service: str, name: str, body: str) -> tuple[CarriedOut, ...]:
        """Return every way to carry out an intent; an effect does the same each time it is tried.

        Raises:
            ImpureError: the effect, or the declared outside, did something else under another clock and seed.
        """
        found, first = self.ways(service, name, body)
        with self.elsewhere:
            again, second = self.ways(service, name, body)
        if (again, second) != (found, first):
            given, decided = f"{name} {body}", [shown_calls(first), shown_calls(second)]
            raise ImpureError(other_than(first, second), given, *decided, kind="effect")
        self.tried.append(Tried(service, name, body, found, tuple(first)))
        return found

    def ways(self, service: str, name: str, body: str) -> tuple[tuple[CarriedOut, ...], list[Call]]:
        """Return every way to carry out an intent, and the calls and replies in all of them."""
        effect, noted = self._model.effect(service, name), list[Call]()
        found = tuple(ways(effect, body, self._model.outsides[effect.outside], noted))
        return found, [(f"{service}.{one}" if one == name else one, value) for one, value in noted]

    def _hear(self, heard: Arrival, kept: Mapping[Place, EntityRecord], delivery: Delivery) -> _Once:
        memory = self._memories[heard.service]
        # A vacant record counts as no record: the engine takes a missing record for a vacant one.
        memory.restore({place[1:]: one for place, one in kept.items() if one.state is not None or one.slots})
        released = memory.hear(delivery)
        after = {place: memory.record(*place[1:]) for place in kept}
        changed = {place: after[place] for place in kept if _differ(kept[place], after[place])}
        return _Once(released, _told(released, changed), after)

    def _delivery(self, heard: Arrival) -> Delivery:
        delivery = read_delivery(self.envelope(heard).encode().encode())
        return delivery._replace(inside=heard.style != "event")


def _differ(one: EntityRecord, other: EntityRecord) -> bool:
    return (one.state, one.slots) != (other.state, other.slots)


def _told(released: Delivered, changed: Mapping[Place, EntityRecord]) -> Consequences:
    said = [orjson.loads(event.encoded) for event in released.events]
    deadlines = [orjson.loads(due.encoded) for due in released.deadlines]
    return Consequences(
        kept=tuple(changed.items()),
        said=tuple((one["type"], canonical(one["data"])) for one in said if one["type"] != QUARANTINED_TYPE),
        intents=tuple((committed.effect, canonical(orjson.loads(committed.body))) for committed in released.intents),
        deadlines=tuple((one["type"], canonical(one["data"])) for one in deadlines),
        rows=tuple((f"{one.projection.table} of {one.key}", canonical(one.rows)) for one in released.rows),
        problem="; ".join(released.quarantined),
        not_yet=released.waits,
    )
