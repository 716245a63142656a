"""Fields that hold one of several states, each with data of its own: a tagged union of values.

People see the parts of such a field side by side, as if they were fields of the entity itself.
"""

from __future__ import annotations

import functools
import operator
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from choreography.fields.plain import plain_types


class StatePart(NamedTuple):
    """One field of the states that a tagged union holds.

    Attributes:
        field: the field of the entity that holds the state.
        name: the field of the state.
        annotation: all types that the states may hold under that name.
        shown_as: the name that people see beside the fields of the entity: its own name, after that of ``field`` if its
            own is taken.
    """

    field: str
    name: str
    annotation: Any
    shown_as: str


def alternatives(annotation: Any) -> tuple[type[BaseModel], ...]:
    """Return the alternatives of a tagged union; nothing for any other annotation.

    ``None`` may be among the alternatives of the annotation and is left out of the result.
    """
    parts = [part for part in plain_types(annotation) if part is not types.NoneType]
    models = tuple(part for part in parts if issubclass(part, BaseModel))
    return models if len(models) == len(parts) > 1 and _tag(models) else ()


def tag_of(annotation: Any) -> str:
    """Return the name of the tag of a tagged union; an empty text for any other annotation."""
    return _tag(alternatives(annotation))


@lru_cache(maxsize=1_024)
def parts_of(model: type[BaseModel]) -> Mapping[str, tuple[StatePart, ...]]:
    """Return the parts of each field of a model that holds a tagged union, the tag first."""
    taken, found = set(model.model_fields), dict[str, tuple[StatePart, ...]]()
    for field, info in model.model_fields.items():
        models = alternatives(info.annotation)
        if models:
            found[field] = tuple(
                StatePart(field, name, annotation, f"{field}_{name}" if name in taken else name)
                for name, annotation in _parts(models)
            )
            taken |= {part.shown_as for part in found[field]}
    return found


def spread(model: type[BaseModel], data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a written model; the parts of a state replace the field that holds it."""
    states, shown = parts_of(model), dict[str, Any]()
    for name, value in data.items():
        if name in states and isinstance(value, Mapping):
            shown |= {part.shown_as: value[part.name] for part in states[name] if part.name in value}
        else:
            shown[name] = value
    return shown


def _parts(models: tuple[type[BaseModel], ...]) -> list[tuple[str, Any]]:
    held: dict[str, list[Any]] = {_tag(models): []}
    for model in models:
        for name, info in model.model_fields.items():
            held.setdefault(name, []).append(info.annotation)
    return [(name, functools.reduce(operator.or_, annotations)) for name, annotations in held.items()]


@lru_cache(maxsize=1_024)
def _tag(models: tuple[type[BaseModel], ...]) -> str:
    for name in models[0].model_fields if models else ():
        values = [_literals(model, name) for model in models]
        if all(values) and len(frozenset().union(*values)) == sum(map(len, values)):
            return name
    return ""


def _literals(model: type[BaseModel], name: str) -> frozenset[Any]:
    info = model.model_fields.get(name)
    if info is None or typing.get_origin(info.annotation) is not Literal:
        return frozenset()
    return frozenset(typing.get_args(info.annotation))
