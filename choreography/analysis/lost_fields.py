"""Fields that one schema has and a later schema lacks: the later release would silently ignore their stored values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]


def lost_fields(old: Schema, new: Schema) -> list[str]:
    """Return the dotted path of every field that an old value may hold and that the new schema does not know."""
    return list(dict.fromkeys(_Losses(old.get("$defs", {}), new.get("$defs", {})).at(old, new, "")))


class _Losses:
    def __init__(self, old_defs: Schema, new_defs: Schema) -> None:
        self._old_defs, self._new_defs = old_defs, new_defs
        self._under_way: set[tuple[str, str]] = set()

    def at(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        """Yield the lost fields at one place and below it."""
        pair = (str(old.get("$ref", "")), str(new.get("$ref", "")))
        if all(pair) and pair in self._under_way:
            return
        self._under_way.add(pair)
        olds, news = _alternatives(old, self._old_defs), _alternatives(new, self._new_defs)
        for one in olds:
            alike = [other for other in news if other.get("type") == one.get("type")]
            # Of several alternatives, the old value continues as the one that knows most of its fields.
            yield from min((list(self._fields(one, other, where)) for other in alike or [{}]), key=len)
        self._under_way.discard(pair)

    def _fields(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        known, kept = new.get("properties", {}), old.get("properties", {})
        for name, part in kept.items():
            inner = f"{where}.{name}" if where else name
            if name not in known:
                yield inner
            else:
                yield from self.at(part, known[name], inner)
        for word in ("items", "additionalProperties"):
            if isinstance(old.get(word), Mapping) and isinstance(new.get(word), Mapping):
                yield from self.at(old[word], new[word], where)
        for one, other in zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=False):
            yield from self.at(one, other, where)


def _alternatives(schema: Schema, defs: Schema) -> list[Schema]:
    """Return every form that a value may take; the forms of an optional field are nothing and the value."""
    while "$ref" in schema:
        schema = {**defs[schema["$ref"].rpartition("/")[2]], **{key: schema[key] for key in schema if key != "$ref"}}
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return [one for part in schema[word] for one in _alternatives(part, defs)]
    return [schema]
