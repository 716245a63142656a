"""The names under which a field may be stored: its own, its alias, and those of earlier releases."""

from __future__ import annotations

from functools import cache

from pydantic import AliasChoices, AliasPath, BaseModel


@cache
def names_of(model: type[BaseModel]) -> frozenset[str]:
    """Return every name under which a field of a model may be stored."""
    names = {text for name in model.model_fields for text in spellings(model, name)}
    return frozenset(names | model.model_computed_fields.keys())


def older_names(model: type[BaseModel]) -> frozenset[str]:
    """Return the names under which the fields of a model are read, except the one under which each is written."""
    written = {field.serialization_alias or name for name, field in model.model_fields.items()}
    return frozenset(names_of(model) - written - model.model_fields.keys())


@cache
def spellings(model: type[BaseModel], name: str) -> tuple[str, ...]:
    """Return every name under which a field may be stored: its own, that on the wire, and those of earlier releases."""
    field = model.model_fields[name]
    said = field.validation_alias
    choices = said.choices if isinstance(said, AliasChoices) else [said]
    read = [one.path[0] if isinstance(one, AliasPath) else one for one in choices]
    return tuple(dict.fromkeys(str(one) for one in (name, field.serialization_alias, field.alias, *read) if one))
