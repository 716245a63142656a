"""Entities between the store and a reaction: a fresh decode for every reaction, and back without losing anything."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

import orjson
from pydantic import ValidationError

from choreography.contracts import Entity, Value
from choreography.engine.kept_state import StateMerge, differences, laid_over
from choreography.engine.other_releases import renamed_field, unreadable_state
from choreography.errors import UnsayableEventError

Kept = TypeVar("Kept", bound=Value)


def shown(entity: type[Entity], logical_id: str, state: Mapping[str, Any]) -> tuple[Entity, bool]:
    """Return a kept entity as a reaction sees it, and whether its state holds more than this release knows.

    Raises:
        NotYetError: it was written by another release, in words that this one does not understand.
    """
    # A fresh decode for every reaction: whatever a failing one did to it is gone with it.
    kept, wider = unshared(_decoded(entity, logical_id, state)), False
    for difference in differences(state, kept, entity.drops):
        if difference.missing:
            raise renamed_field(entity, logical_id, difference)
        wider = True
    return kept, wider


def storable(entity: Entity, stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the state to store.

    Args:
        entity: what a reaction decided.
        stored: what stands in the store, if it holds more than this release knows: that stays in it.

    Raises:
        UnsayableEventError: it cannot be written exactly.
    """
    state = entity.model_dump(mode="json")
    try:
        orjson.dumps(state, option=orjson.OPT_STRICT_INTEGER)
    except TypeError as error:
        raise UnsayableEventError(f"The {entity.kind} {entity.key!r} cannot be stored: {error}.") from error
    if stored is not None:
        before = _decoded(type(entity), entity.key, stored)
        state = laid_over(StateMerge(stored, before, entity, state), entity.drops)
    return state


def unshared(value: Kept) -> Kept:
    """Return a value no part of which is a default that all values of its class share."""
    held = value.__dict__
    shared = any(held[name] is default for name, default in _shared_defaults(type(value)))
    return value.model_copy(deep=True) if shared else value


def first_problem(error: ValidationError) -> str:
    """Return in words where and why a contract was broken first."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"at {where!r}: {first['msg']} ({error.error_count()} in all)."


def _decoded(entity: type[Entity], logical_id: str, state: Mapping[str, Any]) -> Entity:
    try:
        return entity.model_validate_json(orjson.dumps(state))
    except ValidationError as error:
        raise unreadable_state(entity, logical_id, first_problem(error)) from error


@cache
def _shared_defaults(model: type[Value]) -> tuple[tuple[str, Any], ...]:
    """Return the defaults that hold other values, by field."""
    defaults = ((name, field.default) for name, field in model.model_fields.items())
    return tuple((name, one) for name, one in defaults if isinstance(one, (Value, tuple)) and one != ())
