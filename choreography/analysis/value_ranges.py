"""Bounds of plain values in JSON schemas: whether the publisher's values stay within the consumer's bounds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import inf
from typing import Any, Final

from choreography.fields import MAX_SAFE_INTEGER

Schema = Mapping[str, Any]

_TELLS_NOTHING: Final = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "$defs", "discriminator"}
)
_AT_LEAST: Final = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_AT_MOST: Final = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
_OF_DECIMALS: Final = {
    "x-minimum": "minimum",
    "x-exclusiveMinimum": "exclusiveMinimum",
    "x-maximum": "maximum",
    "x-exclusiveMaximum": "exclusiveMaximum",
}
_DIGITS: Final = frozenset({"x-maxDigits", "x-decimalPlaces"})
_SIZES: Final = ("minLength", "minItems", "minProperties")
_TYPES: Final = {str: "string", bool: "boolean", int: "integer", type(None): "null"}
_UUID: Final = re.compile("uuid[0-9]$")


def ranges_unmet(promised: Schema, needed: Schema, *, besides: frozenset[str]) -> Iterator[str]:
    """Yield, in words, each bound of the consumer that the publisher does not keep.

    Args:
        promised: the schema of the publisher.
        needed: the schema of the consumer.
        besides: keywords that another function compares.
    """
    for word in sorted(needed.keys() - _TELLS_NOTHING - besides):
        if not _kept(word, promised, needed):
            mine = promised.get(word)
            yield f"has {word} {mine if mine is not None else 'none'} where {word} {needed[word]} is needed"


def _kept(word: str, promised: Schema, needed: Schema) -> bool:
    mine, theirs = promised.get(word), needed[word]
    plain = _OF_DECIMALS.get(word, word)
    if plain in _AT_LEAST or plain in _AT_MOST:
        return _keeps_within(word, promised, theirs)
    if word in _DIGITS:
        return (
            mine is not None and int(mine) <= int(theirs) and _before_the_point(promised) <= _before_the_point(needed)
        )
    if word in ("multipleOf", "x-multipleOf"):
        return mine is not None and Decimal(str(mine)) % Decimal(str(theirs)) == 0
    if word == "format" and theirs == "uuid" and _UUID.match(str(mine)):
        return True
    return bool(mine == theirs)


def _before_the_point(schema: Schema) -> float:
    """Return the number of digits that a decimal may have before its point."""
    most, behind = schema.get("x-maxDigits"), schema.get("x-decimalPlaces")
    return int(most) - int(behind or 0) if most is not None else inf


def _keeps_within(word: str, promised: Schema, bound: Any) -> bool:
    ours, lower = word.startswith("x-"), "inimum" in word or "min" in word
    if not ours and "imum" not in word:
        mine = promised.get(word, 0 if word in _SIZES else None)
        return mine is not None and (mine >= bound if lower else mine <= bound)
    strict, edge = _edge(promised, "x-" if ours else "", lower=lower)
    if edge is None:
        return False
    limit = Decimal(str(bound))
    within = edge >= limit if lower else edge <= limit
    return within and (edge != limit or strict or "exclusive" not in word)


def _edge(schema: Schema, prefix: str, *, lower: bool) -> tuple[bool, Decimal | None]:
    """Return the innermost bound of a number on one side, and whether the bound itself is excluded."""
    name = "inimum" if lower else "aximum"
    inclusive, exclusive = schema.get(f"{prefix}m{name}"), schema.get(f"{prefix}exclusiveM{name}")
    whole = schema.get("type") == "integer"
    edges = [(Decimal(str(inclusive)), False)] if inclusive is not None else []
    if exclusive is not None:
        step = 1 if lower else -1
        # For integers, the next one is the first allowed value.
        edges.append((Decimal(str(exclusive)) + step, False) if whole else (Decimal(str(exclusive)), True))
    if whole:
        # No publisher writes an integer beyond these bounds, even if a schema has none.
        edges.append((Decimal(-MAX_SAFE_INTEGER if lower else MAX_SAFE_INTEGER), False))
    if not edges:
        return False, None
    edge, strict = max(edges) if lower else min(edges, key=lambda one: (one[0], not one[1]))
    return strict, edge


def refusal(value: Any, needed: Schema, kind: str) -> str:
    """Return, in words, why a consumer would refuse one value, or an empty text.

    Args:
        value: a value that the publisher may write.
        needed: the schema of the consumer.
        kind: the sort of the value, in words.
    """
    mine = _TYPES.get(type(value), "")
    if needed.get("type") not in (None, mine):
        return f"where {kind} is needed"
    size = len(value) if isinstance(value, str) else value
    for word in sorted(_AT_LEAST | _AT_MOST):
        if word in needed and isinstance(size, int) and not _within(word, size, needed[word]):
            return f"which {word} {needed[word]} refuses"
    if "multipleOf" in needed and isinstance(value, int) and value % needed["multipleOf"]:
        return f"which multipleOf {needed['multipleOf']} refuses"
    if isinstance(value, str) and "pattern" in needed and not re.search(needed["pattern"], value):
        return f"which the pattern {needed['pattern']} refuses"
    return f"which may not be readable as {needed['format']}" if "format" in needed else ""


def _within(word: str, value: int, bound: int) -> bool:
    if word.startswith("exclusive"):
        return value > bound if word in _AT_LEAST else value < bound
    return value >= bound if word in _AT_LEAST else value <= bound
