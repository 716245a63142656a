"""Whether the alternatives of a union can be distinguished by their form on the wire."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, NamedTuple, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel

Node = dict[str, Any]
Resolve = Callable[[Node], Node]

_LEAVES: Final[dict[str, tuple[str, type]]] = {
    "str": ("text", str),
    "int": ("integer", int),
    "bool": ("boolean", bool),
    "none": ("null", type(None)),
    "date": ("text", date),
    "datetime": ("text", datetime),
    "timedelta": ("text", timedelta),
    "decimal": ("text", Decimal),
    "uuid": ("text", UUID),
}


class Shape(NamedTuple):
    """One form that a value can take on the wire, and the type that is read from it.

    Attributes:
        kind: its JSON type.
        python: the type that is read from it.
        values: all its possible values, if they are few.
        parts: the shapes of the items of an array, or of the values of an object with free keys.
    """

    kind: str
    python: type
    values: frozenset[Any] | None = None
    parts: tuple[Shape, ...] = ()


def mixed_up(alternatives: Iterable[Iterable[Shape]]) -> tuple[Shape, Shape] | None:
    """Return two alternatives that a reader could confuse, if there are any."""
    for first, second in itertools.combinations(alternatives, 2):
        for one, other in itertools.product(first, second):
            if not _distinct(one, other):
                return one, other
    return None


def shapes(node: Node, resolve: Resolve, under_way: frozenset[str] = frozenset()) -> Iterator[Shape]:
    """Yield every form that a value of this schema can take on the wire."""
    kind = node["type"]
    if kind in _LEAVES:
        yield Shape(*_LEAVES[kind])
    elif kind == "tuple":
        yield Shape("array", tuple, parts=tuple(_all(node["items_schema"], resolve, under_way)))
    elif kind == "dict":
        yield Shape("object", dict, parts=tuple(_all([node["values_schema"]], resolve, under_way)))
    elif kind == "model":
        yield Shape("object", node["cls"])
    elif kind in ("literal", "enum"):
        yield from _of_values(node)
    elif kind == "definition-ref":
        name = node["schema_ref"]
        if name not in under_way:
            yield from shapes(resolve(node), resolve, under_way | {name})
    else:
        if kind == "nullable":
            yield Shape("null", type(None))
        yield from _all(_alternatives(node), resolve, under_way)


def _alternatives(node: Node) -> list[Node]:
    match node["type"]:
        case "union":
            return [choice[0] if isinstance(choice, tuple) else choice for choice in node["choices"]]
        case "tagged-union":
            return list(node["choices"].values())
        case "json-or-python":
            return [node["json_schema"]]
        case "chain":
            # This chain is the text of a decimal: every other chain was refused.
            return [node["steps"][-1]]
        case _:
            return [node["schema"]] if "schema" in node else []


def _of_values(node: Node) -> Iterator[Shape]:
    for member in node["members"] if "members" in node else node["expected"]:
        plain = member.value if isinstance(member, Enum) else member
        kind = {str: "text", int: "integer", bool: "boolean"}.get(base_of(plain), "null")
        yield Shape(kind, type(member), frozenset({plain}))


def base_of(value: object) -> type:
    """Return the plain type that a value has on the wire, or its own type."""
    return next((plain for plain in (bool, int, str) if isinstance(value, plain)), type(value))


def _all(nodes: Iterable[Node], resolve: Resolve, under_way: frozenset[str]) -> Iterator[Shape]:
    for node in nodes:
        yield from shapes(node, resolve, under_way)


def _distinct(one: Shape, other: Shape) -> bool:
    if one.kind != other.kind:
        return True
    if one.values is not None and other.values is not None and one.values.isdisjoint(other.values):
        return True
    if one.kind == "array" or one.python is other.python is dict:
        return mixed_up([one.parts, other.parts]) is None
    if one.kind == "object":
        return one.python is other.python or _tagged(one.python, other.python)
    return one.python is other.python


def _tagged(one: type, other: type) -> bool:
    """Tell whether both alternatives have a field that never has the same value in both."""
    if not (issubclass(one, BaseModel) and issubclass(other, BaseModel)):
        return False
    mine, theirs = _tags(one), _tags(other)
    return any(mine[name].isdisjoint(theirs[name]) for name in mine.keys() & theirs.keys())


def _tags(model: type[BaseModel]) -> dict[str, frozenset[Any]]:
    closed = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
    return {name: frozenset(get_args(hint)) for name, hint in closed.items() if get_origin(hint) is Literal}
