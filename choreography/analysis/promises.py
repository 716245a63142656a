"""Everything of a flow from which ids, store keys and stored state derive, as the committed lock holds it.

A release may add to it. It must not change or remove anything while the flow may still meet events, state, deadlines or
intents of an earlier release.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from choreography.analysis.wiring import reactions_of
from choreography.contracts import Entity, Event, Value
from choreography.declaration import Command
from choreography.fields.spellings import older_names
from choreography.service import Service


class PromisePlace(NamedTuple):
    """Where a promise stands in the lock: its section, the service it belongs to, and its name there."""

    section: str
    service: str
    name: str


Promise = Mapping[str, Any]
Lock = Mapping[PromisePlace, Promise]

EVENTS, SERVICES = "events", "services"
SECTIONS = ("entities", "reactions", "joins", "deadlines", "effects", "answers", "commands")
"""What is promised by each service to itself."""


def promises_of(services: Iterable[Service]) -> dict[PromisePlace, Promise]:
    """Return everything that the services promise."""
    return {place: promise for service in services for place, promise in _promises(service)}


def command_route(command: Command) -> str:
    """Return a command's route as its event's id derives from it: the names of its parameters do not count."""
    path = re.sub(r"{\w+}", "{}", command.path)
    return f"{command.method} {path}"


def _promises(service: Service) -> Iterator[tuple[PromisePlace, Promise]]:
    name = service.name
    yield PromisePlace(SERVICES, name, name), {}
    for event in service.publishes:
        yield PromisePlace(EVENTS, "", event.wire_type), _event(service, event)
    for entity in service.entities:
        dropped = sorted({*entity.drops, *older_names(entity)})
        kept = {"key": entity.key_field, "drops": dropped, "schema": schema_of(entity)}
        yield PromisePlace("entities", name, entity.kind), kept
    yield from _reactions(service)
    for effect in service.effects.values():
        said = sorted(answer.wire_type for answer in effect.answers)
        asked = {"outside": effect.outside, "answers": said, "intent": schema_of(effect.intent)}
        yield PromisePlace("effects", name, effect.name), asked
        for answer in effect.answers:
            yield PromisePlace("answers", name, answer.wire_type), {"schema": schema_of(answer)}
    for command in service.commands:
        promise = {"event": command.event.wire_type, "new_ids": sorted(command.new_ids)}
        yield PromisePlace("commands", name, command_route(command)), promise


def _event(service: Service, event: type[Event]) -> Promise:
    return {"owner": service.name, "subject": event.subject_field, "schema": schema_of(event)}


def _reactions(service: Service) -> Iterator[tuple[PromisePlace, Promise]]:
    saying: dict[str, list[str]] = {}
    for reaction in reactions_of(service):
        kind = reaction.joined.entity.kind if reaction.named else ""
        if reaction.style == "join":
            awaited = sorted(heard.wire_type for heard in reaction.hears)
            yield PromisePlace("joins", service.name, reaction.name), {"entity": kind, "awaits": awaited}
        elif reaction.style == "deadline":
            due = {"entity": kind, "after": reaction.hears[0].wire_type, "due": service.due_type(reaction)}
            yield PromisePlace("deadlines", service.name, reaction.name), due
        elif reaction.said:
            saying.setdefault(reaction.hears[0].wire_type, []).append(reaction.name)
    for wire_type, names in saying.items():
        # No id derives from the name of a reaction that publishes nothing.
        yield PromisePlace("reactions", service.name, wire_type), {"names": sorted(names)}


def schema_of(model: type[Value]) -> dict[str, Any]:
    """Return the schema of a contract without its descriptions, which promise nothing."""
    bare: dict[str, Any] = _bare(model.model_json_schema())
    return bare


def _bare(schema: Any, *, names: bool = False) -> Any:
    """Return a schema without its descriptions. ``names``: the keys are names of fields."""
    if isinstance(schema, Mapping):
        dropped = () if names else ("title", "description", "examples", "default")
        return {
            key: _bare(part, names=not names and key in ("properties", "$defs"))
            for key, part in sorted(schema.items())
            if key not in dropped
        }
    return [_bare(part) for part in schema] if isinstance(schema, list) else schema


def entity_of(services: Iterable[Service], place: PromisePlace) -> type[Entity] | None:
    """Return the class that keeps a promised kind of entity."""
    owned = (entity for service in services if service.name == place.service for entity in service.entities)
    return next((entity for entity in owned if entity.kind == place.name), None)
