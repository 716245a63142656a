"""The changes that a step made to the entities of services, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any

from choreography.analysis.examples import choices
from choreography.contracts import Entity, Value
from choreography.fields import as_key, parts_of, spread

At = tuple[str, str, str]
"""Where an entity is kept: service, kind, key."""


def changes(before: Mapping[At, Entity], after: Mapping[At, Entity]) -> Iterator[str]:
    """Yield a phrase for each changed entity: its new status if that changed, else the fields that changed."""
    for place, entity in after.items():
        old = before.get(place)
        blank = type(entity)(**{entity.key_field: entity.key}) if old is None and entity.can_be_blank() else old
        was, now = _shown(blank), _shown(entity)
        changed = [
            name
            for name, value in now.items()
            if name != entity.key_field
            and isinstance(value, str | bool | int | Enum)
            and (blank is None or name not in was or was[name] != value)
        ]
        # If an entity has a field for its state, the other changes are details.
        telling = _telling(type(entity))
        states = [name for name in changed if name in telling]
        if changed:
            told = ", ".join(f"{name.replace('_', ' ')} {as_key(now[name])}" for name in states or changed)
            yield f"{type(entity).__name__} {entity.key}: {told}"
    for place in before.keys() - after.keys():
        yield f"{type(before[place]).__name__} {before[place].key}: gone"


def _shown(entity: Entity | None) -> dict[str, Any]:
    """Return the fields of an entity and the fields of the states that it holds, as one flat mapping."""
    if entity is None:
        return {}
    held = {name: dict(value) if isinstance(value, Value) else value for name, value in entity}
    return spread(type(entity), held)


@lru_cache(maxsize=1_024)
def _telling(entity: type[Entity]) -> frozenset[str]:
    """Return the names of the fields that identify an entity's state: tags of its states, and its closed fields."""
    closed = {name for name, values in choices(entity).items() if values != (False, True)}
    tags = {parts[0].shown_as for parts in parts_of(entity).values()}
    return frozenset(closed | tags)
