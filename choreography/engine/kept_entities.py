"""Entities between the store and a reaction: decoded anew for every reaction, and encoded without losing anything."""

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
    """Return a stored entity as a reaction sees it, and whether its state has fields unknown to this release.

    Raises:
        NotYetError: another release wrote it in a form that this one cannot read.
    """
    # Decoded anew for every reaction: a change that a failing reaction made to it is discarded.
    kept, wider = unshared(_decoded(entity, logical_id, state)), False
    for difference in differences(state, kept, entity.drops):
        if difference.missing:
            raise renamed_field(entity, logical_id, difference)
        wider = True
    return kept, wider


def storable(entity: Entity, stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the state to store.

    Args:
        entity: the entity that a reaction decided.
        stored: the stored state, if it has fields unknown to this release, which are kept.

    Raises:
        UnsayableEventError: the state cannot be written exactly.
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
    """Return a value that shares no default with other values of its class."""
    held = value.__dict__
    shared = any(held[name] is default for name, default in _shared_defaults(type(value)))
    return value.model_copy(deep=True) if shared else value


def first_problem(error: ValidationError) -> str:
    """Return a sentence that says where and why a contract was first broken."""
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
    """Return the defaults that contain other values, by field."""
    defaults = ((name, field.default) for name, field in model.model_fields.items())
    return tuple((name, one) for name, one in defaults if isinstance(one, (Value, tuple)) and one != ())
