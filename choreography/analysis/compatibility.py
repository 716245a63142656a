"""Tells whether a consumer with one contract can read every event that a publisher with another contract writes.

Both are JSON schemas of pydantic models. A publisher writes every field, those with defaults included, and a consumer
ignores fields it does not know; so a promise is met if every field the consumer knows is there and holds nothing that
the consumer would refuse.

This module trusts no keyword of JSON Schema that it does not know: such a keyword must be the same on both sides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from choreography.analysis.value_ranges import ranges_unmet, refusal

Schema = Mapping[str, Any]

_STRUCTURE: Final = frozenset(
    {"type", "properties", "required", "items", "prefixItems", "additionalProperties", "propertyNames"}
)


def unmet(promised: Schema, needed: Schema) -> list[str]:
    """Return, in words that begin with the field, what a consumer needs and a publisher does not promise."""
    return list(_Comparison(promised.get("$defs", {}), needed.get("$defs", {})).compare(promised, needed, ""))


class _Comparison:
    def __init__(self, promised_defs: Schema, needed_defs: Schema) -> None:
        self._promised_defs, self._needed_defs = promised_defs, needed_defs
        self._under_way: set[tuple[str, str]] = set()

    def compare(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        """Yield each need that the publisher does not meet, at one place of the schema and below it."""
        pair = (str(promised.get("$ref", "")), str(needed.get("$ref", "")))
        if all(pair) and pair in self._under_way:
            # A recursive value: it is being compared already.
            return
        mine = all(pair)
        if mine:
            self._under_way.add(pair)
        try:
            yield from self._resolved(
                _resolved(promised, self._promised_defs), _resolved(needed, self._needed_defs), where
            )
        finally:
            if mine:
                self._under_way.discard(pair)

    def _resolved(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        values = _values(promised)
        if (alternatives := _alternatives(promised)) is not None:
            for one in alternatives:
                yield from self.compare(one, needed, where)
        elif values is not None and len(values) > 1:
            # Each alternative is compared by itself, as different alternatives of the consumer may accept it.
            for value in values:
                yield from self._resolved({**_without_values(promised), "const": value}, needed, where)
        elif (others := _alternatives(needed)) is not None:
            tag = needed.get("discriminator", {}).get("propertyName")
            if tag and promised.get("type") == "object" and tag not in promised.get("properties", {}):
                yield f"{where}.{tag} is needed and not there"
            yield from self._any_of(promised, others, where)
        elif values is not None:
            yield from _closed(values[0], needed, where)
        else:
            yield from self._open(promised, needed, where)

    def _any_of(self, promised: Schema, needed: Sequence[Schema], where: str) -> Iterator[str]:
        tries = [list(self.compare(promised, one, where)) for one in needed]
        if all(tries):
            # The nearest alternative gives the most helpful words.
            yield from min(tries, key=len)

    def _open(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        mine, theirs = promised.get("type"), needed.get("type")
        if (values := _values(needed)) is not None:
            if mine != "boolean" or sum(isinstance(value, bool) for value in values) < len((True, False)):
                yield f"{_at(where)} may be any {mine or 'value'}, and only {_listed(values)} is understood"
            return
        if theirs and mine != theirs and (mine, theirs) != ("integer", "number"):
            yield f"{_at(where)} is {_kind(promised)} where {_kind(needed)} is needed"
            return
        for problem in ranges_unmet(promised, needed, besides=_STRUCTURE):
            yield f"{_at(where)} {problem}"
        yield from self._fields(promised, needed, where)
        yield from self._free_keys(promised, needed, where)
        yield from self._parts(promised, needed, where)

    def _fields(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        there = promised.get("properties", {})
        for name, part in needed.get("properties", {}).items():
            inner = f"{where}.{name}" if where else name
            if name in there:
                yield from self.compare(there[name], part, inner)
            elif name in needed.get("required", ()):
                yield f"{inner} is needed and not there"
            elif "properties" not in promised:
                # A free key may have that name, with any value.
                yield from self.compare(_free(promised), part, inner)

    def _free_keys(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        """Compare the values under keys that the schema does not list."""
        understood = needed.get("additionalProperties", True)
        for name in promised.get("properties", {}).keys() - needed.get("properties", {}).keys():
            inner = f"{where}.{name}" if where else name
            if understood is False:
                yield f"{inner} is not known, and what is not known is refused"
            elif isinstance(understood, Mapping):
                yield from self.compare(promised["properties"][name], understood, inner)
        if "properties" not in promised and promised.get("type") == "object":
            if understood is False and promised.get("additionalProperties", True) is not False:
                yield f"{_at(where)} may have any keys, and what is not known is refused"
            elif isinstance(understood, Mapping):
                yield from self.compare(_free(promised), understood, f"{where}{{}}")
            if "propertyNames" in needed:
                names = {"type": "string", **promised.get("propertyNames", {})}
                yield from self.compare(names, {"type": "string", **needed["propertyNames"]}, f"{where}{{key}}")

    def _parts(self, promised: Schema, needed: Schema, where: str) -> Iterator[str]:
        if promised.get("type") != "array" or needed.get("type") != "array":
            return
        mine, theirs = promised.get("prefixItems", ()), needed.get("prefixItems", ())
        if theirs and not mine:
            yield f"{_at(where)} may have any length, and exactly {len(theirs)} parts are needed"
            return
        most, listed = promised.get("maxItems"), max(len(mine), len(theirs))
        for place in range(listed if most is None else min(listed, most)):
            inner = f"{where}[{place}]" if theirs else f"{where}[]"
            yield from self.compare(_part(promised, place), _part(needed, place), inner)
        if most is None or most > listed:
            yield from self.compare(_part(promised, listed), _part(needed, listed), f"{where}[]")


def _part(schema: Schema, place: int) -> Schema:
    listed, rest = schema.get("prefixItems", ()), schema.get("items", {})
    part = listed[place] if place < len(listed) else rest
    return part if isinstance(part, Mapping) else {}


def _free(schema: Schema) -> Schema:
    inside = schema.get("additionalProperties", {})
    return inside if isinstance(inside, Mapping) else {}


def _resolved(schema: Schema, defs: Schema) -> Schema:
    while "$ref" in schema or len(schema.get("allOf", ())) == 1:
        if "$ref" in schema:
            rest = {name: part for name, part in schema.items() if name != "$ref"}
            schema = {**defs[schema["$ref"].rpartition("/")[2]], **rest}
        else:
            rest = {name: part for name, part in schema.items() if name != "allOf"}
            schema = {**schema["allOf"][0], **rest}
    if len(schema.get("patternProperties", ())) == 1:
        rest = {name: part for name, part in schema.items() if name != "patternProperties"}
        ((pattern, part),) = schema["patternProperties"].items()
        schema = {**rest, "propertyNames": {"pattern": pattern}, "additionalProperties": part}
    return schema


def _alternatives(schema: Schema) -> Sequence[Schema] | None:
    found: Sequence[Schema] | None = schema.get("anyOf", schema.get("oneOf"))
    return found


def _values(schema: Schema) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return list(schema["enum"]) if "enum" in schema else None


def _without_values(schema: Schema) -> dict[str, Any]:
    return {word: part for word, part in schema.items() if word not in ("enum", "const")}


def _closed(value: Any, needed: Schema, where: str) -> Iterator[str]:
    understood = _values(needed)
    if understood is not None:
        if not any(type(value) is type(one) and value == one for one in understood):
            yield f"{_at(where)} may be {value!r}, and only {_listed(understood)} is understood"
    elif problem := refusal(value, needed, _kind(needed)):
        yield f"{_at(where)} may be {value!r}, {problem}"


def _at(where: str) -> str:
    return where or "the event"


def _kind(schema: Schema) -> str:
    word = str(schema.get("type", "anything"))
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}" if word != "null" else "nothing"


def _listed(values: Sequence[Any]) -> str:
    return " or ".join(repr(value) for value in values)
