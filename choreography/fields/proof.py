"""Checks of a finished contract: one schema for both directions, and defaults that survive writing and reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticUserError
from pydantic_core import PydanticSerializationError, SchemaSerializer, SchemaValidator, ValidationError

from choreography.errors import DeclarationError

Node = Mapping[str, Any]


def prove(cls: type[BaseModel]) -> None:
    """Refuse a contract whose schemas for reading and writing differ, or whose defaults come back changed.

    Raises:
        DeclarationError: one of the two is true.
    """
    try:
        read = cls.model_json_schema(mode="validation")
        written = cls.model_json_schema(mode="serialization")
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        raise DeclarationError(
            f"No JSON schema can be made of {cls.__name__}, so no lock and no document could hold it: {error}"
        ) from error
    if _comparable(read) != _comparable(written):
        raise DeclarationError(
            f"{cls.__name__} is described in one way to whoever writes it and in another to whoever reads it. "
            "Use types that are written as they are read, without a schema of their own for one of the two."
        )
    _prove_defaults(cls)


def _comparable(schema: Any, *, names: bool = False) -> Any:
    """Return a schema without the allowed difference: a field with a default is always written, and may be missing."""
    if isinstance(schema, Mapping):
        return {
            key: _comparable(part, names=not names and key in ("properties", "$defs"))
            for key, part in schema.items()
            if names or key not in ("required", "default")
        }
    return [_comparable(part) for part in schema] if isinstance(schema, list) else schema


def _prove_defaults(cls: type[BaseModel]) -> None:
    definitions, fields = _parts(cls.__pydantic_core_schema__)
    for name, field in fields.items():
        schema = field["schema"]
        if schema["type"] != "default" or "default" not in schema or name not in cls.__annotations__:
            continue
        inner: Any = schema["schema"]
        if definitions:
            inner = {"type": "definitions", "schema": inner, "definitions": definitions}
        default, back = schema["default"], None
        try:
            text = SchemaSerializer(inner).to_json(default, warnings="error", by_alias=True)
            back = SchemaValidator(inner).validate_json(text, strict=True)
        except (PydanticSerializationError, ValidationError, TypeError):
            back = None
        if type(back) is not type(default) or back != default:
            raise DeclarationError(
                f"{cls.__name__}.{name} has the default {default!r}, which the field itself would not hold"
                f"{f' but {back!r}' if back is not None else ''}. Write a default of the field's type."
            )


def _parts(schema: Node) -> tuple[Any, Node]:
    definitions: list[Any] = []
    while schema["type"] != "model-fields":
        if schema["type"] == "definitions":
            definitions = schema["definitions"]
        if schema["type"] == "definition-ref":
            schema = next(one for one in definitions if one["ref"] == schema["schema_ref"])
        else:
            schema = schema["schema"]
    return definitions, schema["fields"]
