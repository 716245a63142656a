"""What a step changed in the entities that services keep, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum

from choreography.analysis.examples import choices
from choreography.contracts import Entity
from choreography.fields import as_key

At = tuple[str, str, str]
"""Where an entity is kept: service, kind, key."""


def changes(before: Mapping[At, Entity], after: Mapping[At, Entity]) -> Iterator[str]:
    """Yield a phrase for each entity that is another now: its status if it has another, else what has changed."""
    for place, entity in after.items():
        old = before.get(place)
        blank = type(entity)(**{entity.key_field: entity.key}) if old is None and entity.can_be_blank() else old
        changed = [
            name
            for name in type(entity).model_fields
            if name != entity.key_field
            and isinstance(getattr(entity, name), str | bool | int | Enum)
            and (blank is None or getattr(blank, name) != getattr(entity, name))
        ]
        closed = choices(type(entity))
        # Where an entity says which state it is in, the rest is detail.
        states = [name for name in changed if name in closed and closed[name] != (False, True)]
        if changed:
            told = ", ".join(f"{name.replace('_', ' ')} {as_key(getattr(entity, name))}" for name in states or changed)
            yield f"{type(entity).__name__} {entity.key}: {told}"
    for place in before.keys() - after.keys():
        yield f"{type(before[place]).__name__} {before[place].key}: gone"
