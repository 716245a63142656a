"""The parts of a flow that no run reached: a property may hold there only because nothing happens there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final

from choreography.analysis.examples import choices
from choreography.contracts import Value
from choreography.explore.space import Space
from choreography.explore.stuck import Awaited, chain
from choreography.fields import tag_of
from choreography.service import Service

_STYLES: Final = {"event": "the reaction", "join": "the join", "deadline": "the deadline"}


def unreached(space: Space) -> list[str]:
    """Return, in sentences, the reactions, joins, deadlines, answers and status values that no run reached.

    Services that are away are left out.
    """
    model, said = space.model, _said(space)
    there = [service for service in model.services if service.name not in space.scenario.faults.away]
    return [
        *(one for service in there for one in _reactions(space, service, said)),
        *(one for service in there for one in _answers(space, service)),
        *_cases(space, there),
    ]


def _said(space: Space) -> set[str]:
    made = {wire_type for one in space.deciding.made for wire_type, _ in one.decided.said}
    foreign = {one.wire_type for one in space.foreign}
    return made | foreign | {event.wire_type for event in space.scenario.says}


def _reactions(space: Space, service: Service, said: Collection[str]) -> Iterator[str]:
    named = {one.name: one for subject in service.subjects.values() for one in subject.reactions if one.style != "undo"}
    for name, reaction in named.items():
        if (service.name, name) in space.deciding.ran:
            continue
        heard = [one.wire_type for one in reaction.hears]
        lacks = tuple(one for one in heard if one not in said)
        awaited = Awaited(service.name, name, tuple(one for one in heard if one in said), lacks)
        answer = any(
            one.wire_type in service.subjects and not service.subjects[one.wire_type].topic for one in reaction.hears
        )
        why = f": {chain(space.model, awaited, said)}" if lacks and not answer else ""
        yield f"{_STYLES[reaction.style]} {service.name}.{name} never ran{why}"


def _answers(space: Space, service: Service) -> Iterator[str]:
    given = {one.heard.type for one in space.deciding.made if one.heard.style == "answer"}
    for effect in service.effects.values():
        for answer in effect.answers:
            if answer.wire_type not in given:
                yield f"the effect {service.name}.{effect.name} never answered {answer.__name__}"


def _cases(space: Space, services: Iterable[Service]) -> Iterator[str]:
    seen: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for kept in space.scenario.keeps:
        place = (space.model.owner(type(kept)).name, kept.kind)
        seen.setdefault(place, []).append(kept.model_dump(mode="json"))
    for one in space.deciding.made:
        for (service, kind, _), record in (*one.kept, *one.decided.kept):
            seen.setdefault((service, kind), []).append(record.state or {})
    for owner in services:
        for entity in sorted(owner.entities, key=lambda one: one.kind):
            states = seen.get((owner.name, entity.kind), [])
            for name, values in choices(entity).items():
                field = entity.model_fields[name]
                tag = tag_of(field.annotation)
                there = {_plain(one, tag) for one in (field.default, *(state.get(name) for state in states))}
                left = dict.fromkeys(repr(_plain(one, tag)) for one in values if _plain(one, tag) not in there)
                if left and (tag or set(values) != {False, True}):
                    yield f"no {entity.__name__} of {owner.name} ever had {tag or name} {' or '.join(left)}"


def _plain(value: object, tag: str) -> object:
    """Return a value of a closed field as it is written; for a state, return its tag."""
    if isinstance(value, Mapping):
        return value.get(tag)
    if isinstance(value, Value):
        return getattr(value, tag)
    return value.value if isinstance(value, Enum) else value
