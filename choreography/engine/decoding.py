"""The data of an event, decoded by its contract once per delivery; reactions get copies of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from choreography.contracts import Entity, Value
from choreography.declaration import ConsumedType, Reaction
from choreography.engine.envelope import Envelope
from choreography.engine.kept_entities import first_problem, unshared
from choreography.engine.other_releases import unknown_key, unreadable_slot
from choreography.errors import InvalidEventError

Heard = Value | dict[str, Any]
"""The data of an event, decoded by its contract; of a fired deadline, its plain JSON."""


def heard_value(subject: ConsumedType, envelope: Envelope) -> Heard:
    """Decode the data of an event by its contract. The data of a fired deadline only names its entity.

    Raises:
        InvalidEventError: the data breaks the contract.
    """
    if subject.reactions[0].style == "deadline":
        return envelope.data
    try:
        return unshared(subject.model.model_validate_json(envelope.text, strict=True))
    except ValidationError as error:
        raise InvalidEventError(
            f"The {envelope.type} breaks its contract {subject.model.__name__} {first_problem(error)}"
        ) from error


def named_ids(subject: ConsumedType, heard: Heard) -> list[tuple[type[Entity], str]]:
    """Return every entity that the reactions to this event name, without duplicates.

    Raises:
        NotYetError: a fired deadline names its entity by a field of another release.
    """
    if isinstance(heard, dict):
        reaction = subject.reactions[0]
        named = reaction.joined.entity
        if named.key_field not in heard:
            raise unknown_key(reaction.name, named, subject.wire_type, heard)
        return [(named, str(heard[named.key_field]))]
    pairs = (
        (named.entity, one) for reaction in subject.reactions for named in reaction.named for one in named.ids(heard)
    )
    return list(dict.fromkeys(pairs))


def in_slot(model: type[Value], data: Mapping[str, Any], join: Reaction) -> Value:
    """Decode an event that has waited in the slot of a join.

    Raises:
        NotYetError: another release put it there, in a form that this one cannot read.
    """
    try:
        return unshared(model.model_validate_json(orjson.dumps(data), strict=True))
    except ValidationError as error:
        raise unreadable_slot(join.name, join.joined.entity, model.__name__, first_problem(error)) from error
