"""Whether whoever needs one contract can read whatever another contract promises.

Both are JSON schemas of pydantic models. A publisher writes every field, those with defaults included, and a consumer
ignores fields it does not know; so a promise is met if every field the consumer knows is there and holds nothing that
the consumer would refuse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

Schema = Mapping[str, Any]

_TELLS_NOTHING: Final = frozenset({"title", "description", "default", "examples", "deprecated", "$defs", "required"})
_AT_LEAST: Final = {"minimum", "exclusiveMinimum", "minLength", "minItems"}
_AT_MOST: Final = {"maximum", "exclusiveMaximum", "maxLength", "maxItems"}
_TYPES: Final = {str: "string", bool: "boolean", int: "integer", type(None): "null"}


def unmet(promised: Schema, needed: Schema) -> list[str]:
    """Return in words, each beginning with the field, what a consumer needs and a publisher does not promise."""
    return list(_Comparison(promised.get("$defs", {}), needed.get("$defs", {})).compare(promised, needed, ""))


class _Comparison:
    def __init__(self, promised_defs: Schema, needed_defs: Schema) -> None:
        self._promised_defs, self._needed_defs = promised_defs, needed_defs
        self._under_way: set[tuple[str, str]] = set()

    def compare(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        """Yield what is not met at one place and below."""
        pair = (str(promised.get("$ref", "")), str(needed.get("$ref", "")))
        if all(pair) and pair in self._under_way:
            # A value that holds values of its own kind: they are being compared already.
            return
        self._under_way.add(pair)
        promised, needed = _resolved(promised, self._promised_defs), _resolved(needed, self._needed_defs)
        if "anyOf" in promised:
            for one in promised["anyOf"]:
                yield from self.compare(one, needed, where)
        elif "anyOf" in needed:
            yield from self._any_of(promised, needed["anyOf"], where)
        elif (values := _values(promised)) is not None:
            yield from _closed(values, needed, where)
        else:
            yield from self._open(promised, needed, where)
        self._under_way.discard(pair)

    def _any_of(self, promised: Schema, needed: Sequence[Schema], where: str) -> Iterator[str]:
        tries = [list(self.compare(promised, one, where)) for one in needed]
        if all(tries):
            # The alternative that comes nearest tells most.
            yield from min(tries, key=len)

    def _open(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        if (values := _values(needed)) is not None:
            yield f"{_at(where)} may be any {promised.get('type', 'value')}, and only {_listed(values)} is understood"
            return
        mine, theirs = promised.get("type"), needed.get("type")
        if theirs and mine != theirs and (mine, theirs) != ("integer", "number"):
            yield f"{_at(where)} is {_kind(promised)} where {_kind(needed)} is needed"
            return
        for word in sorted(needed.keys() - _TELLS_NOTHING - {"type", "properties", "items", "prefixItems"}):
            if problem := _bound(word, promised.get(word), needed[word]):
                yield f"{_at(where)} {problem}"
        yield from self._fields(promised, needed, where)
        yield from self._parts(promised, needed, where)

    def _fields(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        there = promised.get("properties", {})
        for name, part in needed.get("properties", {}).items():
            inner = f"{where}.{name}" if where else name
            if name in there:
                yield from self.compare(there[name], part, inner)
            elif name in needed.get("required", ()):
                yield f"{inner} is needed and not there"

    def _parts(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        mine, theirs = promised.get("prefixItems"), needed.get("prefixItems")
        if mine is not None and theirs is not None:
            for place, (one, other) in enumerate(zip(mine, theirs, strict=False)):
                yield from self.compare(one, other, f"{where}[{place}]")
        elif theirs is not None:
            yield f"{_at(where)} may have any length, and exactly {len(theirs)} parts are needed"
        elif isinstance(needed.get("items"), Mapping):
            for part in mine if mine is not None else [promised.get("items", {})]:
                yield from self.compare(part, needed["items"], f"{where}[]")


def _resolved(schema: Schema, defs: Schema) -> Schema:
    while "$ref" in schema:
        rest = {name: part for name, part in schema.items() if name != "$ref"}
        schema = {**defs[schema["$ref"].rpartition("/")[2]], **rest}
    return schema


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _closed(values: Sequence[Any], needed: Schema, where: str) -> Iterator[str]:
    understood = _values(needed)
    for value in values:
        if understood is not None and value not in understood:
            yield f"{_at(where)} may be {value!r}, and only {_listed(understood)} is understood"
        elif understood is None and (problem := _refusal(value, needed)):
            yield f"{_at(where)} may be {value!r}, {problem}"


def _refusal(value: Any, needed: Schema) -> str:
    kind = _TYPES.get(type(value), "")
    if needed.get("type") not in (None, kind):
        return f"where {_kind(needed)} is needed"
    size = len(value) if isinstance(value, str) else value
    for word in _AT_LEAST | _AT_MOST:
        if word in needed and isinstance(size, int) and not _within(word, size, needed[word]):
            return f"which {word} {needed[word]} refuses"
    if isinstance(value, str) and "pattern" in needed and not re.search(needed["pattern"], value):
        return f"which the pattern {needed['pattern']} refuses"
    return "which may not be readable as " + needed["format"] if "format" in needed else ""


def _within(word: str, value: int, bound: int) -> bool:
    if word.startswith("exclusive"):
        return value > bound if word in _AT_LEAST else value < bound
    return value >= bound if word in _AT_LEAST else value <= bound


def _bound(word: str, promised: Any, needed: Any) -> str:
    """Return in words why a limit of the publisher does not keep within one of the consumer."""
    if word in _AT_LEAST or word in _AT_MOST:
        kept = promised is not None and (promised >= needed if word in _AT_LEAST else promised <= needed)
        if kept or (word in {"minLength", "minItems"} and needed == 0):
            return ""
        return f"has {word} {'none' if promised is None else promised} where {word} {needed} is needed"
    if promised == needed:
        return ""
    return f"has {word} {promised if promised is not None else 'none'} where {word} {needed} is needed"


def _at(where: str) -> str:
    return where or "the event"


def _kind(schema: Schema) -> str:
    word = str(schema.get("type", "anything"))
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}" if word != "null" else "nothing"


def _listed(values: Sequence[Any]) -> str:
    return " or ".join(repr(value) for value in values)
