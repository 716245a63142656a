"""Generates examples of a contract from its JSON schema: valid, readable, and the same every time."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import orjson
from pydantic import ValidationError

from choreography.analysis.sampling import Sample, sample
from choreography.contracts import Value
from choreography.errors import ChoreographyError
from choreography.fields import MAX_SAFE_INTEGER, alternatives

Made = TypeVar("Made", bound=Value)

SIZES: Final = (0, 1, 2)
"""How large an example is: as small as allowed; a little of everything; a lot."""

_ABOVE: Final = (0, 1_000, 1_000_000)
_DEEP: Final = 8
_FORMATS: Final = {
    "date-time": "2026-01-01T12:00:00Z",
    "date": "2026-01-01",
    "duration": "P1D",
    "uuid": "00000000-0000-4000-8000-000000000001",
}


class NoExampleError(ChoreographyError):
    """No example of a contract can be generated."""


def example(model: type[Made], size: int = 1, **given: Any) -> Made:
    """Return one valid example of a model.

    Args:
        model: the contract.
        size: one of ``SIZES``; the smallest omits everything that is optional.
        given: the known values of fields.

    Raises:
        NoExampleError: the model refuses the example, for instance in a validator of its author.
    """
    try:
        # Through JSON, because the event will arrive so; and strict, because nothing is converted on the way in.
        plain = model.model_validate_json(_made_up(model, size), strict=True)
        return model(**{name: getattr(plain, name) for name in plain.model_fields_set} | given) if given else plain
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise NoExampleError(
            f"No example of {model.__name__} can be made up: {where} was refused ({first['msg']}), so nothing can be "
            f'tried with it. Give one: Field(examples=["..."]) at that field.'
        ) from error


@lru_cache(maxsize=1_024)
def _made_up(model: type[Value], size: int) -> bytes:
    schema = model.model_json_schema()
    return orjson.dumps(_object(schema, schema.get("$defs", {}), size, 0))


def choices(model: type[Value]) -> dict[str, tuple[Any, ...]]:
    """Return the fields of a model that hold one of a few values, with those values.

    A field that holds a tagged union has an example of each alternative, in each combination of its own closed fields.
    """
    return dict(_closed(model))


@lru_cache(maxsize=1_024)
def _closed(model: type[Value]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    closed = ((name, _choices(field.annotation)) for name, field in model.model_fields.items())
    return tuple((name, values) for name, values in closed if values)


def same_choice(value: Any) -> Any:
    """Return the part of a closed field's value that makes two values the same choice, whatever else they hold."""
    if not isinstance(value, Value):
        return value
    return type(value), tuple(getattr(value, name) for name in _plain_choices(type(value)))


def variants(model: type[Made], size: int = 1, limit: int = 64) -> Sample[Made]:
    """Return an example of a model for each combination of its closed fields, or a sample of them above a limit."""
    closed = choices(model)
    picked = sample(list(closed.values()), limit)
    made = tuple(example(model, size, **dict(zip(closed, values, strict=True))) for values in picked.picked)
    return Sample(made, picked.of)


def example_data(schema: Mapping[str, Any], size: int = 1) -> Any:
    """Return plain data that a JSON schema allows."""
    return _value(schema, schema.get("$defs", {}), size, 0, "")


def _choices(annotation: Any) -> tuple[Any, ...]:
    states = alternatives(annotation)
    return _of_states(annotation, states) if states else _few(annotation)


def _of_states(annotation: Any, states: Iterable[type[Any]]) -> tuple[Any, ...]:
    try:
        made = tuple(one for state in states for one in _every(state))
    except NoExampleError:
        # The field counts as open then, like any other without examples.
        return ()
    return (None, *made) if type(None) in get_args(annotation) else made


def _every(state: type[Value]) -> Iterator[Value]:
    closed = _plain_choices(state)
    for picked in itertools.product(*closed.values()):
        yield example(state, **dict(zip(closed, picked, strict=True)))


@lru_cache(maxsize=1_024)
def _plain_choices(model: type[Value]) -> Mapping[str, tuple[Any, ...]]:
    """Return the closed fields of a state. The state may be recursive, so unions inside it stay open."""
    closed = {name: _few(field.annotation) for name, field in model.model_fields.items()}
    return {name: values for name, values in closed.items() if values}


def _few(annotation: Any) -> tuple[Any, ...]:
    if annotation is bool:
        return (False, True)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(annotation)
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if type(None) in get_args(annotation) and get_origin(annotation) is not tuple:
        inner = [_few(part) for part in get_args(annotation) if part is not type(None)]
        return (None, *inner[0]) if len(inner) == 1 and inner[0] else ()
    return ()


def _value(schema: Mapping[str, Any], defs: Mapping[str, Any], size: int, depth: int, name: str) -> Any:
    if "$ref" in schema:
        return _value(defs[schema["$ref"].rpartition("/")[2]], defs, size, depth + 1, name)
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        # Recursive values must end somewhere.
        ends = [one for one in alternatives if "$ref" not in one] if depth > _DEEP else []
        return _value((ends or alternatives)[0], defs, size, depth, name)
    chosen = schema.get("examples") or schema.get("enum") or ([schema["const"]] if "const" in schema else [])
    return chosen[0] if chosen else _made(schema, defs, size, depth, name)


def _made(schema: Mapping[str, Any], defs: Mapping[str, Any], size: int, depth: int, name: str) -> Any:
    match schema.get("type"):
        case "object" if "properties" not in schema and isinstance(schema.get("additionalProperties"), Mapping):
            made: Any = _mapping(schema, defs, size, depth, name)
        case "object":
            made = _object(schema, defs, size, depth)
        case "array":
            made = _array(schema, defs, size, depth, name)
        case "integer":
            made = _integer(schema, size)
        case "string":
            made = _decimal(schema, size) if schema.get("format") == "decimal" else _text(schema, name)
        case other:
            made = False if other == "boolean" else None
    return made


def _object(schema: Mapping[str, Any], defs: Mapping[str, Any], size: int, depth: int) -> dict[str, Any]:
    required = schema.get("required", ())
    return {
        name: _value(part, defs, size, depth + 1, name)
        for name, part in schema.get("properties", {}).items()
        if name in required or (size and depth < _DEEP)
    }


def _mapping(schema: Mapping[str, Any], defs: Mapping[str, Any], size: int, depth: int, name: str) -> dict[str, Any]:
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", 1)
    count = least if depth >= _DEEP or not size else max(least, min(1, most))
    named = schema.get("propertyNames", {})
    known = _resolved(named, defs).get("enum") or [_text(_resolved(named, defs), name.removesuffix("s"))]
    keys = [*known, *(f"{known[0]}{number}" for number in range(2, count + 1))][:count]
    return {key: _value(schema["additionalProperties"], defs, size, depth + 1, name) for key in keys}


def _resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    return defs[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _array(schema: Mapping[str, Any], defs: Mapping[str, Any], size: int, depth: int, name: str) -> list[Any]:
    if "prefixItems" in schema:
        return [_value(part, defs, size, depth + 1, name) for part in schema["prefixItems"]]
    least, most = schema.get("minItems", 0), schema.get("maxItems", 1)
    count = least if depth >= _DEEP or not size else max(least, min(1, most))
    return [_value(schema.get("items", {}), defs, size, depth + 1, name.removesuffix("s")) for _ in range(count)]


def _integer(schema: Mapping[str, Any], size: int) -> int:
    least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1 if "exclusiveMinimum" in schema else None)
    most = schema.get("maximum", schema["exclusiveMaximum"] - 1 if "exclusiveMaximum" in schema else None)
    if least == -MAX_SAFE_INTEGER:
        # Every integer of the library has this bound, so the author did not choose it.
        least = None
    begin = int(least if least is not None else min(0, most if most is not None else 0))
    step = schema.get("multipleOf", 1)
    wanted = -(-(begin + _ABOVE[size]) // step) * step
    return int(min(wanted, most // step * step) if most is not None else wanted)


def _decimal(schema: Mapping[str, Any], size: int) -> str:
    limits = {word: Decimal(schema[word]) for word in schema if word.startswith("x-") and word != "x-maxDigits"}
    step = limits.get("x-multipleOf", Decimal(1).scaleb(-int(limits.get("x-decimalPlaces", 0))))
    least = limits.get("x-minimum", limits.get("x-exclusiveMinimum", -step) + step)
    most = limits.get("x-maximum", limits.get("x-exclusiveMaximum", least + _ABOVE[size] + step) - step)
    if "x-maxDigits" in schema:
        before_the_point = int(schema["x-maxDigits"]) - int(schema.get("x-decimalPlaces", 0))
        most = min(most, Decimal(10) ** before_the_point - step)
    return str(min(least + _ABOVE[size], most))


def _text(schema: Mapping[str, Any], name: str) -> str:
    form = str(schema.get("format", "")).rstrip("0123456789")
    if form in _FORMATS:
        return _FORMATS[form]
    least, most = schema.get("minLength", 0), schema.get("maxLength", 128)
    pattern = re.compile(schema.get("pattern", ""))
    for text in _texts(name, least):
        if least <= len(text) <= most and pattern.search(text):
            return text
    # The model refuses it, and names the field.
    return ""


def _texts(name: str, least: int) -> Iterator[str]:
    word = name.removesuffix("_id").replace("_", "-")
    yield f"{word}-1" if name.endswith("_id") or name in {"id", "sku", "key"} else word.replace("-", " ")
    yield from (name, word, "EUR", "DE", "someone@example.org", "https://example.org", "+491234567", "1.0")
    for length in range(max(1, least), 65):
        yield from (letter * length for letter in ("a", "A", "1", "0", "_", "-"))
