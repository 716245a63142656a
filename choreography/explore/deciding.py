"""One thing happens to one service: the production reactions, from what is kept to what is kept, said and asked for.

Reactions are pure, so each situation is decided once and remembered for the whole exploration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import orjson

from choreography.contracts import Event
from choreography.engine.delivery import Delivery
from choreography.engine.envelope import Envelope
from choreography.engine.identity import digest_of, store_key
from choreography.engine.quarantine import failed
from choreography.engine.reacting import Ran, Reacting, heard_value, named_ids
from choreography.engine.records import EntityRecord
from choreography.errors import InvalidEventError
from choreography.explore.model import Model
from choreography.in_memory import NOON
from choreography.service import Service

Place = tuple[str, str, str]
"""Where an entity is kept: service, kind, logical id."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What one service is told: an event, an answer of an effect, or a deadline that is due."""

    style: str
    service: str
    type: str
    text: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What came of it, as texts: new records, events said, intents decided, deadlines begun; or why it was set aside."""

    kept: tuple[tuple[Place, EntityRecord], ...] = ()
    said: tuple[tuple[str, str], ...] = ()
    intents: tuple[tuple[str, str], ...] = ()
    dues: tuple[tuple[str, str], ...] = ()
    problem: str = ""


_LATER: Final = timedelta(0)


def canonical(data: Any) -> str:
    """Return data as the one text by which it is told apart."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()


class Deciding:
    """Runs what reacts to one thing."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._services = {service.name: service for service in model.services}

    def envelope(self, heard: Heard) -> Envelope:
        """Return what is heard as it would be delivered, under an id that follows from what it says."""
        service = self._services[heard.service]
        data: dict[str, Any] = orjson.loads(heard.text)
        subject = service.subjects[heard.type]
        source, about, later = service.name, "the outside", _LATER
        if heard.style == "event" and issubclass(subject.model, Event):
            source = self._model.publisher(subject.model).name
            about = str(data.get(subject.model.subject_field, heard.type))
        elif heard.style == "deadline":
            later = subject.reactions[0].within or _LATER
        identity = digest_of(heard.type, source, about, data)
        return Envelope(identity, heard.type, source, about, NOON + later, about, "", "", data)

    def named(self, heard: Heard) -> tuple[Place, ...]:
        """Return where the entities are kept that the reactions to this name. None if it breaks its contract."""
        service = self._services[heard.service]
        subject = service.subjects[heard.type]
        try:
            ids = named_ids(subject, heard_value(subject, self.envelope(heard)))
        except InvalidEventError:
            return ()
        return tuple((service.name, entity.kind, logical_id) for entity, logical_id in ids)

    def decide(self, heard: Heard, kept: Mapping[Place, EntityRecord]) -> Decided:
        """Run the reactions to what is heard, on what is kept."""
        service = self._services[heard.service]
        subject = service.subjects[heard.type]
        keys = {store_key(*place): place for place in kept}
        records = {store_key(*place): record for place, record in kept.items()}
        envelope = self.envelope(heard)
        delivery = Delivery(envelope, heard.text, envelope.id, inside=heard.style != "event")
        try:
            ran = Reacting(service, subject, delivery, records, NOON).run()
        except Exception as error:  # noqa: BLE001 - whatever a reaction raises is its event's fate, as in the engine
            return Decided(problem=failed(error, 1, "").reason)
        return _told(service, ran, keys)


def _told(service: Service, ran: Ran, keys: Mapping[str, Place]) -> Decided:
    said = [orjson.loads(event.encoded) for event in ran.events]
    dues = [orjson.loads(due.encoded) for due in ran.dues]
    return Decided(
        kept=tuple((keys[key], record) for key, record in ran.records.items()),
        said=tuple((one["type"], canonical(one["data"])) for one in said),
        intents=tuple((wish.effect, canonical(orjson.loads(wish.body))) for wish in ran.wishes),
        dues=tuple((one["type"], canonical(one["data"])) for one in dues),
    )
